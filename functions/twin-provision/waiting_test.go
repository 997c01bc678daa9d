package twinprovision_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// knock is that of a device with a key of its own.
func (w *world) knock(serial string, change ...func(*api.Knock)) api.Knock {
	w.t.Helper()
	k := api.Knock{Gateway: "prov", Client: "c-" + strings.ToLower(serial), Address: "192.0.2.7", Serial: serial, Model: "X1", CSR: csr(w.t)}
	for _, c := range change {
		c(&k)
	}
	return k
}

func (w *world) knocks(k api.Knock) api.ProvisionAnswer {
	w.t.Helper()
	a, err := w.prov.Knock(w.ctx, k)
	w.must(err)
	return a
}

// waits is what is in the list in a state.
func (w *world) waits(state string) []api.Waiting {
	w.t.Helper()
	page, err := w.admin.ListWaiting(w.ctx, api.WaitingQuery{State: state, Limit: 1000})
	w.must(err)
	return page.Items
}

func TestAnUnknownDeviceWaitsAndComesInWhenItIsAdmitted(t *testing.T) {
	w := start(t)
	told := w.Collect(event.ProvisionWaiting)
	ada := w.User("ada", []access.Role{access.Configurator}, "foundry")
	k := w.knock("P-7", func(k *api.Knock) { k.Facts = map[string]string{"firmware": "2.1"} })
	for range 3 {
		if a := w.knocks(k); a.Status != "pending" || a.Bundle != nil {
			t.Fatalf("it is told %+v", a)
		}
	}
	list := w.waits(api.WaitingNow)
	if len(list) != 1 || list[0].Serial != "P-7" || list[0].Facts["firmware"] != "2.1" || list[0].Address != "192.0.2.7" || list[0].Count != 1 {
		t.Fatalf("the list: %+v", list)
	}
	in := api.Admit{IDs: []string{list[0].ID}, Type: "pump", Owner: "press", Register: true, Reason: "ordered in May"}
	for range 2 { // asked again, the same came of it
		if d, err := ada.AdmitWaiting(w.ctx, in); err != nil || d.Done != 1 || len(d.Faults) > 0 {
			t.Fatalf("%+v, %v", d, err)
		}
	}
	a := w.knocks(k)
	if a.Status != "pending" || a.Run == "" {
		t.Fatalf("admitted, it is told %+v", a)
	}
	w.must(w.apply(w.run(a.Run).Results.DeviceRef))
	if a = w.knocks(k); a.Bundle == nil {
		t.Fatalf("it is told %+v\n%s", a, log(w.run(a.Run)))
	}
	if sent := w.sent(k.Client); sent.Bundle == nil {
		t.Error("it was not sent its bundle, though its connection shows no claim")
	}
	w.must(w.op.ConfirmProvisioning(w.ctx, api.Confirmation{Gateway: "op", Ref: a.Bundle.Ref, Twin: a.Bundle.Twin}))
	run := w.run(w.waits(api.WaitingAdmitted)[0].Run)
	if run.Outcome != provision.Completed || run.Owner != "press" || run.Request.Listed != list[0].ID {
		t.Fatalf("%+v\n%s", run.Request, log(run))
	}
	claim, err := w.admin.GetClaim(w.ctx, run.Request.Claim)
	if err != nil || claim.Used != 1 || claim.MaxUses != 1 || claim.Serials != "P-7" {
		t.Errorf("its claim: %+v, %v", claim, err)
	}
	if claims, err := w.admin.ListClaims(w.ctx, api.ClaimQuery{}); err != nil || len(claims.Items) != 1 {
		t.Errorf("%d claims, %v", len(claims.Items), err)
	}
	states := map[string]bool{}
	functiontest.Eventually(t, "it is told of", func() bool {
		for _, e := range told() {
			var c api.WaitingChanged
			w.must(e.Decode(&c))
			states[c.State] = true
		}
		return states[api.WaitingNow] && states[api.WaitingAdmitted]
	})
}

// A banned device costs no write, and one that was unbanned waits again. Another device is not touched.
func TestABannedDeviceIsRefusedWithoutAWrite(t *testing.T) {
	w := start(t)
	k := w.knock("P-7")
	w.knocks(k)
	id := w.waits("")[0].ID
	for range 2 {
		if d, err := w.admin.BanWaiting(w.ctx, api.Ban{IDs: []string{id}, Reason: "not ours"}); err != nil || d.Done != 1 {
			t.Fatalf("%+v, %v", d, err)
		}
	}
	c := w.Crash(-1, functiontest.Before)
	c.Run(w.World, "twin-provision", all["twin-provision"])
	w.knocks(k)
	before := c.Writes.Load()
	for range 5 {
		if a := w.knocks(k); a.Status != "rejected" || !strings.Contains(a.Reason, "banned") {
			t.Fatalf("it is told %+v", a)
		}
	}
	if n := c.Writes.Load() - before; n != 0 {
		t.Errorf("its knocks cost %d writes", n)
	}
	if d, err := w.admin.AdmitWaiting(w.ctx, api.Admit{IDs: []string{id}, Type: "pump", Owner: "press"}); err != nil || d.Done != 0 || len(d.Faults) != 1 || !strings.Contains(d.Faults[0].Reason, "unban") {
		t.Errorf("admitted: %+v, %v", d, err)
	}
	if d, err := w.admin.UnbanWaiting(w.ctx, api.Ban{IDs: []string{id}}); err != nil || d.Done != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	if a := w.knocks(k); a.Status != "pending" {
		t.Errorf("unbanned, it is told %+v", a)
	}
	w.must(w.admin.ForgetWaiting(w.ctx, id))
	if err := w.admin.ForgetWaiting(w.ctx, id); !errors.Is(err, api.ErrNotFound) || len(w.waits("")) != 0 {
		t.Errorf("forgotten: %v, %+v", err, w.waits(""))
	}
}

func TestManyAreAdmittedAtOnceAndFaultsAreTold(t *testing.T) {
	w := start(t)
	for i := range 6 {
		w.knocks(w.knock(fmt.Sprintf("P-%d", i)))
	}
	w.knocks(w.knock("Q-1", func(k *api.Knock) { k.Model = "Y" }))
	d, err := w.admin.AdmitWaiting(w.ctx, api.Admit{All: &api.WaitingFilter{Model: "X1", Serial: "P-?"}, Type: "pump", Owner: "press", Register: true})
	if err != nil || d.Done != 6 || len(d.Faults) != 0 || d.More {
		t.Fatalf("%+v, %v", d, err)
	}
	rest := w.waits(api.WaitingNow)
	if len(rest) != 1 || rest[0].Serial != "Q-1" {
		t.Fatalf("still waiting: %+v", rest)
	}
	// Without a type there must be a guess, and an id must be one.
	d, err = w.admin.AdmitWaiting(w.ctx, api.Admit{IDs: []string{rest[0].ID, strings.Repeat("0", 24)}, Owner: "press"})
	if err != nil || d.Done != 0 || len(d.Faults) != 2 || !strings.Contains(d.Faults[0].Reason, "type") {
		t.Errorf("%+v, %v", d, err)
	}
	for field, in := range map[string]api.Admit{"owner": {IDs: []string{rest[0].ID}, Owner: "nobody-s", Type: "pump"}, "type": {IDs: []string{rest[0].ID}, Owner: "press", Type: "nothing"},
		"ids": {IDs: []string{"../x"}, Owner: "press", Type: "pump"}, "one of": {Owner: "press", Type: "pump"}} {
		if _, err := w.admin.AdmitWaiting(w.ctx, in); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestTheListIsForThoseWhoBringDevicesIn(t *testing.T) {
	w := start(t)
	w.knocks(w.knock("P-7"))
	id := w.waits("")[0].ID
	for role, want := range map[access.Role]error{access.Configurator: nil, access.Owner: access.ErrDenied, access.Viewer: access.ErrDenied, access.Developer: access.ErrDenied} {
		c := w.User("u-"+string(role), []access.Role{role}, "press")
		_, err := c.ListWaiting(w.ctx, api.WaitingQuery{})
		_, err2 := c.BanWaiting(w.ctx, api.Ban{IDs: []string{id}})
		if !errors.Is(err, want) || !errors.Is(err2, want) {
			t.Errorf("%s: %v, %v, want %v", role, err, err2, want)
		}
	}
	if _, err := w.op.Knock(w.ctx, w.knock("P-8", func(k *api.Knock) { k.Gateway = "op" })); err == nil {
		t.Error("it is taken at an operational gateway")
	}
	if _, err := w.op.Knock(w.ctx, w.knock("P-8")); !errors.Is(err, access.ErrDenied) {
		t.Errorf("for another gateway: %v", err)
	}
}

// What cannot be is refused with the field's name, and never gets into the list.
func TestBadKnocksAreRefused(t *testing.T) {
	w := start(t)
	facts := map[string]string{}
	for i := range 51 {
		facts[fmt.Sprint(i)] = "x"
	}
	for name, tt := range map[string]struct {
		field  string
		change func(*api.Knock)
	}{
		"10 KB serial":          {"serial", func(k *api.Knock) { k.Serial = strings.Repeat("P", 10<<10) }},
		"no serial":             {"serial", func(k *api.Knock) { k.Serial = "" }},
		"look-alike serial":     {"serial", func(k *api.Knock) { k.Serial = "Р-7" }}, // a Cyrillic letter
		"full-width serial":     {"serial", func(k *api.Knock) { k.Serial = "Ｐ-7" }},
		"path":                  {"serial", func(k *api.Knock) { k.Serial = "../../etc/passwd" }},
		"path within":           {"serial", func(k *api.Knock) { k.Serial = "P/../../7" }},
		"control characters":    {"serial", func(k *api.Knock) { k.Serial = "P\x00" }},
		"turned text":           {"model", func(k *api.Knock) { k.Model = "X\u202e1" }},
		"invisible text":        {"maker", func(k *api.Knock) { k.Maker = "AC\u200bME" }},
		"long model":            {"model", func(k *api.Knock) { k.Model = strings.Repeat("m", 300) }},
		"bad mac":               {"mac", func(k *api.Knock) { k.MAC = "moon" }},
		"many facts":            {"facts", func(k *api.Knock) { k.Facts = facts }},
		"long fact":             {"facts", func(k *api.Knock) { k.Facts = map[string]string{"a": strings.Repeat("x", 300)} }},
		"many capabilities":     {"capabilities", func(k *api.Knock) { k.Capabilities = make([]string, 65) }},
		"bad capability":        {"capabilities", func(k *api.Knock) { k.Capabilities = []string{"<script>"} }},
		"no key":                {"csr or publicKey", func(k *api.Knock) { k.CSR = "" }},
		"bad key":               {"publicKey", func(k *api.Knock) { k.CSR, k.PublicKey = "", "AAAA" }},
		"key of the null point": {"publicKey", func(k *api.Knock) { k.CSR, k.PublicKey = "", strings.Repeat("A", 43)+"=" }},
		"bad csr":               {"csr", func(k *api.Knock) { k.CSR = "nonsense" }},
		"protocol":              {"protocol", func(k *api.Knock) { k.Protocol = "telnet" }},
		"kind":                  {"kind", func(k *api.Knock) { k.Kind = "smile" }},
		"address":               {"address", func(k *api.Knock) { k.Address = "here" }},
	} {
		if a := w.knocks(w.knock("P-7", tt.change)); a.Status != "rejected" || !strings.Contains(a.Reason, tt.field) || len(a.Reason) > 500 {
			t.Errorf("%s: it is told %.600q", name, a.Reason)
		}
	}
	if list := w.waits(""); len(list) != 0 {
		t.Errorf("in the list: %+v", list)
	}
}

// The list is bounded: who was not seen for longest gives way, and those who were banned stay.
func TestTheListIsBounded(t *testing.T) {
	w := start(t)
	type entry struct {
		api.Waiting `bson:",inline"`
		Key         string       `bson:"key"`
		Outbox      event.Outbox `bson:"outbox"`
	}
	list, err := store.Open[entry](w.ctx, w.Base.DB, store.Spec{Name: "waiting", Schema: 1, Indexes: []store.Index{
		{Name: "by-state", Fields: []string{"state", "last"}}, {Name: "by-last", Fields: []string{"last"}}, {Name: "by-claim", Fields: []string{"claim", "state"}}, {Name: "by-outbox", Fields: []string{"outbox.since"}}}})
	w.must(err)
	var some []entry
	for i := range 10_001 {
		e := entry{Waiting: api.Waiting{ID: fmt.Sprintf("%024x", i), State: api.WaitingNow, Gateway: "prov", Client: "c", Serial: fmt.Sprint("S", i), Count: 1,
			First: w.Now(), Last: w.Now().Add(time.Duration(i-20_000) * time.Second)}}
		if i == 0 {
			e.State = api.WaitingBanned
		}
		if some = append(some, e); len(some) == 5000 || i == 10_000 {
			w.must(list.PutMany(w.ctx, some))
			some = nil
		}
	}
	w.knocks(w.knock("NEW"))
	count := func() int {
		page, err := w.admin.ListWaiting(w.ctx, api.WaitingQuery{State: api.WaitingNow, Limit: 1})
		w.must(err)
		if page.Items[0].Serial != "NEW" {
			t.Errorf("seen last is %s", page.Items[0].Serial)
		}
		return page.Counts.Waiting
	}
	if n := count(); n != 10_000 {
		t.Errorf("%d wait", n)
	}
	if _, err := list.Get(w.ctx, fmt.Sprintf("%024x", 1)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the one not seen for longest: %v", err)
	}
	if e, err := list.Get(w.ctx, fmt.Sprintf("%024x", 0)); err != nil || e.State != api.WaitingBanned {
		t.Errorf("the banned one: %v", err)
	}
}

func TestGuessesSayWhy(t *testing.T) {
	w := start(t)
	w.newType("weather-station", twin.Model{Properties: []twin.Property{{Name: "wind.speed"}, {Name: "rain"}, {Name: "temperature"}}})
	for i := range 4 {
		kind := "pump"
		if i == 3 {
			kind = "weather-station"
		}
		_, err := w.admin.CreateIdentity(w.ctx, device.Identity{Serial: fmt.Sprint("K-", i), Model: "PX-200", Type: kind})
		w.must(err)
	}
	w.knocks(w.knock("A", func(k *api.Knock) { k.Model = "PX-200" }))
	w.knocks(w.knock("B", func(k *api.Knock) { k.Model, k.Capabilities = "WX", []string{"wind.speed", "rain", "gps"} }))
	w.knocks(w.knock("C", func(k *api.Knock) { k.Model = "Acme Weather Station 3" }))
	w.knocks(w.knock("D", func(k *api.Knock) { k.Model = "thing" }))
	for _, e := range w.waits("") {
		want := map[string]struct {
			kind twin.TypeID
			why  string
		}{"A": {"pump", "3 of 4 registered devices of model PX-200"}, "B": {"weather-station", "2 of its 3 capabilities"}, "C": {"weather-station", "name the type"}, "D": {}}[e.Serial]
		switch {
		case want.kind == "" && len(e.Guess) > 0:
			t.Errorf("%s: %+v", e.Serial, e.Guess)
		case want.kind != "" && (len(e.Guess) == 0 || e.Guess[0].Type != want.kind || !strings.Contains(e.Guess[0].Why, want.why) || e.Guess[0].Score <= 0 || e.Guess[0].Score > 1):
			t.Errorf("%s: %+v, want %+v", e.Serial, e.Guess, want)
		}
	}
	// Admitted without a type, each comes in as the likeliest.
	d, err := w.admin.AdmitWaiting(w.ctx, api.Admit{All: &api.WaitingFilter{Guess: "weather-station"}, Owner: "press", Register: true})
	if err != nil || d.Done != 2 {
		t.Errorf("%+v, %v", d, err)
	}
}

// An admission that nobody came by ends, and a device under another serial is not the one that was admitted.
func TestAnAdmissionEnds(t *testing.T) {
	w := start(t)
	k := w.knock("P-7")
	w.knocks(k)
	id := w.waits("")[0].ID
	admit := func() {
		w.t.Helper()
		if d, err := w.admin.AdmitWaiting(w.ctx, api.Admit{IDs: []string{id}, Type: "pump", Owner: "press"}); err != nil || d.Done != 1 {
			t.Fatalf("%+v, %v", d, err)
		}
	}
	admit()
	other := k
	other.Serial = "P-8"
	if a := w.knocks(other); a.Status != "rejected" || !strings.Contains(a.Reason, "serial") {
		t.Errorf("under another serial it is told %+v", a)
	}
	w.SetTime(w.Now().Add(8 * 24 * time.Hour))
	w.admin = w.Admin()
	w.beat()
	if a := w.knocks(k); a.Status != "pending" || a.Run != "" {
		t.Errorf("too late, it is told %+v", a)
	}
	if list := w.waits(api.WaitingNow); len(list) != 1 || !strings.Contains(list[0].Reason, "admission") || list[0].Claim != "" {
		t.Errorf("the list: %+v", list)
	}
	admit()
	if a := w.knocks(k); a.Status != "rejected" || !strings.Contains(a.Reason, "not known") { // nobody registered it
		t.Errorf("it is told %+v", a)
	}
}
