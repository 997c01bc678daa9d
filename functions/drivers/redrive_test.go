package drivers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/drivers"
	twiningest "github.com/castor-iot/castor/functions/twin-ingest"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
	"github.com/castor-iot/castor/tests/objecttest"
)

var (
	bg = context.Background()
	at = time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)
)

// parkedWorld is the function beside twin-ingest, with a type whose driver is "th", and devices whose messages are parked.
type parkedWorld struct {
	*functiontest.World
	t       testing.TB
	twins   *store.Collection[twin.Twin]
	history *store.Collection[api.Record]
}

func newParkedWorld(t testing.TB) *parkedWorld {
	t.Helper()
	w := &parkedWorld{World: functiontest.New(t, nil), t: t}
	w.Base.Objects = objecttest.Start(t)
	w.SetTime(at)
	w.Add("twin-ingest", twiningest.New)
	w.Add("drivers", drivers.New)
	var err error
	w.twins, err = platform.OpenTwins(bg, w.Base.DB)
	w.must(err)
	w.history, err = platform.OpenHistory(bg, w.Base.DB)
	w.must(err)
	w.typeOf("pump", twin.Model{Driver: "th"})
	return w
}

func (w *parkedWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *parkedWorld) typeOf(id twin.ID, model twin.Model) {
	w.t.Helper()
	w.must(w.twins.Insert(bg, twin.Twin{ID: id, Kind: twin.Type, Definition: twin.Definition{Version: 1, Model: &model}}))
}

// device makes a twin with n parked messages, from second 1 on; the payload of each is two bytes, the first is its second.
func (w *parkedWorld) device(id twin.ID, of twin.TypeID, owner string, n int) {
	w.t.Helper()
	w.must(w.twins.Insert(bg, twin.Twin{ID: id, Kind: twin.Instance, Definition: twin.Definition{Version: 1, Type: of, Owner: owner, Phase: twin.Operational}}))
	w.Enrol("gw-1", 1, id)
	w.park(id, 1, n)
}

func (w *parkedWorld) park(id twin.ID, from, n int) {
	w.t.Helper()
	w.parkOf(id, from, from+n-1, -n)
}

// parkOf parks payloads from one to another, each so many seconds after noon as it says, and shift more.
func (w *parkedWorld) parkOf(id twin.ID, from, to, shift int) {
	w.t.Helper()
	var all []telemetry.Message
	for i := from; i <= to; i++ {
		all = append(all, telemetry.Message{Twin: id, Generation: 1, Kind: telemetry.Undecoded, Was: telemetry.Telemetry, Received: at.Add(time.Duration(i+shift) * time.Second),
			Order: twin.Order{Epoch: 1, Seq: int64(i+1000*shift) * 1024, Assigned: true}, Port: 2, Raw: []byte{byte(i), byte(i >> 8)}, Driver: "th@1.0.0", Reason: "driver th@1.0.0: too short"})
	}
	r, err := w.Part("connector", "gw-1").Ingest(bg, telemetry.Batch{Gateway: "gw-1", Messages: all})
	w.must(err)
	for _, o := range r.Outcomes {
		if o != telemetry.Parked {
			w.t.Fatalf("messages became %v", r.Outcomes)
		}
	}
}

// reads is a document that reads what device parks.
const reads = "castor: 1\nuplink:\n  port: 2\n  endian: little\n  fields:\n    - {name: n, type: u16}\n"

// publish publishes a version of driver th and has all devices use it.
func (w *parkedWorld) publish(version, document string, tests ...driver.Test) {
	w.t.Helper()
	d := driver.Driver{Name: "th", Version: version, Kind: driver.Declarative, Code: []byte(document), Tests: tests}
	if tests == nil {
		d.Tests = []driver.Test{{Call: driver.Call{Op: driver.DecodeUplink, Bytes: []byte{1, 2}, Port: 2}, Want: driver.Want{Data: map[string]any{"n": 513}}}}
	}
	_, err := w.Admin().PublishDriver(bg, api.PublishDriver{Driver: d})
	w.must(err)
	_, err = w.Admin().PromoteDriver(bg, "th", version)
	w.must(err)
}

func (w *parkedWorld) left(id twin.ID) int64 {
	w.t.Helper()
	t, err := w.twins.Get(bg, string(id))
	w.must(err)
	parked, err := platform.OpenParked(bg, w.Base.DB)
	w.must(err)
	n, err := parked.Count(bg, store.Eq("twin", id), "by-twin")
	w.must(err)
	if t.Live.Parked != int64(n) {
		w.t.Errorf("twin %s counts %d parked messages, there are %d", id, t.Live.Parked, n)
	}
	return int64(n)
}

// values are the values of property n in a twin's history.
func (w *parkedWorld) values(id twin.ID) (all []any) {
	w.t.Helper()
	w.must(w.history.Scan(bg, store.Query{Filter: store.And(store.Gte("_id", string(id)+"|0"), store.Lt("_id", string(id)+"|~"))}, func(r api.Record) error {
		for _, s := range r.Samples {
			all = append(all, s.Value)
		}
		return nil
	}))
	return all
}

// redrive asks, fires the schedule until the redrive has ended, and returns it.
func (w *parkedWorld) redrive(c *api.Client, in api.NewRedrive) api.Redrive {
	w.t.Helper()
	j, err := c.Redrive(bg, in)
	w.must(err)
	if j.State != api.JobQueued {
		w.t.Fatalf("asked for: %+v", j)
	}
	return w.wait(c, j.ID)
}

func (w *parkedWorld) wait(c *api.Client, id string) (j api.Redrive) {
	w.t.Helper()
	for range 50 {
		w.must(w.Tick("drivers", w.Now()))
		var err error
		if j, err = c.GetRedrive(bg, id); err == nil && j.State.Ended() {
			return j
		}
		w.SetTime(w.Now().Add(10 * time.Second))
	}
	w.t.Fatalf("the redrive is %+v", j)
	return j
}

func TestParkedMessagesAreReadAgain(t *testing.T) {
	w := newParkedWorld(t)
	w.device("p-1", "pump", "plant", 250)
	w.device("p-2", "pump", "plant", 3)
	w.device("p-3", "pump", "elsewhere", 3)
	w.typeOf("valve", twin.Model{Driver: "other"})
	w.device("v-1", "valve", "plant", 3)
	w.publish("1.1.0", reads)
	olga := w.User("olga", []access.Role{access.Owner}, "plant")

	j := w.redrive(olga, api.NewRedrive{Driver: "th"})
	if j.State != api.JobDone || j.Stored != 253 || j.Left != 0 || j.By != "user:olga" || j.Ended.IsZero() || j.Reason != "" {
		t.Errorf("at its end: %+v", j)
	}
	for id, want := range map[twin.ID]int64{"p-1": 0, "p-2": 0, "p-3": 3, "v-1": 3} {
		if got := w.left(id); got != want {
			t.Errorf("%d messages of %s are parked, want %d", got, id, want)
		}
	}
	got := w.values("p-1")
	if len(got) != 250 || got[0] != 1.0 || got[249] != 250.0 {
		t.Errorf("history has %d values: %.100v", len(got), got)
	}
	p, err := w.twins.Get(bg, "p-1")
	w.must(err)
	if r, _ := p.Live.Reading("n"); r.Value != 250.0 || p.Live.Late != 0 {
		t.Errorf("the twin reports %+v, %d were late", r, p.Live.Late)
	}
	list, err := olga.ListRedrives(bg, "")
	if err != nil || len(list.Items) != 1 || list.Items[0].ID != j.ID {
		t.Errorf("the list is %+v, %v", list, err)
	}
}

// Of two types that share a driver one wants its common names: what is read again in one chunk is each type's own.
func TestNormalisedDataIsReadAgain(t *testing.T) {
	w := newParkedWorld(t)
	w.typeOf("normal", twin.Model{Driver: "th", Normalised: true})
	w.device("p-1", "pump", "plant", 2)
	w.device("p-2", "normal", "plant", 2)
	w.publish("1.1.0", reads+"normalize:\n  fields:\n    - {path: n, name: level, scale: 10}\n")
	if j := w.redrive(w.Admin(), api.NewRedrive{Driver: "th"}); j.State != api.JobDone || j.Stored != 4 {
		t.Fatalf("at its end: %+v", j)
	}
	for id, want := range map[twin.ID]twin.Reading{"p-1": {Property: "n", Value: 2.0}, "p-2": {Property: "level", Value: 20.0}} {
		v, err := w.twins.Get(bg, string(id))
		w.must(err)
		if r, _ := v.Live.Reading(want.Property); len(v.Live.Reported) != 1 || r.Value != want.Value {
			t.Errorf("%s reports %+v, want %s %v", id, v.Live.Reported, want.Property, want.Value)
		}
	}
}

// What is read again is in the type's units, as it would have been at once.
func TestUnitsOfWhatIsReadAgain(t *testing.T) {
	w := newParkedWorld(t)
	w.typeOf("metric", twin.Model{Driver: "th", Properties: []twin.Property{{Name: "n", Unit: "K"}, {Name: "weight", Unit: "stone"}}})
	w.device("p-1", "pump", "plant", 1)
	w.device("p-2", "metric", "plant", 1)
	w.publish("1.1.0", strings.Replace(reads, "type: u16", "type: u16, unit: Cel", 1))
	used, err := w.Part("connector", "gw-1").ResolveDrivers(bg, []twin.ID{"p-1", "p-2"})
	if err != nil || len(used) != 2 || len(used[0].Units) != 0 || len(used[1].Units) != 1 || used[1].Units["n"] != "K" {
		t.Fatalf("connectors are told %+v, %v", used, err)
	}
	if j := w.redrive(w.Admin(), api.NewRedrive{Driver: "th"}); j.State != api.JobDone || j.Stored != 2 {
		t.Fatalf("at its end: %+v", j)
	}
	for id, want := range map[twin.ID]float64{"p-1": 1, "p-2": 274.15} {
		v, err := w.twins.Get(bg, string(id))
		w.must(err)
		if r, _ := v.Live.Reading("n"); r.Value != want {
			t.Errorf("%s reports %+v, want %v", id, v.Live.Reported, want)
		}
	}
}

// When it was measured, who brought a message may have told where the driver cannot.
func TestTheTimeOfAMessageThatIsReadAgain(t *testing.T) {
	w := newParkedWorld(t)
	w.device("p-1", "pump", "plant", 0)
	_, err := w.Part("connector", "gw-1").Ingest(bg, telemetry.Batch{Gateway: "gw-1", Messages: []telemetry.Message{{Twin: "p-1", Generation: 1, Kind: telemetry.Undecoded,
		Was: telemetry.Telemetry, Received: at, Time: at.Add(-time.Hour), Order: twin.Order{Epoch: 1, Seq: 1, Assigned: true}, Port: 2, Raw: []byte{1, 0}, Driver: "th@1.0.0"},
		{Twin: "p-1", Generation: 1, Kind: telemetry.Undecoded, Was: telemetry.State, Received: at, Order: twin.Order{Epoch: 1, Seq: 2, Assigned: true}, Raw: []byte{2, 0}}}})
	w.must(err)
	w.publish("1.1.0", reads)
	if j := w.redrive(w.Admin(), api.NewRedrive{Twin: "p-1"}); j.Stored != 1 || j.Left != 1 || !strings.Contains(j.Reason, "says of its state is of the wire contract") {
		t.Errorf("drivers read telemetry only: %+v", j)
	}
	p, err := w.twins.Get(bg, "p-1")
	w.must(err)
	if r, _ := p.Live.Reading("n"); r.Value != 1.0 || !r.At.Equal(at.Add(-time.Hour)) {
		t.Errorf("the twin reports %+v", r)
	}
}

// What the driver for a twin cannot read stays, with the new reason; what nobody can be asked about, too.
func TestWhatStaysParked(t *testing.T) {
	w := newParkedWorld(t)
	admin := w.Admin()
	w.device("p-1", "pump", "plant", 3)
	w.typeOf("wire", twin.Model{})
	w.device("w-1", "wire", "plant", 2)
	w.typeOf("plain", twin.Model{Format: "plain"})
	w.device("f-1", "plain", "plant", 2)
	for _, c := range []struct {
		of           api.NewRedrive
		stored, left int64
		reason       string
	}{
		{api.NewRedrive{Twin: "p-1"}, 0, 3, "there is no driver th: publish it"},
		{api.NewRedrive{Twin: "w-1"}, 0, 2, "type wire has neither a driver nor a format"},
		{api.NewRedrive{Type: "plain"}, 2, 0, ""},
	} {
		if j := w.redrive(admin, c.of); j.State != api.JobDone || j.Stored != c.stored || j.Left != c.left || !strings.Contains(j.Reason, c.reason) {
			t.Errorf("%+v: %+v", c.of, j)
		}
	}
	// This one reads two of the three.
	w.publish("1.1.0", "castor: 1\nuplink:\n  - port: 2\n    endian: little\n    when: {byte: 0, is: 2}\n    fields:\n      - {name: n, type: u32}\n  - port: 2\n    endian: little\n    fields:\n      - {name: n, type: u16}\n")
	j := w.redrive(admin, api.NewRedrive{Type: "pump"})
	if j.Stored != 2 || j.Left != 1 || !strings.Contains(j.Reason, "n") {
		t.Errorf("at its end: %+v", j)
	}
	page, err := admin.ListParked(bg, "p-1", "")
	if err != nil || len(page.Items) != 1 || page.Items[0].Reason != j.Reason || w.left("p-1") != 1 {
		t.Errorf("parked are %+v, %v", page.Items, err)
	}
	_, err = w.twins.Update(bg, "p-1", func(t *twin.Twin) error { t.Definition.Phase = twin.Retired; return nil })
	w.must(err)
	if j := w.redrive(admin, api.NewRedrive{Twin: "p-1"}); j.Left != 1 || j.Reason != "twin p-1 is retired" {
		t.Errorf("of a retired twin: %+v", j)
	}
}

func TestWhoMayRedrive(t *testing.T) {
	w := newParkedWorld(t)
	w.device("p-1", "pump", "plant", 1)
	w.publish("1.1.0", reads)
	olga := w.User("olga", []access.Role{access.Owner}, "plant")
	stan := w.User("stan", []access.Role{access.Owner}, "elsewhere")
	vera := w.User("vera", []access.Role{access.Viewer}, "plant")
	for name, c := range map[string]struct {
		who  *api.Client
		of   api.NewRedrive
		want error
		says string
	}{
		"nothing":            {olga, api.NewRedrive{}, twin.ErrInvalid, "one of driver, type and twin must be given"},
		"two":                {olga, api.NewRedrive{Twin: "p-1", Type: "pump"}, twin.ErrInvalid, "one of driver, type and twin must be given"},
		"no such driver":     {olga, api.NewRedrive{Driver: "nobody"}, api.ErrNotFound, ""},
		"no such type":       {olga, api.NewRedrive{Type: "nobody"}, api.ErrNotFound, ""},
		"a twin for a type":  {olga, api.NewRedrive{Type: "p-1"}, twin.ErrInvalid, "is asked for by twin"},
		"a type for a twin":  {w.Admin(), api.NewRedrive{Twin: "pump"}, twin.ErrInvalid, "is asked for by type"},
		"a foreign twin":     {stan, api.NewRedrive{Twin: "p-1"}, api.ErrNotFound, ""},
		"a viewer":           {vera, api.NewRedrive{Twin: "p-1"}, access.ErrDenied, ""},
		"ids that are none":  {olga, api.NewRedrive{Twin: "../x"}, api.ErrNotFound, ""},
		"drivers of no name": {olga, api.NewRedrive{Driver: strings.Repeat("x", 5000)}, api.ErrNotFound, ""},
	} {
		if _, err := c.who.Redrive(bg, c.of); !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v, want %v: %s", name, err, c.want, c.says)
		}
	}
	j, err := olga.Redrive(bg, api.NewRedrive{Twin: "p-1"})
	w.must(err)
	if again, err := olga.Redrive(bg, api.NewRedrive{Twin: "p-1"}); err != nil || again.ID != j.ID {
		t.Errorf("asked for again: %+v, %v", again, err)
	}
	if _, err := stan.GetRedrive(bg, j.ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a stranger gets %v, want not found", err)
	}
	if _, err := stan.CancelRedrive(bg, j.ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a stranger cancels: %v, want not found", err)
	}
	for i := range 4 {
		id := twin.ID(fmt.Sprintf("q-%d", i))
		w.device(id, "pump", "plant", 1)
		_, err := olga.Redrive(bg, api.NewRedrive{Twin: id})
		w.must(err)
	}
	w.device("q-9", "pump", "plant", 1)
	if _, err := olga.Redrive(bg, api.NewRedrive{Twin: "q-9"}); !errors.Is(err, api.ErrTooMany) {
		t.Errorf("the sixth: %v, want too many", err)
	}
	if j, err = olga.CancelRedrive(bg, j.ID); err != nil || j.State != api.JobCancelled || j.Ended.IsZero() {
		t.Errorf("cancelled: %+v, %v", j, err)
	}
	w.must(w.Tick("drivers", w.Now()))
	if w.left("p-1") != 1 || w.left("q-0") != 0 {
		t.Errorf("one that was cancelled went on, or another did not")
	}
}

// A right counts when it is used: who may no longer sign in, or no longer write a twin, has no messages read again.
func TestRightsOfARedriveThatWaits(t *testing.T) {
	w := newParkedWorld(t)
	w.device("p-1", "pump", "plant", 1)
	w.publish("1.1.0", reads)
	olga := w.User("olga", []access.Role{access.Owner}, "plant")
	j, err := olga.Redrive(bg, api.NewRedrive{Twin: "p-1"})
	w.must(err)
	_, err = w.twins.Update(bg, "p-1", func(t *twin.Twin) error { t.Definition.Owner = "elsewhere"; return nil })
	w.must(err)
	if j = w.wait(w.Admin(), j.ID); j.State != api.JobFailed || j.Reason != "user:olga may not write twin p-1 any more" || w.left("p-1") != 1 {
		t.Errorf("at its end: %+v", j)
	}
	j, err = olga.Redrive(bg, api.NewRedrive{Driver: "th"})
	w.must(err)
	w.must(w.Admin().DeleteUser(bg, "olga"))
	if j = w.wait(w.Admin(), j.ID); j.State != api.JobFailed || j.Reason != "user:olga may not sign in any more" {
		t.Errorf("at its end: %+v", j)
	}
}

// While twin-ingest is away a redrive waits and says so.
func TestARedriveWaits(t *testing.T) {
	w := newParkedWorld(t)
	w.device("p-1", "pump", "plant", 3)
	w.publish("1.1.0", reads)
	w.Crash(0, functiontest.Before).Run(w.World, "twin-ingest", twiningest.New)
	j, err := w.Admin().Redrive(bg, api.NewRedrive{Twin: "p-1"})
	w.must(err)
	w.must(w.Tick("drivers", w.Now()))
	if j, err = w.Admin().GetRedrive(bg, j.ID); err != nil || j.State != api.JobRunning || !strings.HasPrefix(j.Reason, "waits: ") {
		t.Errorf("while it waits: %+v, %v", j, err)
	}
	w.Add("twin-ingest", twiningest.New)
	w.SetTime(w.Now().Add(time.Minute))
	if j = w.wait(w.Admin(), j.ID); j.State != api.JobDone || j.Stored != 3 || j.Reason != "" || w.left("p-1") != 0 {
		t.Errorf("at its end: %+v", j)
	}
}

// What is parked while a redrive goes on is not waited for, else a device that goes on failing kept it for ever.
func TestARedriveEnds(t *testing.T) {
	w := newParkedWorld(t)
	w.device("p-1", "pump", "plant", 3)
	w.publish("1.1.0", reads)
	j, err := w.Admin().Redrive(bg, api.NewRedrive{Type: "pump"})
	w.must(err)
	w.SetTime(at.Add(2 * time.Minute))
	w.park("p-1", 100, 2) // 98 s later
	w.park("p-1", 4, 5)   // 3 s later, and before
	if j = w.wait(w.Admin(), j.ID); j.Stored != 3+2 || w.left("p-1") != 2+3 {
		t.Errorf("at its end: %+v, %d are parked", j, w.left("p-1"))
	}
}

// A driver that fails gravely soon gets no more of a twin's messages, and still those of others; one that goes on so ends the redrive.
func TestARedriveByADriverThatFailsGravely(t *testing.T) {
	w := newParkedWorld(t)
	code := "function decodeUplink(i) { if (i.bytes[0] > 50 && i.bytes[0] < 100) throw 'no'; return {data: {n: i.bytes[0] < 100 ? i.bytes[0] : new ArrayBuffer(1e9).byteLength}} }"
	_, err := w.Admin().PublishDriver(bg, api.PublishDriver{Driver: driver.Driver{Name: "th", Version: "1.1.0", Kind: driver.JavaScript, Code: []byte(code),
		Tests: []driver.Test{{Call: driver.Call{Op: driver.DecodeUplink, Bytes: []byte{1}}, Want: driver.Want{Data: map[string]any{"n": 1}}}}}})
	w.must(err)
	_, err = w.Admin().PromoteDriver(bg, "th", "1.1.0")
	w.must(err)
	w.device("a-1", "pump", "plant", 2)
	w.park("a-1", 100, 60)
	w.device("b-1", "pump", "plant", 3)
	w.SetTime(at.Add(time.Hour))
	j := w.redrive(w.Admin(), api.NewRedrive{Driver: "th"})
	if j.State != api.JobDone || j.Stored != 2+3 || j.Left != 60 || !strings.HasPrefix(j.Reason, "memory: ") || w.left("a-1") != 60 || w.left("b-1") != 0 {
		t.Errorf("at its end: %+v", j)
	}
	// Of one twin each message is counted once, although some were left before the driver failed gravely.
	w.device("d-1", "pump", "plant", 0)
	w.parkOf("d-1", 51, 99, 0)
	w.parkOf("d-1", 51, 99, 100)
	w.parkOf("d-1", 100, 130, 200)
	if j = w.redrive(w.Admin(), api.NewRedrive{Twin: "d-1"}); j.Left != 49+49+31 || w.left("d-1") != 49+49+31 {
		t.Errorf("at its end: %+v", j)
	}
	// How many are tried of each twin depends on how quick the driver fails: with so many twins it is enough in any case.
	for _, id := range []twin.ID{"a-2", "a-3", "a-4", "a-5"} {
		w.device(id, "pump", "plant", 0)
		w.park(id, 100, 30)
	}
	j = w.redrive(w.Admin(), api.NewRedrive{Driver: "th"})
	if j.State != api.JobFailed || !strings.HasPrefix(j.Reason, "driver th 1.1.0 fails gravely with what is parked, the last time of twin a-") || !strings.Contains(j.Reason, ": memory") || w.left("a-5") != 30 {
		t.Errorf("at its end: %+v", j)
	}
}

// Many run the schedule at once, and each message is read and counted once.
func TestManyReplicasRedrive(t *testing.T) {
	w := newParkedWorld(t)
	w.publish("1.1.0", reads)
	for i := range 6 {
		w.device(twin.ID(fmt.Sprintf("p-%d", i)), "pump", "plant", 120)
	}
	j, err := w.Admin().Redrive(bg, api.NewRedrive{Type: "pump"})
	w.must(err)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			if err := w.Tick("drivers", w.Now()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if j = w.wait(w.Admin(), j.ID); j.Stored != 720 || j.Left != 0 || len(w.values("p-5")) != 120 {
		t.Errorf("at its end: %+v", j)
	}
}

// A crash at any write of the function's, and another instance that goes on: each message is in history once, and counted.
func TestACrashOfARedrive(t *testing.T) {
	w := newParkedWorld(t)
	w.publish("1.1.0", reads)
	for n := 0; ; n++ {
		for _, how := range functiontest.Ways {
			id := twin.ID(fmt.Sprintf("c-%d-%d", n, how))
			w.device(id, "pump", "plant", 150)
			j, err := w.Admin().Redrive(bg, api.NewRedrive{Twin: id})
			w.must(err)
			c := w.Crash(n, how)
			c.Base.Objects = w.Base.Objects
			c.Run(w.World, "drivers", drivers.New)
			_ = w.Tick("drivers", w.Now())
			came := c.Came()
			w.Add("drivers", drivers.New)
			w.SetTime(w.Now().Add(2 * time.Minute))
			if j, err = w.Admin().GetRedrive(bg, j.ID); err != nil || !j.State.Ended() {
				j = w.wait(w.Admin(), j.ID)
			}
			if got := w.values(id); j.State != api.JobDone || j.Stored != 150 || j.Left != 0 || j.Gone != 0 || len(got) != 150 || w.left(id) != 0 {
				t.Errorf("a crash at write %d, way %d: %+v, history has %d values", n, how, j, len(got))
			}
			if !came {
				return
			}
		}
	}
}
