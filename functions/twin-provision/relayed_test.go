package twinprovision_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/castor-iot/castor/functions/drivers"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/seal"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/objecttest"
)

// integration is a device of group press that is at its gateway, as that of a network server is: brought in by hand.
func (w *world) integration(id string, by *api.Client) device.Ref {
	w.t.Helper()
	return w.byHand(id, by, "http")
}

// byHand is a device of type integration that people bring in at gateway op, which speaks the protocol from then on.
func (w *world) byHand(id string, by *api.Client, protocol string) device.Ref {
	w.t.Helper()
	_, err := w.op.PutGateway(w.ctx, api.Gateway{ID: "op", Phase: "operational", Protocol: protocol, URL: "https://127.0.0.1:8888"})
	w.must(err)
	public, _, err := seal.NewKey()
	w.must(err)
	r, err := by.StartRun(w.ctx, api.NewRun{Type: "integration", Owner: "press", Serial: id, PublicKey: public, Protocol: protocol})
	w.must(err)
	for _, state := range []string{"place", "serial"} {
		w.confirms(by, r.ID, state, api.Decide{Serial: map[string]string{"serial": id}[state]})
	}
	w.must(w.apply(w.run(r.ID).Results.DeviceRef))
	w.confirms(by, r.ID, "install", api.Decide{})
	ref := device.Ref(w.run(r.ID).Results.DeviceRef)
	w.must(w.op.ConfirmProvisioning(w.ctx, api.Confirmation{Gateway: "op", Ref: ref, Twin: w.run(r.ID).Twin, Seen: true}))
	if r := w.run(r.ID); r.Outcome != provision.Completed {
		w.t.Fatalf("\n%s", log(r))
	}
	return ref
}

// A device that another one speaks for is named by people, and is operational with its first message.
func TestADeviceThatAnotherSpeaksFor(t *testing.T) {
	w := start(t)
	w.newType("meter", twin.Model{Provisioning: "relayed"})
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	w.newType("integration", twin.Model{Provisioning: "manual"})
	via := w.integration("TTS-1", ada)
	in := api.NewRun{Type: "meter", Owner: "press", Serial: "0004A30B001C0530", Via: "tts-1", Reason: "cellar"}
	r, err := ada.StartRun(w.ctx, in)
	w.must(err)
	if r.State != "online" || !r.Waiting || r.Asks != nil || r.Request.Kind != "relayed" {
		t.Fatalf("%s\n%s", r.State, log(r))
	}
	if again, err := ada.StartRun(w.ctx, in); err != nil || again.ID != r.ID || again.Round != r.Round {
		t.Errorf("asked again: %s, %v", again.ID, err)
	}
	ref := device.RelayedRef(via, "00-04-a3-0b-00-1c-05-30")
	got, err := w.op.Resolve(w.ctx, []device.Ref{ref})
	if err != nil || len(got) != 1 || got[0].Twin != r.Twin || !got[0].Pending {
		t.Fatalf("its first message finds %+v, %v", got, err)
	}
	if tw, err := ada.GetTwin(w.ctx, r.Twin); err != nil || tw.Definition.Phase != twin.Provisioning {
		t.Errorf("before it was heard: %s, %v", tw.Definition.Phase, err)
	}
	if _, err := ada.RunBundle(w.ctx, r.ID); !errors.Is(err, api.ErrConflict) {
		t.Errorf("a bundle for nobody: %v", err)
	}
	w.must(w.op.ConfirmProvisioning(w.ctx, api.Confirmation{Gateway: "op", Ref: ref, Twin: r.Twin, Seen: true}))
	if r = w.run(r.ID); r.Outcome != provision.Completed {
		t.Fatalf("\n%s", log(r))
	}
	if tw, err := ada.GetTwin(w.ctx, r.Twin); err != nil || tw.Definition.Phase != twin.Operational || tw.Definition.Owner != "press" {
		t.Errorf("its twin: %+v, %v", tw.Definition, err)
	}
	page, err := ada.ListRelayed(w.ctx, "tts-1", "")
	if err != nil || len(page.Items) != 1 || page.Items[0].State != api.CredentialActive || page.Items[0].Name != in.Serial {
		t.Errorf("%+v, %v", page.Items, err)
	}

	// What is undone leaves nothing, and it may come again.
	if _, err := ada.ResetRun(w.ctx, r.ID, "wrong cellar"); err != nil {
		t.Fatal(err)
	}
	if got, err := w.op.Resolve(w.ctx, []device.Ref{ref}); err != nil || len(got) != 0 {
		t.Errorf("after its reset it is %+v, %v", got, err)
	}
	if r, err := ada.StartRun(w.ctx, in); err != nil || r.State != "online" {
		t.Errorf("again: %s, %v\n%s", r.State, err, log(r))
	}
}

// A device that was added and not yet heard when its bridge was enrolled anew comes in by the bridge's new credential.
func TestADeviceFollowsItsBridge(t *testing.T) {
	w := start(t)
	w.newType("meter", twin.Model{Provisioning: "relayed"})
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	w.newType("integration", twin.Model{Provisioning: "manual"})
	before := w.integration("TTS-1", ada)
	r, err := ada.StartRun(w.ctx, api.NewRun{Type: "meter", Owner: "press", Serial: "M-1", Via: "tts-1"})
	w.must(err)
	page, err := ada.ListRuns(w.ctx, api.RunQuery{Twin: "tts-1"})
	w.must(err)
	_, err = ada.ResetRun(w.ctx, page.Items[0].ID, "another box")
	w.must(err)
	after := w.integration("TTS-1", ada)
	ref := device.RelayedRef(after, "M-1")
	got, err := w.op.Resolve(w.ctx, []device.Ref{ref})
	if err != nil || after == before || len(got) != 1 || got[0].Twin != r.Twin || !got[0].Pending {
		t.Fatalf("its first message finds %+v, %v", got, err)
	}
	for _, ref := range []device.Ref{"nobody-00000001", after} {
		w.must(w.op.ConfirmProvisioning(w.ctx, api.Confirmation{Gateway: "op", Ref: ref, Twin: r.Twin, Seen: true}))
		if r := w.run(r.ID); r.Outcome != "" {
			t.Errorf("%s has confirmed it", ref)
		}
	}
	w.must(w.op.ConfirmProvisioning(w.ctx, api.Confirmation{Gateway: "op", Ref: ref, Twin: r.Twin, Seen: true}))
	if r = w.run(r.ID); r.Outcome != provision.Completed || r.Results.DeviceRef != string(ref) {
		t.Errorf("%s\n%s", r.Results.DeviceRef, log(r))
	}
}

func TestWhoSpeaksForADevice(t *testing.T) {
	w := start(t)
	w.newType("meter", twin.Model{Provisioning: "relayed"})
	w.newType("hand", twin.Model{Provisioning: "manual"})
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	w.newType("integration", twin.Model{Provisioning: "manual"})
	w.byHand("PLAIN-1", ada, "mqtt")
	w.integration("TTS-1", ada)
	eve := w.User("eve", []access.Role{access.Owner}, "foundry")
	_, err := w.admin.CreateTwin(w.ctx, api.NewTwin{ID: "idle", Kind: twin.Instance, Definition: twin.Definition{Type: "meter", Owner: "press"}})
	w.must(err)
	good := api.NewRun{Type: "meter", Owner: "press", Serial: "M-1", Via: "tts-1", Name: "lamp"}
	if r, err := ada.StartRun(w.ctx, good); err != nil || r.State != "online" {
		t.Fatalf("%s, %v", r.State, err)
	}
	for what, tt := range map[string]struct {
		by    *api.Client
		in    func(*api.NewRun)
		err   error
		words string
	}{
		"a stranger's":           {eve, func(in *api.NewRun) { in.Owner = "foundry" }, twin.ErrInvalid, "via: there is no twin"},
		"nobody":                 {ada, func(in *api.NewRun) { in.Via = "nobody" }, twin.ErrInvalid, "via: there is no twin"},
		"a type":                 {ada, func(in *api.NewRun) { in.Via = "meter" }, twin.ErrInvalid, "via"},
		"one without credential": {ada, func(in *api.NewRun) { in.Via = "idle" }, api.ErrConflict, "bring it in first"},
		"one for itself alone":   {ada, func(in *api.NewRun) { in.Via = "plain-1" }, twin.ErrInvalid, "via: plain-1 speaks mqtt as the platform does, and so for itself alone; name a bridge"},
		"one that is relayed":    {ada, func(in *api.NewRun) { in.Via = "m-1" }, api.ErrConflict, "name that one"},
		"with a secret":          {ada, func(in *api.NewRun) { in.Kind = "token" }, twin.ErrInvalid, "kind"},
		"with a key":             {ada, func(in *api.NewRun) { in.PublicKey = mustKey(w) }, twin.ErrInvalid, "publicKey"},
		"without a serial":       {ada, func(in *api.NewRun) { in.Serial = "" }, twin.ErrInvalid, "serial is missing"},
		"without via":            {ada, func(in *api.NewRun) { in.Via, in.Name, in.Kind = "", "", "relayed" }, twin.ErrInvalid, "via is missing"},
		"a name without via":     {ada, func(in *api.NewRun) { in.Via = "" }, twin.ErrInvalid, "name and bridge"},
		"a type for installers":  {ada, func(in *api.NewRun) { in.Type = "hand" }, api.ErrConflict, "like relayed"},
		"nobody, by the model":   {ada, func(in *api.NewRun) { in.Via, in.Name, in.PublicKey = "", "", mustKey(w) }, api.ErrConflict, "like manual"},
	} {
		in := good
		in.Serial = "M-2"
		tt.in(&in)
		if _, err := tt.by.StartRun(w.ctx, in); !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// A name that is taken is refused by the run, which undoes what it has made.
	in := good
	in.Serial = "M-3"
	r, err := ada.StartRun(w.ctx, in)
	if err != nil || r.Outcome != provision.Rejected || !strings.Contains(r.Reason, `name "lamp" is another device's`) {
		t.Errorf("%s %q, %v", r.Outcome, r.Reason, err)
	}
}

// Firmware with topics of its own comes in by user name and password, with the topics of its type's driver.
func TestFirmwareWithTopicsOfItsOwn(t *testing.T) {
	w := start(t)
	w.Base.Objects = objecttest.Start(t)
	w.Add("drivers", drivers.New)
	w.newType("plug", twin.Model{Driver: "tasmota", Provisioning: "manual"})
	w.newType("bridge", twin.Model{Driver: "zigbee2mqtt", Provisioning: "manual"})
	w.newType("hand", twin.Model{Provisioning: "manual"})
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	twins := map[string]twin.ID{}
	in := func(of twin.TypeID, serial string, change func(*api.NewRun)) *api.Topics {
		t.Helper()
		public, private, err := seal.NewKey()
		w.must(err)
		run := api.NewRun{Type: of, Owner: "press", Serial: serial, PublicKey: public}
		change(&run)
		r, err := ada.StartRun(w.ctx, run)
		w.must(err)
		w.confirms(ada, r.ID, "place", api.Decide{})
		w.confirms(ada, r.ID, "serial", api.Decide{Serial: serial})
		r = w.run(r.ID)
		a, err := w.admin.GetAssignment(w.ctx, device.Ref(r.Results.DeviceRef))
		w.must(err)
		w.must(w.apply(r.Results.DeviceRef))
		b, err := ada.RunBundle(w.ctx, r.ID)
		if err != nil || b.Kind != "password" || b.Username != run.Username {
			t.Fatalf("%+v, %v\n%s", b, err, log(w.run(r.ID)))
		}
		if _, err := seal.Open(private, api.SealInfo(b.Ref), b.Sealed); err != nil {
			t.Error(err)
		}
		if a.Topics == nil || !a.Expires.IsZero() || a.Username != run.Username {
			t.Fatalf("its gateway knows %+v", a)
		}
		twins[serial] = r.Twin
		return a.Topics
	}
	if got := in("plug", "tasmota_A1", func(in *api.NewRun) { in.Username = "plug-7" }); got.Device != "tasmota_A1" || !slices.Contains(got.Up, "tele/{device}/SENSOR") || !slices.Contains(got.Down, "cmnd/{device}/POWER") {
		t.Errorf("%+v", got)
	}
	if got := in("plug", "T-2", func(in *api.NewRun) { in.Name, in.Kind = "hall", "password" }); got.Device != "hall" {
		t.Errorf("%+v", got)
	}
	if got := in("bridge", "HUB-1", func(in *api.NewRun) { in.Bridge = true }); got.Device != "" || !slices.Contains(got.Down, "zigbee2mqtt/{device...}/set") {
		t.Errorf("%+v", got)
	}
	// A user name is one device's, also while that one is on its way.
	_, err := ada.StartRun(w.ctx, api.NewRun{Type: "plug", Owner: "press", Serial: "T-3", PublicKey: mustKey(w), Username: "plug-8"})
	w.must(err)
	for _, name := range []string{"plug-7", "plug-8"} {
		_, err := ada.StartRun(w.ctx, api.NewRun{Type: "plug", Owner: "press", Serial: "T-4", PublicKey: mustKey(w), Username: name})
		if !errors.Is(err, api.ErrExists) || !strings.Contains(err.Error(), "username "+name+" is not free") {
			t.Errorf("%s once more: %v", name, err)
		}
	}
	// Who logs in for itself alone speaks for nobody, and a bridge says the names only that its topics have a place for.
	w.newType("lamp", twin.Model{Provisioning: "relayed"})
	for words, run := range map[string]api.NewRun{
		"for itself alone, as tasmota_A1": {Via: twins["tasmota_A1"], Name: "lamp"},
		"+ # { }":                         {Via: twins["HUB-1"], Name: "kitchen/#"},
		"are taken for those of":          {Via: twins["HUB-1"], Name: "bridge/lamp"},
	} {
		run.Type, run.Owner, run.Serial = "lamp", "press", "L-1"
		if _, err := ada.StartRun(w.ctx, run); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", words, err)
		}
	}
	for what, tt := range map[string]struct {
		change func(*api.NewRun)
		words  string
	}{
		"a bridge":                {func(in *api.NewRun) { in.Bridge = true }, ""},
		"a name that is no level": {func(in *api.NewRun) { in.Name = "a/b" }, "topics.device"},
		"all devices":             {func(in *api.NewRun) { in.Name = "+" }, "topics.device"},
		"a name for none":         {func(in *api.NewRun) { in.Type, in.Name = "hand", "a" }, "name and bridge"},
		"a bad user name":         {func(in *api.NewRun) { in.Username = "a b" }, "username"},
		"a name like a reference": {func(in *api.NewRun) { in.Username = "plug-0123abcd" }, "username"},
		"a user name for a token": {func(in *api.NewRun) { in.Kind, in.Username = "token", "a" }, "username"},
	} {
		run := api.NewRun{Type: "plug", Owner: "press", Serial: "T-9", PublicKey: mustKey(w)}
		tt.change(&run)
		if _, err := ada.StartRun(w.ctx, run); (err == nil) != (tt.words == "") || err != nil && !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Whoever begins to bring in firmware with topics of its own hears at once that its driver is not there or not in use, and what to do.
func TestFirmwareWhoseDriverIsNotInUse(t *testing.T) {
	w := start(t)
	w.Base.Objects = objecttest.Start(t)
	w.Add("drivers", drivers.New)
	w.newType("plug", twin.Model{Driver: "acme-plug", Provisioning: "manual"})
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	refused := func(says string) {
		t.Helper()
		for _, in := range []api.NewRun{{}, {Kind: "token"}, {Kind: "password", Username: "plug-7"}, {Kind: "password", Name: "hall"}, {Bridge: true}} {
			in.Type, in.Owner, in.Serial, in.PublicKey = "plug", "press", "P-1", mustKey(w)
			if _, err := ada.StartRun(w.ctx, in); !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), says) {
				t.Errorf("%s %s: %v, want %s", in.Kind, in.Name, err, says)
			}
		}
	}
	refused("the driver acme-plug of type plug is not published yet; publish it (castor driver publish), or have the type name another (castor driver list)")
	_, err := w.admin.PublishDriver(w.ctx, api.PublishDriver{Owner: "press", Driver: driver.Driver{Name: "acme-plug", Version: "1.2.0", Kind: driver.Declarative,
		Code:  []byte("castor: 1\nuplink: [{name: state, topic: \"plugs/{device}/STATE\", format: json, fields: [{path: POWER, name: power}]}]\n"),
		Tests: []driver.Test{{Call: driver.Call{Op: driver.DecodeUplink, Topic: "plugs/p/STATE", Bytes: []byte(`{"POWER":1}`)}, Want: driver.Want{Data: map[string]any{"power": 1}}}}}})
	w.must(err)
	refused("no version of driver acme-plug of type plug is active, and the device's topics are its; promote one first: castor driver promote acme-plug 1.2.0")
	_, err = w.admin.PromoteDriver(w.ctx, "acme-plug", "1.2.0")
	w.must(err)
	r, err := ada.StartRun(w.ctx, api.NewRun{Type: "plug", Owner: "press", Serial: "P-1", PublicKey: mustKey(w)})
	if err != nil || r.Request.Kind != "password" {
		t.Errorf("once it is active: %+v, %v", r.Request, err)
	}
	// A driver that is for devices which speak the platform's own topics may come after them.
	_, err = w.admin.PublishDriver(w.ctx, api.PublishDriver{Owner: "press", Driver: driver.Driver{Name: "acme-th", Version: "1.0.0", Kind: driver.Declarative,
		Code:  []byte("castor: 1\nuplink: [{name: t, format: json, fields: [{path: T, name: t}]}]\n"),
		Tests: []driver.Test{{Call: driver.Call{Op: driver.DecodeUplink, Bytes: []byte(`{"T":2}`)}, Want: driver.Want{Data: map[string]any{"t": 2}}}}}})
	w.must(err)
	w.newType("th", twin.Model{Driver: "acme-th", Provisioning: "manual"})
	if r, err := ada.StartRun(w.ctx, api.NewRun{Type: "th", Owner: "press", Serial: "T-1", PublicKey: mustKey(w)}); err != nil || r.Request.Kind != "token" {
		t.Errorf("with the platform's topics: %+v, %v", r.Request, err)
	}
}

// Serials that differ in their case only would be one twin: who adds the second is told of the first, if it is theirs.
func TestASerialWhoseIDIsTakenIsToldSo(t *testing.T) {
	w := start(t)
	_, err := w.admin.CreateGroup(w.ctx, api.Group{ID: "paint"})
	w.must(err)
	w.newType("meter", twin.Model{Provisioning: "relayed"})
	w.newType("integration", twin.Model{Provisioning: "manual"})
	ada, bob := w.User("ada", []access.Role{access.Owner}, "press"), w.User("bob", []access.Role{access.Owner}, "paint")
	w.integration("TTS-1", ada)
	add := func(serial, mac string) string {
		t.Helper()
		r, err := ada.StartRun(w.ctx, api.NewRun{Type: "meter", Owner: "press", Serial: serial, Via: "tts-1", MAC: mac})
		w.must(err)
		return r.Reason
	}
	_, err = w.admin.CreateIdentity(w.ctx, device.Identity{Serial: "ee01"}) // by a configurator: whose it is its twin says
	w.must(err)
	for _, why := range []string{add("dd01", "02:00:00:00:00:01"), add("ee01", "")} {
		if why != "" {
			t.Fatal(why)
		}
	}
	for name, tt := range map[string]struct{ serial, mac, says string }{
		"the id":                  {"DD01", "", `serial "DD01" cannot be registered: its id would be dd01, and that is the device with serial "dd01"; if it is that one, write its serial so`},
		"the id, and another mac": {"Dd01", "02:00:00:00:00:02", `that is the device with serial "dd01"`},
		"the id of a twin":        {"EE01", "", `its id would be ee01, and that is the device with serial "ee01"`},
		"the mac":                 {"DD02", "02:00:00:00:00:01", `what would be its id, dd02, or its mac, is another device's; check both`},
	} {
		if why := add(tt.serial, tt.mac); !strings.Contains(why, tt.says) {
			t.Errorf("%s: %q", name, why)
		}
	}
	public, _, err := seal.NewKey()
	w.must(err)
	r, err := bob.StartRun(w.ctx, api.NewRun{Type: "integration", Owner: "paint", Serial: "DD01", PublicKey: public})
	w.must(err)
	w.confirms(bob, r.ID, "place", api.Decide{})
	w.confirms(bob, r.ID, "serial", api.Decide{Serial: "DD01"})
	if r = w.run(r.ID); !strings.Contains(r.Reason, "what would be its id, dd01, is another device's; check the serial") || strings.Contains(r.Reason, `"dd01"`) {
		t.Errorf("another group is told %q\n%s", r.Reason, log(r))
	}
}
