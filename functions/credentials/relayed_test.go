package credentials_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// bridge is a device of group press with a place at a gateway, which may speak for others.
func (w *world) bridge(id twin.ID) api.Credential {
	w.t.Helper()
	ctx, p := context.Background(), w.Part("twin-provision", "")
	w.owned(id, "press")
	c, err := p.IssueCredential(ctx, api.NewCredential{Twin: id, Run: "bridge.1", Kind: device.Token, Protocol: "http", PublicKey: newReader(w.t).public})
	if err == nil {
		_, err = p.AssignGateway(ctx, api.Assign{Ref: c.Ref, Twin: id, Proof: c.Proof()})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) owned(id twin.ID, owner string) {
	w.t.Helper()
	w.twin(id, twin.Instance, "pump")
	w.edit(id, func(d *twin.Definition) { d.Owner = owner })
}

func (w *world) edit(id twin.ID, do func(*twin.Definition)) {
	w.t.Helper()
	c, err := platform.OpenTwins(context.Background(), w.Base.DB)
	if err == nil {
		_, err = c.Update(context.Background(), string(id), func(t *twin.Twin) error { do(&t.Definition); return nil })
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// at is how many of the references a connector at the gateway is told of.
func (w *world) at(gateway string, refs ...device.Ref) int {
	w.t.Helper()
	got, err := w.Part("connector", gateway).Resolve(context.Background(), refs)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(got)
}

// Who is relayed has no secret, no end and no place of its own: it is where who speaks for it is.
func TestARelayedDeviceIsWhereItsBridgeIs(t *testing.T) {
	w := start(t)
	w.gateway("op-2", "operational")
	ctx, p := context.Background(), w.Part("twin-provision", "")
	via := w.bridge("bridge")
	w.owned("lamp", "press")
	in := api.NewCredential{Twin: "lamp", Run: "a.1", Kind: device.Relayed, Via: via.Ref, Name: "00-04-A3-0B-00-1C-05-30"}
	c, err := p.IssueCredential(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if c.Ref != device.RelayedRef(via.Ref, "0004a30b001c0530") || c.Via != via.Ref || c.Name != in.Name || !c.Expires.IsZero() || c.Sealed+c.Verifier+c.Fingerprint != "" {
		t.Errorf("%+v", c)
	}
	if again, err := p.IssueCredential(ctx, in); err != nil || !reflect.DeepEqual(again, c) {
		t.Errorf("asked again: %+v, %v", again, err)
	}
	other := in
	other.Name = "another"
	if _, err := p.IssueCredential(ctx, other); !errors.Is(err, api.ErrConflict) {
		t.Errorf("under another name: %v", err)
	}
	home, err := w.admin.GetAssignment(ctx, via.Ref)
	if err != nil {
		t.Fatal(err)
	}
	away := map[string]string{"op": "op-2", "op-2": "op"}[home.Gateway]
	if w.at(home.Gateway, c.Ref) != 1 || w.at(away, c.Ref) != 0 {
		t.Errorf("at its bridge's gateway %s it resolves to %d, at %s to %d", home.Gateway, w.at(home.Gateway, c.Ref), away, w.at(away, c.Ref))
	}
	if _, err := w.admin.MoveAssignment(ctx, via.Ref, api.MoveDevice{Gateway: away, Reason: "maintenance"}); err != nil {
		t.Fatal(err)
	}
	if w.at(away, c.Ref) != 1 {
		t.Error("it has not moved with its bridge")
	}
	if _, err := w.Part("connector", away).RenewCredential(ctx, c.Ref, api.Renewal{}); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), "nothing to renew") {
		t.Errorf("renewed: %v", err)
	}
	if _, err := p.AssignGateway(ctx, api.Assign{Ref: c.Ref, Twin: "lamp", Proof: api.Proof{Kind: device.Relayed, Verifiers: []string{strings.Repeat("a", 64)}}}); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("it got a place of its own: %v", err)
	}

	facts, err := w.admin.ListCredentials(ctx, "lamp")
	if err != nil || len(facts.Items) != 1 || facts.Items[0].State != api.CredentialPending || facts.Items[0].Via != via.Ref || facts.Items[0].Name != in.Name || !facts.Items[0].Expires.IsZero() {
		t.Errorf("%+v, %v", facts.Items, err)
	}
	if err := w.admin.RevokeCredential(ctx, via.Ref, "stolen"); err != nil {
		t.Fatal(err)
	}
	w.SetTime(w.Now().Add(2 * time.Minute)) // places are believed for a minute
	if w.at(away, c.Ref) != 0 {
		t.Error("who spoke for it is out, and it is still resolved")
	}
}

func TestARelayedDeviceEndsAndComesAgain(t *testing.T) {
	w := start(t)
	ctx, p := context.Background(), w.Part("twin-provision", "")
	via := w.bridge("bridge")
	in := api.NewCredential{Run: "a.1", Kind: device.Relayed, Via: via.Ref, Name: "lamp"}
	for n, end := range []func(ref device.Ref, id twin.ID) error{
		func(ref device.Ref, _ twin.ID) error { return w.admin.RevokeCredential(ctx, ref, "gone") },
		func(_ device.Ref, id twin.ID) error { return p.WithdrawCredential(ctx, id, "a.1") },
	} {
		in.Twin = twin.ID(fmt.Sprintf("lamp-%d", n))
		w.owned(in.Twin, "press")
		c, err := p.IssueCredential(ctx, in)
		if err != nil || w.at("op", c.Ref) != 1 {
			t.Fatalf("%+v, %v", c, err)
		}
		w.owned("other", "press")
		if _, err := p.IssueCredential(ctx, api.NewCredential{Twin: "other", Run: "b.1", Kind: device.Relayed, Via: via.Ref, Name: "lamp"}); !errors.Is(err, api.ErrExists) {
			t.Errorf("a second device of the name: %v", err)
		}
		w.delete("other")
		if err := end(c.Ref, in.Twin); err != nil || w.at("op", c.Ref) != 0 {
			t.Errorf("it has ended: %v, and resolves to %d", err, w.at("op", c.Ref))
		}
	}
	// Who has ended leaves nothing behind that would end the next of that name.
	w.owned("lamp-9", "press")
	in.Twin = "lamp-9"
	c, err := p.IssueCredential(ctx, in)
	w.SetTime(w.Now().Add(time.Hour))
	if _, swept := w.Part("twin-watchdog", "").Sweep(ctx, "credentials"); err != nil || swept != nil || w.at("op", c.Ref) != 1 {
		t.Errorf("%+v, %v, %v", c, err, swept)
	}
}

// What never ends by itself needs no warning: there is nobody here who could be told one.
func TestNobodyIsWarnedOfWhatNeverEnds(t *testing.T) {
	w := start(t)
	ctx, p := context.Background(), w.Part("twin-provision", "")
	w.owned("bridge", "press")
	w.owned("lamp", "press")
	via, err := p.IssueCredential(ctx, api.NewCredential{Twin: "bridge", Run: "a.1", Kind: device.Password, Username: "z2m", PublicKey: newReader(t).public,
		Topics: &api.Topics{Up: []string{"zigbee2mqtt/{device...}"}}})
	if err == nil {
		_, err = p.IssueCredential(ctx, api.NewCredential{Twin: "lamp", Run: "a.1", Kind: device.Relayed, Via: via.Ref, Name: "lamp"})
	}
	if err != nil {
		t.Fatal(err)
	}
	w.SetTime(w.Now().Add(20 * 365 * 24 * time.Hour))
	if _, err := w.Part("twin-watchdog", "").Sweep(ctx, "credentials"); err != nil {
		t.Error(err)
	}
}

// delete takes a twin's document away, as if it had never been.
func (w *world) delete(id twin.ID) {
	w.t.Helper()
	c, err := platform.OpenTwins(context.Background(), w.Base.DB)
	if err == nil {
		err = c.Delete(context.Background(), string(id))
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// No gateway keeps a relayed device out: while its twin is suspended it is nobody's.
func TestASuspendedRelayedDeviceIsNobodys(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	via := w.bridge("bridge")
	w.owned("lamp", "press")
	c, err := w.Part("twin-provision", "").IssueCredential(ctx, api.NewCredential{Twin: "lamp", Run: "a.1", Kind: device.Relayed, Via: via.Ref, Name: "lamp"})
	if err != nil {
		t.Fatal(err)
	}
	changed := w.Collect(event.CredentialChanged)
	tell := func(part string) {
		t.Helper()
		if err := w.Event("credentials", event.New("twin:lamp", event.TwinChanged, "lamp", w.Now(), api.TwinChanged{Twin: "lamp", Kind: twin.Instance, Part: part})); err != nil {
			t.Fatal(err)
		}
	}
	tell("live")
	w.edit("lamp", func(d *twin.Definition) { d.Suspended = true })
	tell("definition")
	if w.at("op", c.Ref) != 0 {
		t.Error("suspended, it is resolved")
	}
	functiontest.Eventually(t, "connectors are told, once", func() bool { return len(changed()) == 1 })
	w.edit("lamp", func(d *twin.Definition) { d.Suspended = false })
	tell("definition")
	if w.at("op", c.Ref) != 1 {
		t.Error("resumed, it is not resolved")
	}
}

// A bridge that is enrolled anew has another reference, and keeps its devices.
func TestABridgeThatIsEnrolledAnewKeepsItsDevices(t *testing.T) {
	w := start(t)
	ctx, p := context.Background(), w.Part("twin-provision", "")
	via := w.bridge("bridge")
	w.owned("lamp", "press")
	was, err := p.IssueCredential(ctx, api.NewCredential{Twin: "lamp", Run: "a.1", Kind: device.Relayed, Via: via.Ref, Name: "lamp"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.admin.RevokeCredential(ctx, via.Ref, "lost"); err != nil {
		t.Fatal(err)
	}
	next, err := p.IssueCredential(ctx, api.NewCredential{Twin: "bridge", Run: "bridge.2", Kind: device.Token, Protocol: "http", PublicKey: newReader(t).public})
	if err == nil {
		_, err = p.AssignGateway(ctx, api.Assign{Ref: next.Ref, Twin: "bridge", Proof: next.Proof()})
	}
	if err != nil {
		t.Fatal(err)
	}
	is := device.RelayedRef(next.Ref, "lamp")
	got, err := w.Part("connector", "op").Resolve(ctx, []device.Ref{was.Ref, is})
	if err != nil || len(got) != 1 || got[0].Ref != is || got[0].Twin != "lamp" || got[0].Generation != was.Generation+1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhoMayBeRelayed(t *testing.T) {
	w := start(t)
	ctx, p := context.Background(), w.Part("twin-provision", "")
	via := w.bridge("bridge")
	w.owned("lamp", "press")
	w.owned("stranger", "others")
	w.owned("lamp-2", "press")
	good := api.NewCredential{Twin: "lamp", Run: "a.1", Kind: device.Relayed, Via: via.Ref, Name: "lamp"}
	first, err := p.IssueCredential(ctx, good)
	if err != nil {
		t.Fatal(err)
	}
	for what, tt := range map[string]struct {
		change func(*api.NewCredential)
		words  string
	}{
		"a device of another group": {func(in *api.NewCredential) { in.Twin = "stranger" }, "via: there is no device"},
		"by nobody":                 {func(in *api.NewCredential) { in.Via = "nobody" }, "via: there is no device"},
		"by one that is relayed":    {func(in *api.NewCredential) { in.Twin, in.Via = "lamp-2", first.Ref }, "name that one"},
		"without via":               {func(in *api.NewCredential) { in.Via = "" }, "via: "},
		"without a name":            {func(in *api.NewCredential) { in.Name = "" }, "name must be"},
		"a name of control":         {func(in *api.NewCredential) { in.Name = "a\nb" }, "name must be"},
		"a long name":               {func(in *api.NewCredential) { in.Name = strings.Repeat("a", 257) }, "name must be"},
		"with a key":                {func(in *api.NewCredential) { in.PublicKey = newReader(t).public }, "publicKey"},
		"with topics":               {func(in *api.NewCredential) { in.Topics = &api.Topics{Up: []string{"a/{device}"}, Device: "x"} }, "topics"},
		"a token with a via":        {func(in *api.NewCredential) { in.Kind, in.PublicKey = device.Token, newReader(t).public }, "kind relayed"},
	} {
		in := good
		tt.change(&in)
		if _, err := p.IssueCredential(ctx, in); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// People see which devices a bridge speaks for, as far as they may see them.
func TestTheDevicesOfABridge(t *testing.T) {
	w := start(t)
	ctx, p := context.Background(), w.Part("twin-provision", "")
	via := w.bridge("bridge")
	for _, id := range []twin.ID{"lamp-1", "lamp-2", "lamp-3"} {
		w.owned(id, "press")
		if _, err := p.IssueCredential(ctx, api.NewCredential{Twin: id, Run: "a.1", Kind: device.Relayed, Via: via.Ref, Name: string(id)}); err != nil {
			t.Fatal(err)
		}
	}
	w.edit("lamp-2", func(d *twin.Definition) { d.Owner = "others" })
	list := func(c *api.Client) (ids string) {
		t.Helper()
		page, err := c.ListRelayed(ctx, "bridge", "")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page.Items {
			ids += fmt.Sprintf("%s=%s ", f.Twin, f.Name)
		}
		return ids
	}
	if got := list(w.admin); got != "lamp-1=lamp-1 lamp-2=lamp-2 lamp-3=lamp-3 " {
		t.Error(got)
	}
	if err := w.admin.RevokeCredential(ctx, via.Ref, "stolen"); err != nil {
		t.Fatal(err)
	}
	if got := list(w.User("ada", []access.Role{access.Owner}, "press")); got != "lamp-1=lamp-1 lamp-3=lamp-3 " {
		t.Errorf("once the bridge has no credential: %s", got)
	}
	if _, err := w.User("eve", []access.Role{access.Owner}).ListRelayed(ctx, "bridge", ""); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
}

// Topics of its own go with a device's credential to its gateway; it is good until people end it.
func TestADeviceWithTopicsOfItsOwn(t *testing.T) {
	w := start(t)
	ctx, p := context.Background(), w.Part("twin-provision", "")
	w.owned("plug", "press")
	topics := &api.Topics{Up: []string{"tele/{device}/SENSOR"}, Down: []string{"cmnd/{device}/#"}, Device: "plug_1"}
	in := api.NewCredential{Twin: "plug", Run: "a.1", Kind: device.Password, Username: "plug_1", PublicKey: newReader(t).public, Topics: topics}
	c, err := p.IssueCredential(ctx, in)
	if err == nil {
		_, err = p.AssignGateway(ctx, api.Assign{Ref: c.Ref, Twin: "plug", Proof: c.Proof()})
	}
	if err != nil {
		t.Fatal(err)
	}
	a := w.admission("op", string(c.Ref))
	if a == nil || a.Username != "plug_1" || !reflect.DeepEqual(a.Topics, topics) || !a.Expires.IsZero() || !c.Expires.IsZero() {
		t.Errorf("%+v", a)
	}
	w.edit("pump", func(d *twin.Definition) { d.Model = &twin.Model{CredentialLifetime: twin.Duration(48 * time.Hour)} })
	w.owned("plug-2", "press")
	in.Twin, in.Username = "plug-2", "plug_2"
	if c, err := p.IssueCredential(ctx, in); err != nil || !c.Expires.After(w.Now().Add(47*time.Hour)) || c.Expires.After(w.Now().Add(49*time.Hour)) {
		t.Errorf("its type says how long: %s, %v", c.Expires, err)
	}
	for what, bad := range map[string]api.Topics{
		"the platform's":            {Up: []string{"castor/{device}/telemetry"}, Device: "a"},
		"the platform's by name":    {Up: []string{"{device}/rpc"}, Device: "castor"},
		"everybody's":               {Up: []string{"tele/+/{device}"}, Device: "a"},
		"all":                       {Up: []string{"#"}, Device: "a"},
		"without the device":        {Up: []string{"tele/SENSOR"}, Device: "a"},
		"down to all":               {Up: []string{"a/{device}"}, Down: []string{"cmnd/#"}, Device: "a"},
		"a name of many levels":     {Up: []string{"a/{device}"}, Device: "a/b"},
		"a name that is a wildcard": {Up: []string{"a/{device}"}, Device: "+"},
		"a bridge of all":           {Up: []string{"{device}/rpc"}},
		"none":                      {Device: "a"},
		"the broker's":              {Up: []string{"$SYS/{device}"}, Device: "a"},
	} {
		in.Topics = &bad
		if _, err := p.IssueCredential(ctx, in); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), "topics.") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
