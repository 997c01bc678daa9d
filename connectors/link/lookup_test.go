package link

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/twin"
)

// A registry says how twins' payloads are read, and notes about which it was asked, call by call.
type registry struct {
	mu      sync.Mutex
	used    map[twin.ID]api.UsedDriver
	calls   [][]twin.ID
	calling func() // before an answer, after what it says was read
}

func (r *registry) ask(_ context.Context, ids []twin.ID) (map[twin.ID]api.UsedDriver, error) {
	r.mu.Lock()
	out := make(map[twin.ID]api.UsedDriver, len(ids))
	for _, id := range ids {
		out[id] = r.used[id]
	}
	r.calls = append(r.calls, ids)
	calling := r.calling
	r.mu.Unlock()
	if calling != nil {
		calling()
	}
	return out, nil
}

// asked are the twins that were asked about since the last time.
func (r *registry) asked() (all []twin.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all = slices.Concat(r.calls...)
	slices.Sort(all)
	r.calls = nil
	return all
}

// of has some twins in the registry, each with the driver and the type named.
func registryOf(used map[twin.ID][2]string) *registry {
	r := &registry{used: make(map[twin.ID]api.UsedDriver)}
	for id, u := range used {
		r.used[id] = api.UsedDriver{Twin: id, Name: u[0], Type: twin.TypeID(u[1])}
	}
	return r
}

func resolving(t *testing.T, r *registry) (*drivers, *clock) {
	t.Helper()
	w, now := linktest.NewWorld(t), &clock{at: time.Now()}
	l, err := New(Config{
		Gateway: api.Gateway{ID: w.Gateway, Phase: "operational", Protocol: "test", URL: "test://here"},
		API:     w.API, Bus: w.Bus, Protocol: deaf{}, Log: linktest.Quiet, Now: now.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.stop)
	d := &drivers{lookup: newLookup(l, "", r.ask)}
	go d.run(l.work)
	return d, now
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func driverChanged(name string) event.Event {
	return event.New("d#1", event.DriverChanged, name, time.Now(), api.DriverChanged{Name: name})
}

func typeChanged(id twin.ID) event.Event {
	return event.New("t#1", event.TypeChanged, string(id), time.Now(), api.TwinChanged{Twin: id})
}

// What changes concerns the twins that it is about: of others nothing is asked again.
func TestAChangeHasItsOwnTwinsAskedForOnly(t *testing.T) {
	r := registryOf(map[twin.ID][2]string{"a": {"acme", "pump"}, "b": {"acme", "fan"}, "c": {"other", "lamp"}, "d": {"", "lamp"}, "e": {"", ""}})
	d, now := resolving(t, r)
	all := []twin.ID{"a", "b", "c", "d", "e"}
	look := func() []twin.ID {
		for _, id := range all {
			d.get(id, nil)
		}
		return r.asked()
	}
	if got := look(); !slices.Equal(got, all) {
		t.Fatalf("at first it asks about %v", got)
	}
	for _, c := range []struct {
		what string
		e    event.Event
		want []twin.ID
	}{
		{"a driver", driverChanged("acme"), []twin.ID{"a", "b"}},
		{"a type", typeChanged("lamp"), []twin.ID{"c", "d", "e"}}, // of e nobody says what it is
		{"a driver that nobody uses", driverChanged("unused"), nil},
		{"what is not said", event.New("d#2", event.DriverChanged, "", time.Now(), nil), all},
	} {
		d.changed(c.e)
		if got := look(); !slices.Equal(got, c.want) {
			t.Errorf("after a change of %s it asks about %v, want %v", c.what, got, c.want)
		}
		now.pass(settling) // and what was believed for a short time
		look()
		now.pass(negative)
		look()
	}
}

// Until all replicas of the registry have heard of a change, what they say of it is believed for a short time only.
func TestAnAnswerSoonAfterAChangeIsAskedAgain(t *testing.T) {
	r := registryOf(map[twin.ID][2]string{"a": {"acme", "pump"}, "c": {"other", "lamp"}})
	d, now := resolving(t, r)
	d.get("a", nil)
	d.changed(driverChanged("acme"))
	d.get("a", nil)
	d.get("c", nil)
	r.asked()
	for _, want := range [][]twin.ID{{"a"}, {"a"}, {"a"}, nil, nil} {
		now.pass(negative)
		d.get("a", nil)
		d.get("c", nil)
		if got := r.asked(); !slices.Equal(got, want) {
			t.Errorf("it asks about %v, want %v", got, want)
		}
	}
}

// An answer to a call that a change overtook is void, and those in the same call that it is not about are not.
func TestAnAnswerThatAChangeOvertookIsAskedAgain(t *testing.T) {
	for name, change := range map[string]func(*drivers){
		"a driver":       func(d *drivers) { d.changed(driverChanged("acme")) },
		"its firmware":   func(d *drivers) { d.forget("a") },
		"of many things": func(d *drivers) { d.changed(driverChanged("acme")); many(d) },
	} {
		r := registryOf(map[twin.ID][2]string{"a": {"acme", "pump"}, "c": {"other", "lamp"}})
		d, _ := resolving(t, r)
		var once sync.Once
		r.calling = func() {
			once.Do(func() {
				r.mu.Lock()
				r.used["a"] = api.UsedDriver{Twin: "a", Name: "acme", Version: "2.0.0", Type: "pump"}
				r.mu.Unlock()
				change(d)
			})
		}
		d.prepare([]twin.ID{"a", "c"})
		u, _, _ := d.get("a", nil)
		d.get("c", nil)
		if u.Version != "2.0.0" {
			t.Errorf("after a change of %s it takes version %q", name, u.Version)
		}
		if got := r.asked(); name != "of many things" && !slices.Equal(got, []twin.ID{"a", "a", "c"}) {
			t.Errorf("after a change of %s it asks about %v", name, got)
		}
	}
}

// many is more changes than are told apart.
func many(d *drivers) {
	for i := range 2 * maxChanges {
		d.changed(driverChanged(fmt.Sprint("driver-", i)))
	}
}

// What is prepared is asked in one call, and what is known is not.
func TestWhatIsPreparedIsAskedInOneCall(t *testing.T) {
	used := make(map[twin.ID][2]string)
	var ids []twin.ID
	for i := range 100 {
		ids = append(ids, twin.ID(fmt.Sprintf("t-%03d", i)))
		used[ids[i]] = [2]string{"acme", "pump"}
	}
	r := registryOf(used)
	d, _ := resolving(t, r)
	d.prepare(ids[:50])
	d.get(ids[0], nil)
	r.asked()
	d.prepare(ids)
	for _, id := range ids {
		d.get(id, nil)
	}
	if len(r.calls) != 1 || len(r.calls[0]) != 50 {
		t.Errorf("it was asked in %d calls", len(r.calls))
	}
}
