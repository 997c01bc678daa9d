package twiningest_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	twiningest "github.com/castor-iot/castor/functions/twin-ingest"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// noon is when the tests take place.
var noon = time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)

// world is the function with a type and twins of it.
type world struct {
	*functiontest.World
	t         testing.TB
	twins     *store.Collection[twin.Twin]
	history   *store.Collection[api.Record]
	rules     *store.Collection[monitor.Rule]
	connector *api.Client
}

func newWorld(t testing.TB, model twin.Model, ids ...twin.ID) *world {
	t.Helper()
	return worldOf(t, functiontest.New(t, functiontest.Functions{"twin-ingest": twiningest.New}), model, ids...)
}

// worldOf is the world of functions that run already.
func worldOf(t testing.TB, running *functiontest.World, model twin.Model, ids ...twin.ID) *world {
	t.Helper()
	w := &world{World: running, t: t}
	w.SetTime(noon)
	ctx, db := context.Background(), w.Base.DB
	var err error
	if w.twins, err = platform.OpenTwins(ctx, db); err != nil {
		t.Fatal(err)
	}
	if w.history, err = platform.OpenHistory(ctx, db); err != nil {
		t.Fatal(err)
	}
	if w.rules, err = platform.OpenRules(ctx, db); err != nil {
		t.Fatal(err)
	}
	must(t, w.twins.Insert(ctx, twin.Twin{ID: "pump", Kind: twin.Type, Definition: twin.Definition{Version: 1, Model: &model}}))
	w.add(ids...)
	w.connector = w.Part("connector", "gw-1")
	return w
}

// add makes twins of the type.
func (w *world) add(ids ...twin.ID) {
	w.t.Helper()
	for _, id := range ids {
		must(w.t, w.twins.Insert(context.Background(), twin.Twin{ID: id, Kind: twin.Instance, Created: noon, Definition: twin.Definition{Version: 1, Type: "pump",
			Owner: "plant", Phase: twin.Operational, Location: &twin.Location{Site: "hall 3"}}}))
	}
	w.Enrol("gw-1", 1, ids...)
}

// say sends messages and returns what became of them.
func (w *world) say(messages ...telemetry.Message) []telemetry.Outcome {
	w.t.Helper()
	r, err := w.connector.Ingest(trace.With(context.Background(), "test"), telemetry.Batch{Gateway: "gw-1", Messages: messages})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.Outcomes
}

// stored is say, and all must be stored.
func (w *world) stored(messages ...telemetry.Message) {
	w.t.Helper()
	for i, o := range w.say(messages...) {
		if o != telemetry.Stored {
			w.t.Fatalf("message %d became %s", i, o)
		}
	}
}

func (w *world) twin(id twin.ID) twin.Twin {
	w.t.Helper()
	t, err := w.twins.Get(context.Background(), string(id))
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

func (w *world) value(id twin.ID, property string) any {
	t := w.twin(id)
	r, _ := t.Live.Reading(property)
	return r.Value
}

// records is a twin's history without the places that undated messages keep.
func (w *world) records(id twin.ID) (all []api.Record) {
	w.t.Helper()
	err := w.history.Scan(context.Background(), store.Query{Filter: store.And(store.Gte("_id", string(id)+"|0"), store.Lt("_id", string(id)+"|~"))},
		func(r api.Record) error { all = append(all, r); return nil })
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func (w *world) rule(id string, target twin.ID, condition string, change ...func(*monitor.Rule)) {
	w.t.Helper()
	c, err := monitor.ParseCondition(condition)
	if err != nil {
		w.t.Fatal(err)
	}
	r := monitor.Rule{ID: id, Version: 1, Target: target, Condition: c, Severity: monitor.Warning}
	for _, f := range change {
		f(&r)
	}
	if err := w.rules.PutMany(context.Background(), []monitor.Rule{r}); err != nil {
		w.t.Fatal(err)
	}
	w.pass(6 * time.Second) // caches end
}

func (w *world) pass(d time.Duration) { w.SetTime(w.Now().Add(d)) }

func (w *world) tick(ids ...twin.ID) {
	w.t.Helper()
	if err := w.Part("twin-monitor", "").Tick(context.Background(), api.Tick{Planned: w.Now(), Twins: ids}); err != nil {
		w.t.Fatal(err)
	}
}

// measured is a message that came by noon's clock, s seconds after it, in the device's own order.
func measured(id twin.ID, s int, property string, value any) telemetry.Message {
	at := noon.Add(time.Duration(s) * time.Second)
	return telemetry.Message{Twin: id, Generation: 1, Kind: telemetry.Telemetry, Time: at, Received: at, Order: twin.Order{Epoch: 1, Seq: int64(s)},
		Samples: []telemetry.Sample{{Property: property, Value: value}}}
}

func TestAReadingReachesHistoryAndTwin(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1", "pump-2")
	w.stored(measured("pump-1", 1, "rpm", 1200), measured("pump-2", 1, "on", true), measured("pump-1", 2, "rpm", 1300.5))

	if got := w.value("pump-1", "rpm"); got != 1300.5 {
		t.Errorf("rpm is %v, want 1300.5", got)
	}
	if got := w.value("pump-2", "on"); got != true {
		t.Errorf("on is %v, want true", got)
	}
	if got := w.records("pump-1"); len(got) != 2 || got[0].Samples[0].Value != 1200.0 || got[0].At != noon.Add(time.Second) {
		t.Errorf("history is %+v", got)
	}
	live := w.twin("pump-1").Live
	if live.Messages != 2 || live.Last.Seq != 2 || live.Generation != 1 || live.Presence.LastSeen != noon.Add(2*time.Second) {
		t.Errorf("live part is %+v", live)
	}
}

// What a connector sends again after a lost answer, and what a device sends again after a lost acknowledgement.
func TestDuplicatesChangeNothing(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	w.rule("hot", "pump", "temp > 80")
	assigned := measured("pump-1", 4, "level", 3)
	assigned.Order = twin.Order{Epoch: 77, Seq: 1, Assigned: true}
	batch := []telemetry.Message{
		connection("pump-1", 0, "s1", true), measured("pump-1", 1, "temp", 90), measured("pump-1", 2, "temp", 70), stated(measured("pump-1", 3, "old", nil)),
		assigned, {Twin: "pump-1", Generation: 1, Kind: telemetry.Event, Received: noon, Order: twin.Order{Epoch: 1, Seq: 9},
			Samples: []telemetry.Sample{{Property: "event", Value: "filter changed"}}},
		{Twin: "pump-1", Generation: 1, Kind: telemetry.Undecoded, Received: noon, Raw: []byte{1}, Reason: "no codec", Order: twin.Order{Assigned: true, Seq: 3}},
	}
	w.say(batch...)
	before, records := w.twin("pump-1"), w.records("pump-1")
	for range 2 {
		w.say(batch...)
	}
	if after := w.twin("pump-1"); !reflect.DeepEqual(after, before) {
		t.Errorf("the twin changed:\n%+v\n%+v", before, after)
	}
	if got := w.records("pump-1"); !reflect.DeepEqual(got, records) || len(got) != 6 {
		t.Errorf("history has %d records, had %d", len(got), len(records))
	}
	// The device sends again in a new session: the connector assigns other numbers, the content is the same.
	assigned.Order = twin.Order{Epoch: 78, Seq: 5, Assigned: true}
	w.stored(assigned)
	if got := w.records("pump-1"); len(got) != 6 {
		t.Errorf("history has %d records after the same reading came by another session, want 6", len(got))
	}
	if got := w.twin("pump-1").Live; got.Messages != before.Live.Messages || got.Version != before.Live.Version {
		t.Errorf("the same reading by another session counted: %+v", got)
	}
}

func TestLateMessagesEnterHistoryAndLeaveStateAlone(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	unordered := func(id int64, s int, v any) telemetry.Message {
		m := measured("pump-1", s, "level", v)
		m.Order = twin.Order{Epoch: 5, Seq: id, Assigned: true}
		return m
	}
	w.stored(measured("pump-1", 10, "rpm", 10), measured("pump-1", 5, "rpm", 5), measured("pump-1", 4, "hum", 44), unordered(1, 10, 10), unordered(2, 5, 5))
	if got := w.value("pump-1", "rpm"); got != 10.0 {
		t.Errorf("rpm went back to %v", got)
	}
	if got := w.value("pump-1", "hum"); got != 44.0 {
		t.Errorf("hum is %v; a late message may still be the newest of its property", got)
	}
	if got := w.value("pump-1", "level"); got != 10.0 {
		t.Errorf("level went back to %v by a late message of a device without numbers", got)
	}
	if got := w.records("pump-1"); len(got) != 5 {
		t.Errorf("history has %d records, want 5", len(got))
	}
	if got := w.twin("pump-1").Live.Late; got != 2 {
		t.Errorf("late is %d, want 2", got)
	}
	// A property that the device removed is not brought back by what came before.
	w.stored(stated(measured("pump-1", 20, "rpm", nil)), measured("pump-1", 15, "rpm", 15))
	if got := w.value("pump-1", "rpm"); got != nil {
		t.Errorf("rpm is back: %v", got)
	}
	w.stored(measured("pump-1", 21, "rpm", 21))
	if got := w.value("pump-1", "rpm"); got != 21.0 {
		t.Errorf("rpm is %v, want 21", got)
	}
}

// A reading dated 2099 or 1970 is kept and flagged, found where it arrived, and freezes nothing.
func TestWrongClocks(t *testing.T) {
	w := newWorld(t, twin.Model{})
	for name, c := range map[string]struct {
		year int
		flag twin.Flag
	}{"ahead": {2099, twin.ClockAhead}, "never-set": {1970, twin.ClockUnset}, "before-the-epoch": {1901, twin.ClockUnset}} {
		for _, assigned := range []bool{false, true} {
			id := twin.ID(fmt.Sprintf("%s-%t", name, assigned))
			w.add(id)
			wrong, right := measured(id, 1, "rpm", 1), measured(id, 2, "rpm", 2)
			wrong.Time = time.Date(c.year, 1, 1, 0, 0, 0, 0, time.UTC)
			wrong.Order.Assigned, right.Order.Assigned = assigned, assigned
			w.stored(wrong)
			if r, _ := w.live(id).Reading("rpm"); r.Flag != c.flag || !r.At.Equal(wrong.Time) {
				t.Errorf("%s: reading is %+v, want flag %s", id, r, c.flag)
			}
			w.stored(right)
			if got := w.value(id, "rpm"); got != 2.0 {
				t.Errorf("%s: rpm is frozen at %v", id, got)
			}
			got := w.records(id)
			if len(got) != 2 || got[0].Flag != c.flag || !got[0].At.Equal(wrong.Time) || got[1].Flag != "" {
				t.Errorf("%s: history is %+v", id, got)
			}
		}
	}
}

func (w *world) live(id twin.ID) *twin.Live {
	t := w.twin(id)
	return &t.Live
}

// A device that numbers its messages but has no clock sends again what a crash left unanswered: history has it once.
func TestUndatedMessagesSentAgain(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	m := measured("pump-1", 1, "rpm", 1)
	m.Time = time.Time{}
	w.stored(m)
	m.Received = noon.Add(time.Hour)
	w.pass(time.Hour)
	w.stored(m, m)
	if got := w.records("pump-1"); len(got) != 1 || !got[0].Received.Equal(noon.Add(time.Second)) {
		t.Errorf("history is %+v, want the first alone", got)
	}
}

// Devices whose clock steps back and repeats stamps with other values: each is a reading of its own.
func TestRepeatedStamps(t *testing.T) {
	for _, assigned := range []bool{false, true} {
		w := newWorld(t, twin.Model{}, "pump-1")
		var all []telemetry.Message
		for i, s := range []int{1, 2, 2, 1, 3} {
			m := measured("pump-1", s, "temp", float64(i))
			m.Order = twin.Order{Epoch: 1, Seq: int64(i + 1), Assigned: assigned}
			all = append(all, m)
		}
		w.stored(all...)
		if got := w.records("pump-1"); len(got) != 5 {
			t.Errorf("assigned %t: history has %d records, want 5", assigned, len(got))
		}
		if got := w.value("pump-1", "temp"); got != 4.0 {
			t.Errorf("assigned %t: temp is %v, want 4", assigned, got)
		}
	}
}

func TestWhatIsParkedAndRefused(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1", "pump-2")
	w.Enrol("gw-1", 3, "pump-1")
	w.stored(withGeneration(measured("pump-1", 1, "rpm", 1), 3))
	if _, err := w.twins.Update(context.Background(), "pump-2", func(t *twin.Twin) error { t.Definition.Phase = twin.Retired; return nil }); err != nil {
		t.Fatal(err)
	}
	raw := telemetry.Message{Twin: "pump-1", Generation: 3, Kind: telemetry.Undecoded, Received: noon, Raw: []byte("\x00garbage"), Reason: "not JSON", Topic: "t"}
	for name, c := range map[string]struct {
		m    telemetry.Message
		want telemetry.Outcome
	}{
		"bytes that cannot be decoded are parked":       {raw, telemetry.Parked},
		"a twin that is not there":                      {measured("nobody", 1, "rpm", 1), telemetry.Parked},
		"a type is no twin of a device":                 {measured("pump", 1, "rpm", 1), telemetry.Parked},
		"no twin at all":                                {telemetry.Message{Kind: telemetry.Undecoded, Raw: []byte("x")}, telemetry.Parked},
		"an id that cannot be one":                      {measured("../x", 1, "rpm", 1), telemetry.Parked},
		"a mapping that was replaced":                   {withGeneration(measured("pump-1", 2, "rpm", 2), 2), telemetry.Refused},
		"a retired twin":                                {measured("pump-2", 1, "rpm", 1), telemetry.Refused},
		"an infinite number":                            {withGeneration(measured("pump-1", 3, "rpm", infinity()), 3), telemetry.Parked},
		"a list for a value":                            {withGeneration(measured("pump-1", 4, "rpm", []any{1}), 3), telemetry.Parked},
		"a property without a name":                     {withGeneration(measured("pump-1", 5, "", 1), 3), telemetry.Parked},
		"a kind that is not known":                      {withGeneration(telemetry.Message{Twin: "pump-1", Kind: "gossip"}, 3), telemetry.Parked},
		"presence without a session":                    {withGeneration(connection("pump-1", 1, "", true), 3), telemetry.Parked},
		"a message with nothing in it still is contact": {withGeneration(telemetry.Message{Twin: "pump-1", Kind: telemetry.Log}, 3), telemetry.Stored},
	} {
		if got := w.say(c.m); len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
	if got := w.value("pump-1", "rpm"); got != 1.0 {
		t.Errorf("rpm is %v, want 1", got)
	}
	page, err := w.Admin().ListParked(context.Background(), "pump-1", "")
	if err != nil || len(page.Items) != 6 {
		t.Fatalf("%d parked, %v; want 6", len(page.Items), err)
	}
	found := false
	for _, p := range page.Items {
		found = found || string(p.Raw) == "\x00garbage" && p.Reason == "not JSON" && p.Gateway == "gw-1"
	}
	if !found {
		t.Errorf("parked are %+v", page.Items)
	}
	if page, err = w.Admin().ListParked(context.Background(), "nobody", ""); err != nil || len(page.Items) != 1 {
		t.Errorf("parked of a twin that is not there: %+v, %v", page.Items, err)
	}
	mine, other := w.User("ada", []access.Role{access.Owner}, "plant"), w.User("eve", []access.Role{access.Owner}, "shop")
	if page, err = mine.ListParked(context.Background(), "pump-1", ""); err != nil || len(page.Items) != 6 {
		t.Errorf("the owner sees %d, %v", len(page.Items), err)
	}
	for _, id := range []twin.ID{"pump-1", "nobody", ""} {
		if _, err := other.ListParked(context.Background(), id, ""); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("a stranger asking for %q: %v, want not found", id, err)
		}
	}
	if _, err := mine.ListParked(context.Background(), "pump-1", "nonsense"); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("a bad cursor: %v", err)
	}
}

func withGeneration(m telemetry.Message, g int64) telemetry.Message {
	m.Generation = g
	return m
}

func infinity() float64 {
	big := 1e308
	return big * 10
}

// Whatever a device says about the time, and however much text it reports, its twin can be written and read.
func TestDevicesThatExaggerate(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	for i, at := range []time.Time{time.UnixMilli(1 << 60), time.UnixMilli(-1 << 60), time.Date(9999, 12, 31, 23, 59, 59, 1e9-1, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)} {
		m := measured("pump-1", i+1, fmt.Sprint("t", i), 1)
		m.Time = at
		// Such times cannot be written as text, which is what the client sends; CBOR numbers can say them.
		if _, err := json.Marshal(at); err != nil {
			continue
		}
		w.stored(m)
	}
	raw, err := hex.DecodeString("a2" + "6767617465776179" + "6467772d31" + "686d65737361676573" + "81" + "a4" + // {gateway: "gw-1", messages: [{
		"647477696e" + "6670756d702d31" + "646b696e64" + "6974656c656d65747279" + "6474696d65" + "1b000000e8d4a51000" + // twin, kind, time: 10^12
		"6773616d706c6573" + "81" + "a2" + "6170" + "6466617221" + "6176" + "01") // samples: [{p: "far!", v: 1}]
	must(t, err)
	must(t, w.connector.Call(context.Background(), "POST", "twin-ingest", "/batches", api.Raw{ContentType: "application/cbor", Body: raw}, nil))
	long := strings.Repeat("é", telemetry.MaxText/2)
	for i := range 5 {
		m := measured("pump-1", 10+i, "x", 1)
		m.Samples = nil
		for k := range telemetry.MaxSamples {
			m.Samples = append(m.Samples, telemetry.Sample{Property: fmt.Sprintf("text-%d-%d", i, k), Value: long})
		}
		w.stored(m)
	}
	live := w.twin("pump-1").Live
	if _, err := json.Marshal(live); err != nil {
		t.Errorf("the twin cannot be told: %v", err)
	}
	if len(live.Reported) != twin.MaxProperties {
		t.Errorf("%d properties, want %d", len(live.Reported), twin.MaxProperties)
	}
	for _, r := range w.records("pump-1") {
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("a record cannot be told: %v", err)
		}
	}
}

func TestWhoMayIngest(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	ctx := context.Background()
	batch := telemetry.Batch{Gateway: "gw-1", Messages: []telemetry.Message{measured("pump-1", 1, "rpm", 1)}}
	for name, c := range map[string]*api.Client{"a maintainer": w.Admin(), "another gateway's connector": w.Part("connector", "gw-2"),
		"another part": w.Part("twin-monitor", ""), "nobody": w.Nobody()} {
		if _, err := c.Ingest(ctx, batch); !errors.Is(err, access.ErrDenied) && !errors.Is(err, access.ErrUnauthenticated) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
		if err := c.Tick(ctx, api.Tick{}); name != "another part" && !errors.Is(err, access.ErrDenied) && !errors.Is(err, access.ErrUnauthenticated) {
			t.Errorf("tick by %s: %v, want a refusal", name, err)
		}
	}
	batch.Messages = make([]telemetry.Message, telemetry.MaxBatch+1)
	if _, err := w.connector.Ingest(ctx, batch); !errors.Is(err, api.ErrTooLarge) {
		t.Errorf("a batch over the bound: %v", err)
	}
	for name, body := range map[string]any{"JSON of another form": map[string]any{"messages": "x"}, "CBOR of another form": api.CBOR{Value: []int{1}},
		"broken CBOR": api.Raw{ContentType: "application/cbor", Body: []byte{0x9f, 0xff, 0x00}}, "nothing": nil} {
		var p *api.Problem
		if err := w.connector.Call(ctx, "POST", "twin-ingest", "/batches", body, nil); !errors.As(err, &p) || p.Status >= 500 {
			t.Errorf("%s: %v, want a 4xx", name, err)
		}
	}
	if err := w.Part("twin-monitor", "").Tick(ctx, api.Tick{Twins: []twin.ID{"../x"}}); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("tick of a bad id: %v", err)
	}
}

// A device that came with numbers from the future, or that has taken another's place, counts from its own beginning once it
// was enrolled anew.
func TestAnewEnrolledDeviceCountsAnew(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	far := withGeneration(measured("pump-1", 1, "rpm", 1.0), 1)
	far.Order.Epoch = 1 << 60
	w.stored(far)
	w.stored(withGeneration(measured("pump-1", 2, "rpm", 2.0), 1))
	if got := w.value("pump-1", "rpm"); got != 1.0 {
		t.Fatalf("within one enrolment an older number moves the state to %v", got)
	}
	w.Enrol("gw-1", 2, "pump-1")
	w.pass(time.Second)
	w.stored(withGeneration(measured("pump-1", 3, "rpm", 3.0), 2))
	if got := w.value("pump-1", "rpm"); got != 3.0 {
		t.Errorf("after the new enrolment the twin reports %v, want 3", got)
	}
}
