package twiningest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	twiningest "github.com/castor-iot/castor/functions/twin-ingest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// meanwhile is a store in which something happens once, as if another process had done it, while what is parked is looked through (walk)
// or before it is written (write).
type meanwhile struct {
	store.Driver
	walk, write func()
}

type watched struct {
	store.Table
	*meanwhile
}

func (m *meanwhile) Table(ctx context.Context, name string, indexes []store.Index) (store.Table, error) {
	t, err := m.Driver.Table(ctx, name, indexes)
	if err != nil || name != "parked" {
		return t, err
	}
	return watched{t, m}, nil
}

func (t watched) Walk(ctx context.Context, w store.Walk, each func(store.Hit) error) (*store.Mark, error) {
	mark, err := t.Table.Walk(ctx, w, each)
	t.walk()
	return mark, err
}

func (t watched) Write(ctx context.Context, writes []store.Write) ([]error, error) {
	t.write()
	return t.Table.Write(ctx, writes)
}

// meanwhile has twin-ingest run where something happens once while it is at work.
func (w *world) meanwhile(walk, write func()) {
	plain := w.Base.DB
	w.Base.DB = store.New(&meanwhile{plain.Driver(), onceOr(walk), onceOr(write)})
	w.Add("twin-ingest", twiningest.New)
	w.Base.DB = plain
}

func onceOr(do func()) func() {
	if do == nil {
		return func() {}
	}
	var begun atomic.Bool // what happens may come by here itself
	return func() {
		if begun.CompareAndSwap(false, true) {
			do()
		}
	}
}

// allParked is what is parked of the twin.
func (w *world) allParked(id twin.ID) []api.ParkedMessage {
	w.t.Helper()
	page, err := w.Admin().ListParked(context.Background(), id, "")
	must(w.t, err)
	return page.Items
}

// A gateway that lies about the generation of what has no twin does not shut the device out.
func TestAGenerationIsNotBelievedWhereThereIsNoTwin(t *testing.T) {
	w := newWorld(t, twin.Model{})
	m := stray(refOf("pump-1"), 1, "a")
	m.Generation = 99
	w.say(m)
	parked, err := platform.OpenParked(context.Background(), w.Base.DB)
	must(t, err)
	must(t, parked.Insert(context.Background(), api.ParkedMessage{ID: "|old", Ref: refOf("pump-1"), Kind: telemetry.Undecoded, Was: telemetry.Telemetry, Raw: []byte("b"), // kept before it was looked at
		Generation: 99, Gateway: "gw-1", Order: twin.Order{Epoch: 7, Seq: 2 * 512, Assigned: true}, Received: noon.Add(2 * time.Second)}))
	w.add("pump-1")
	if got := w.adoptAll(w.Admin(), "pump-1"); got.Adopted != 2 {
		t.Fatalf("adopted are %+v", got)
	}
	for i, p := range w.allParked("pump-1") {
		must(t, w.redriven("pump-1", became(p.ID, "temp", float64(90+i))))
	}
	if got := w.say(measured("pump-1", 60, "temp", 5)); got[0] != telemetry.Stored || w.value("pump-1", "temp") != 5.0 || w.live("pump-1").Generation != 1 {
		t.Errorf("the device's own message is %s; temp is %v, the twin is at generation %d, want 1", got[0], w.value("pump-1", "temp"), w.live("pump-1").Generation)
	}
}

// What is said of a twin that is not there is no reading of one that gets the name later.
func TestWhatIsParkedOfATwinToComeIsNotRead(t *testing.T) {
	w := newWorld(t, twin.Model{})
	m := unread("pump-1", 1, "a")
	m.Generation = 99
	w.say(m)
	w.add("pump-1")
	parked, err := platform.OpenParked(context.Background(), w.Base.DB)
	must(t, err)
	got, err := parked.FindOne(context.Background(), store.Query{Filter: store.Eq("twin", "pump-1"), Index: "by-twin"})
	if must(t, err); got.Was != "" || got.Generation != 0 || string(got.Raw) != "a" {
		t.Errorf("kept is %+v", got)
	}
}

func TestASuspendedTwinAdoptsNothing(t *testing.T) {
	w := newWorld(t, twin.Model{})
	w.say(stray(refOf("pump-1"), 1, "a"))
	w.add("pump-1")
	own := w.park(unread("pump-1", 2, "own"))
	for name, suspended := range map[string]func(d *twin.Definition){
		"by people":    func(d *twin.Definition) { d.Suspended = true },
		"by its phase": func(d *twin.Definition) { d.Suspended, d.Phase = false, twin.Suspended },
	} {
		_, err := w.twins.Update(context.Background(), "pump-1", func(t *twin.Twin) error { suspended(&t.Definition); return nil })
		must(t, err)
		if _, err := w.Admin().AdoptParked(context.Background(), "pump-1", ""); !errors.Is(err, api.ErrConflict) || !strings.Contains(fmt.Sprint(err), "castor twin resume pump-1") || w.strays("") != "a" {
			t.Errorf("suspended %s: %v, of no twin is %q", name, err, w.strays(""))
		}
	}
	must(t, w.redriven("pump-1", became(own[0].ID, "temp", 90))) // what is its own already
	if got := w.records("pump-1"); len(got) != 1 || len(w.allParked("pump-1")) != 0 {
		t.Errorf("history has %d records, parked are %+v", len(got), w.allParked("pump-1"))
	}
	_, err := w.twins.Update(context.Background(), "pump-1", func(t *twin.Twin) error {
		t.Definition.Suspended, t.Definition.Phase = false, twin.Operational
		return nil
	})
	must(t, err)
	if got := w.adoptAll(w.Admin(), "pump-1"); got.Adopted != 1 {
		t.Errorf("resumed: adopted are %+v", got)
	}
}

// A twin that goes while it adopts leaves nothing behind, and what it was to have is of no twin still.
func TestATwinThatGoesWhileItAdopts(t *testing.T) {
	tombstone := func(t *twin.Twin) error { t.Deleted, t.Kind = noon, ""; return nil }
	for name, c := range map[string]struct {
		goes func(w *world) error
		want error
		left int // are parked of it
	}{
		"it is gone":        {func(w *world) error { return w.twins.Delete(context.Background(), "pump-1") }, api.ErrNotFound, 0},
		"it is a tombstone": {func(w *world) error { _, err := w.twins.Update(context.Background(), "pump-1", tombstone); return err }, api.ErrNotFound, 0},
		"it is retired": {func(w *world) error {
			_, err := w.twins.Update(context.Background(), "pump-1", func(t *twin.Twin) error { t.Definition.Phase = twin.Retired; return nil })
			return err
		}, api.ErrConflict, 1},
	} {
		w := newWorld(t, twin.Model{})
		w.say(stray(refOf("pump-1"), 1, "a"))
		w.add("pump-1")
		w.meanwhile(nil, func() { must(t, c.goes(w)) })
		if _, err := w.Admin().AdoptParked(context.Background(), "pump-1", ""); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if got := w.allParked("pump-1"); len(got) != c.left || w.strays("") != "a" {
			t.Errorf("%s: parked of the twin are %+v, of no twin %q", name, got, w.strays(""))
		}
	}
}

// Somebody else has it adopt the same, and has that read, while the first call has just looked: it is not parked once more.
func TestTwoWhoHaveATwinAdopt(t *testing.T) {
	w := newWorld(t, twin.Model{})
	w.say(stray(refOf("pump-1"), 1, "a"))
	w.add("pump-1")
	w.meanwhile(func() {
		w.Add("twin-ingest", twiningest.New)
		w.adoptAll(w.Admin(), "pump-1")
		for _, p := range w.allParked("pump-1") {
			must(t, w.redriven("pump-1", became(p.ID, "temp", 90)))
		}
	}, nil)
	got, err := w.Admin().AdoptParked(context.Background(), "pump-1", "")
	if must(t, err); got.Adopted != 0 || got.Left != 0 || len(w.allParked("pump-1")) != 0 || w.live("pump-1").Parked != 0 || len(w.records("pump-1")) != 1 {
		t.Errorf("the second adopts %+v; parked are %+v, history has %d records", got, w.allParked("pump-1"), len(w.records("pump-1")))
	}
}
