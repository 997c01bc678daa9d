package twiningest_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	twiningest "github.com/castor-iot/castor/functions/twin-ingest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// by sends messages as a gateway's connector.
func (w *world) by(gateway string, messages ...telemetry.Message) telemetry.Result {
	w.t.Helper()
	r, err := w.Part("connector", gateway).Ingest(context.Background(), telemetry.Batch{Gateway: gateway, Messages: messages})
	must(w.t, err)
	return r
}

// A connector's token reaches only the twins of its own gateway, whatever the batch says.
func TestAGatewaySpeaksOnlyForItsOwnDevices(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1", "pump-2")
	w.add("pump-3")
	w.Enrol("evil-9", 1, "pump-3")
	_, err := w.twins.Update(context.Background(), "pump-1", func(t *twin.Twin) error { t.Commands.Put("c-1", twin.Waiting); return nil })
	must(t, err)
	for name, before := range map[string]func(){
		"before the device was heard": func() {},
		"after":                       func() { w.stored(connection("pump-1", 0, "s1", true), measured("pump-1", 1, "rpm", 1)) },
	} {
		before()
		was, records := w.twin("pump-1"), w.records("pump-1")
		raw := telemetry.Message{Twin: "pump-1", Generation: 1, Kind: telemetry.Undecoded, Received: noon, Raw: []byte("?"), Order: twin.Order{Assigned: true}}
		r := w.by("evil-9", connection("pump-1", 9, "s9", true), measured("pump-1", 9, "rpm", 9), raw, connection("pump-1", 9, "s9", false),
			connection("pump-1", 9, "s1", false), withGeneration(measured("pump-1", 9, "rpm", 9), 1<<62), measured("pump-3", 1, "rpm", 3))
		for i, o := range r.Outcomes {
			if want := map[bool]telemetry.Outcome{true: telemetry.Stored, false: telemetry.Retry}[i == len(r.Outcomes)-1]; o != want {
				t.Errorf("%s: message %d became %s, want %s", name, i, o, want)
			}
		}
		if len(r.Commands) != 0 {
			t.Errorf("%s: it is told of commands %v", name, r.Commands)
		}
		if got := w.twin("pump-1"); !reflect.DeepEqual(got, was) {
			t.Errorf("%s: the twin changed:\n%+v\n%+v", name, was, got)
		}
		if got := w.records("pump-1"); !reflect.DeepEqual(got, records) {
			t.Errorf("%s: history has %+v", name, got)
		}
		if page, err := w.Admin().ListParked(context.Background(), "pump-1", ""); err != nil || len(page.Items) != 0 {
			t.Errorf("%s: parked: %+v, %v", name, page.Items, err)
		}
	}
	if got := w.value("pump-3", "rpm"); got != 3.0 {
		t.Errorf("its own device is not heard: %v", got)
	}
	w.stored(measured("pump-1", 2, "rpm", 2))
}

// A generation that was never issued does not shut out the device, also when both come in one batch.
func TestAGenerationMustHaveBeenIssued(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1", "pump-2")
	got := w.say(withGeneration(measured("pump-1", 1, "rpm", 1), 1<<62), measured("pump-1", 2, "rpm", 2), measured("pump-2", 1, "rpm", 1), withGeneration(measured("pump-2", 2, "rpm", 2), 2))
	if want := []telemetry.Outcome{telemetry.Retry, telemetry.Stored, telemetry.Stored, telemetry.Retry}; !reflect.DeepEqual(got, want) {
		t.Errorf("outcomes are %v, want %v", got, want)
	}
	if live := w.twin("pump-1").Live; live.Generation != 1 || live.Messages != 1 || len(w.records("pump-1")) != 1 {
		t.Errorf("the live part is %+v", live)
	}
	w.stored(measured("pump-1", 3, "rpm", 3))
	if got := w.value("pump-1", "rpm"); got != 3.0 {
		t.Errorf("the device is not heard any more: %v", got)
	}
	w.Enrol("gw-1", 2, "pump-2")
	w.pass(time.Second)
	w.stored(withGeneration(measured("pump-2", 2, "rpm", 2), 2))
}

// A device that moves is heard by its new gateway at once, by its old one a minute longer at most; the old gateway may end
// the session that it has begun, and nothing else.
func TestADeviceMoves(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	w.stored(connection("pump-1", 0, "s1", true), measured("pump-1", 1, "rpm", 1))
	w.Enrol("gw-2", 1, "pump-1")
	w.pass(time.Second)
	if got := w.by("gw-2", measured("pump-1", 2, "rpm", 2)).Outcomes; got[0] != telemetry.Stored {
		t.Fatalf("the new gateway's message became %s", got[0])
	}
	got := w.say(measured("pump-1", 3, "rpm", 3), connection("pump-1", 3, "s1", false))
	if got[0] != telemetry.Retry || got[1] != telemetry.Stored || w.twin("pump-1").Live.Presence.Connected {
		t.Errorf("the old gateway's message became %s, the end of its session %s", got[0], got[1])
	}
	if got := w.by("gw-2", connection("pump-1", 4, "s2", true)).Outcomes; got[0] != telemetry.Stored {
		t.Errorf("the new session became %s", got[0])
	}
	got = w.say(connection("pump-1", 5, "s1", false), connection("pump-1", 5, "s2", false), connection("pump-1", 5, "s3", true))
	if got[0] != telemetry.Refused || got[1] != telemetry.Retry || got[2] != telemetry.Retry || !w.twin("pump-1").Live.Presence.Connected {
		t.Errorf("what the old gateway still says became %v", got)
	}
}

// A store that fails makes the batch come again.
func TestAStoreThatCannotBeRead(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	for _, collection := range []string{"twins", "credentials", "assignments"} {
		b := w.Base
		b.DB = store.New(brokenDriver{b.DB.Driver(), collection})
		w.Base, b = b, w.Base
		w.Add("twin-ingest", twiningest.New)
		w.Base = b
		_, err := w.connector.Ingest(context.Background(), telemetry.Batch{Gateway: "gw-1", Messages: []telemetry.Message{measured("pump-1", 1, "rpm", 1)}})
		var p *api.Problem
		if !errors.As(err, &p) || p.Status != 503 {
			t.Errorf("%s: %v, want 503", collection, err)
		}
	}
	w.Add("twin-ingest", twiningest.New)
	w.stored(measured("pump-1", 1, "rpm", 1))
}

// brokenDriver reads nothing of one collection.
type brokenDriver struct {
	store.Driver
	collection string
}

func (d brokenDriver) Table(ctx context.Context, name string, indexes []store.Index) (store.Table, error) {
	t, err := d.Driver.Table(ctx, name, indexes)
	if name == d.collection {
		t = brokenTable{t}
	}
	return t, err
}

type brokenTable struct{ store.Table }

func (brokenTable) Get(context.Context, []string) ([]bson.Raw, error) {
	return nil, store.ErrUnavailable
}

// The places cost two reads when a device is first heard, then none for a minute, however much it says.
func TestPlacesAreRemembered(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	ctx := context.Background()
	count := &countingDriver{Driver: w.Base.DB.Driver()}
	b := w.Base
	b.DB = store.New(count)
	places, err := platform.OpenPlaces(ctx, platform.New(b, "twin-ingest", ""))
	must(t, err)
	for _, step := range []struct {
		what       string
		after      time.Duration
		gateway    string
		generation int64
		here       bool
		reads      int
	}{
		{"first", 0, "gw-1", 1, true, 2},
		{"again", 59 * time.Second, "gw-1", 1, true, 0},
		{"after a minute", time.Second, "gw-1", 1, true, 2},
		{"a forged generation at once", 0, "gw-1", 2, true, 0},
		{"a forged generation", time.Second, "gw-1", 2, true, 2},
		{"another gateway at once", 0, "gw-2", 1, false, 0},
		{"another gateway", time.Second, "gw-2", 1, false, 2},
		{"the right one meanwhile", 0, "gw-1", 1, true, 0},
	} {
		w.pass(step.after)
		count.reads = 0
		issued, err := places.At(ctx, step.gateway, map[twin.ID]int64{"pump-1": step.generation})
		if _, here := issued["pump-1"]; err != nil || here != step.here || here && issued["pump-1"] != 1 || count.reads != step.reads {
			t.Errorf("%s: %v, %v by %d reads, want %t by %d", step.what, issued, err, count.reads, step.here, step.reads)
		}
	}
}

type countingDriver struct {
	store.Driver
	reads int
}

func (d *countingDriver) Table(ctx context.Context, name string, indexes []store.Index) (store.Table, error) {
	t, err := d.Driver.Table(ctx, name, indexes)
	return countingTable{t, d}, err
}

type countingTable struct {
	store.Table
	d *countingDriver
}

func (t countingTable) Get(ctx context.Context, ids []string) ([]bson.Raw, error) {
	t.d.reads++
	return t.Table.Get(ctx, ids)
}
