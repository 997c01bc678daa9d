package gateways_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/gateways"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

func at(latitude, longitude float64) *twin.Location {
	return &twin.Location{Latitude: &latitude, Longitude: &longitude}
}

func (w *world) sweep() {
	w.t.Helper()
	if _, err := w.Part("twin-watchdog", "").Sweep(context.Background(), "gateways"); err != nil {
		w.t.Fatal(err)
	}
}

// pass lets time go by in steps in which sweeps are made and the gateways report.
func (w *world) pass(d time.Duration, alive ...api.Gateway) {
	w.t.Helper()
	for end := w.Now().Add(d); w.Now().Before(end); {
		w.SetTime(w.Now().Add(10 * time.Second))
		for _, g := range alive {
			w.gateway(g)
		}
		w.sweep()
	}
}

func (w *world) twins() *store.Collection[twin.Twin] {
	w.t.Helper()
	twins, err := platform.OpenTwins(context.Background(), w.Base.DB)
	if err != nil {
		w.t.Fatal(err)
	}
	return twins
}

func (w *world) twin(id twin.ID, owner string) {
	w.t.Helper()
	err := w.twins().Insert(context.Background(), twin.Twin{ID: id, Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: owner, Phase: twin.Operational}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// change changes a twin and tells function gateways.
func (w *world) change(id twin.ID, part string, change func(*twin.Twin)) {
	w.t.Helper()
	if _, err := w.twins().Update(context.Background(), string(id), func(t *twin.Twin) error { change(t); return nil }); err != nil {
		w.t.Fatal(err)
	}
	e := event.New(fmt.Sprintf("%s/%d", id, time.Now().UnixNano()), event.TwinChanged, string(id), w.Now(), api.TwinChanged{Twin: id, Kind: twin.Instance, Part: part})
	if err := w.Event("gateways", e); err != nil {
		w.t.Fatal(err)
	}
}

// place gives device n a place and has its gateway apply it.
func (w *world) place(in api.Assign) api.Assignment {
	w.t.Helper()
	a, err := w.provision.AssignGateway(context.Background(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	w.applied(a.Gateway, string(a.Ref), a.Revision)
	return a
}

func (w *world) assignment(ref device.Ref) api.Assignment {
	w.t.Helper()
	a, err := w.provision.GetAssignment(context.Background(), ref)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func TestTheNearestGatewayThatCanTakeTheDevice(t *testing.T) {
	w := start(t)
	munich, hamburg, madrid := at(48.14, 11.58), at(53.55, 9.99), at(40.42, -3.70)
	w.gateway(api.Gateway{ID: "munich", Phase: "operational", Location: munich, Capacity: 1})
	w.gateway(api.Gateway{ID: "hamburg", Phase: "operational", Location: hamburg, Region: "north"})
	w.gateway(api.Gateway{ID: "madrid", Phase: "operational", Location: madrid, Kinds: []device.Kind{device.Token}})
	w.gateway(api.Gateway{ID: "calls", Phase: "operational", Protocol: "grpc", Location: munich})
	w.gateway(api.Gateway{ID: "nowhere", Phase: "operational", Region: "south"})
	stuttgart := at(48.78, 9.18)
	ask := func(n int, change func(*api.Assign)) api.Assign {
		in := assign(n, "")
		in.Location = stuttgart
		change(&in)
		return in
	}
	for _, tt := range []struct {
		what string
		in   api.Assign
		want string
		says string
	}{
		{"the nearest", ask(1, func(*api.Assign) {}), "munich", "191 km away, the nearest; it has 0 of 1 devices"},
		{"the next, when that is full", ask(2, func(*api.Assign) {}), "hamburg", "533 km away"},
		{"what it shows", ask(3, func(in *api.Assign) { in.Kind, in.Location = device.Token, madrid }), "madrid", "0 km away"},
		{"what it shows, also far away", ask(4, func(in *api.Assign) { in.Location = madrid }), "hamburg", "1785 km away"},
		{"its protocol", ask(5, func(in *api.Assign) { in.Protocol = "grpc" }), "calls", "191 km away"},
		{"one of its region is near, where nobody knows how near", ask(6, func(in *api.Assign) {
			in.Location = &twin.Location{Region: "south", Latitude: stuttgart.Latitude, Longitude: stuttgart.Longitude}
		}),
			"nowhere", "region south is the device's"},
		{"any, when nobody knows", ask(7, func(in *api.Assign) { in.Location = nil }), "nowhere", "nobody knows where the device is"},
	} {
		if tt.what == "any, when nobody knows" {
			w.place(ask(8, func(in *api.Assign) { in.Location = hamburg }))
		}
		a, err := w.provision.AssignGateway(context.Background(), tt.in)
		if err != nil || a.Gateway != tt.want || !strings.Contains(a.Reason, tt.says) {
			t.Errorf("%s: at %q because %q (%v), want %s because %s", tt.what, a.Gateway, a.Reason, err, tt.want, tt.says)
		}
		if len(a.Alternatives) == 0 || a.Alternatives[0] != a.URL {
			t.Errorf("%s: alternatives %v do not begin with its own", tt.what, a.Alternatives)
		}
	}
	_, err := w.provision.AssignGateway(context.Background(), ask(9, func(in *api.Assign) { in.Protocol = "http" }))
	if !errors.Is(err, api.ErrUnavailable) || !strings.Contains(err.Error(), "5 speak another protocol") {
		t.Errorf("no gateway speaks it: %v", err)
	}
}

// A drained gateway's devices hear of their new places where they are, are let in at both until they have arrived, and only then
// is the old gateway rid of them.
func TestADrainMovesDevicesWithoutCuttingThemOff(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	one, two := api.Gateway{ID: "op-1", Phase: "operational"}, api.Gateway{ID: "op-2", Phase: "operational"}
	w.gateway(one)
	w.SetTime(time.Now())
	for n := range 3 {
		w.twin(twin.ID(fmt.Sprintf("t-%d", n)), "press")
		w.place(assign(n, ""))
	}
	admin := w.Admin()
	if g, err := admin.DrainGateway(ctx, "op-1", "new kernel"); err != nil || g.Devices != 3 || !strings.Contains(g.Stuck, "there is no other operational mqtt gateway") {
		t.Fatalf("the drain does not say what stays and why: %+v, %v", g, err)
	}
	w.pass(10*time.Second, one)
	if got := w.list()["op-1"]; got.Devices != 3 || got.Stuck == "" {
		t.Errorf("after a sweep nobody says why devices stay: %+v", got)
	}
	if a := w.assignment("dev-0"); a.Gateway != "op-1" || !a.Applied {
		t.Fatalf("there is no other gateway, but it is at %+v", a)
	}
	var mu sync.Mutex
	var heard []bus.Downlink
	stop, err := w.Base.Bus.Downlinks("op-1", func(d bus.Downlink) { mu.Lock(); defer mu.Unlock(); heard = append(heard, d) })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	w.gateway(two)
	w.pass(10*time.Second, one, two)
	a := w.assignment("dev-0")
	if a.Gateway != "op-2" || a.Leaving != "op-1" || a.Applied || !strings.Contains(a.Reason, "gateway op-1 is being drained (new kernel)") {
		t.Fatalf("the move has begun as %+v", a)
	}
	if got := w.list(); got["op-1"].Devices != 0 || got["op-1"].Leaving != 3 || got["op-1"].Stuck != "" || got["op-2"].Devices != 3 || got["op-2"].Leaving != 0 {
		t.Errorf("devices on their way are counted as %+v", got)
	}
	admitted := func(gateway string) bool { e, _ := w.admitted(gateway, "dev-0"); return e != nil }
	if !admitted("op-1") || !admitted("op-2") {
		t.Fatalf("let in at the old gateway: %v, at the new: %v", admitted("op-1"), admitted("op-2"))
	}
	w.pass(3*time.Minute, one, two)
	if !admitted("op-1") || len(heard) != 0 {
		t.Fatalf("the new gateway does not know the device yet; at the old one: %v, told: %v", admitted("op-1"), heard)
	}
	for n := range 3 {
		a := w.assignment(device.Ref(fmt.Sprintf("dev-%d", n)))
		w.applied("op-2", string(a.Ref), a.Revision)
	}
	mu.Lock()
	var told api.GatewayMove
	if len(heard) != 3 || heard[0].Topic != "castor/"+heard[0].Device+"/gateway" || json.Unmarshal(heard[0].Payload, &told) != nil || told.URL == "" || told.Alternatives[0] != told.URL {
		t.Fatalf("devices are told %+v", heard)
	}
	mu.Unlock()
	w.change("t-0", "live", func(t *twin.Twin) { t.Live.Presence = twin.Presence{Connected: true, Gateway: "op-1"} })
	if !admitted("op-1") {
		t.Error("it has not arrived and is cut off")
	}
	w.change("t-0", "live", func(t *twin.Twin) { t.Live.Presence.Gateway = "op-2" })
	if a := w.assignment("dev-0"); admitted("op-1") || !admitted("op-2") || a.Leaving != "" || !a.Applied {
		t.Errorf("it has arrived; at the old gateway: %v, at the new: %v, place %+v", admitted("op-1"), admitted("op-2"), a)
	}
	w.pass(stayFor+20*time.Second, one, two)
	if got := w.list(); got["op-1"].Devices != 0 || got["op-2"].Devices != 3 || !got["op-1"].Draining {
		t.Errorf("devices that do not come are waited for two minutes; now they count %+v", got)
	}
	if a, _ := w.admitted("op-1", "dev-1"); a != nil {
		t.Error("the old gateway lets a device in after its time")
	}
	if err := admin.DeleteGateway(ctx, "op-1"); !errors.Is(err, api.ErrConflict) {
		t.Errorf("a gateway that is alive is deleted: %v", err)
	}
	w.pass(time.Minute, two)
	if err := admin.DeleteGateway(ctx, "op-1"); err != nil {
		t.Error(err)
	}
	if err := admin.DeleteGateway(ctx, "op-2"); !errors.Is(err, api.ErrConflict) {
		t.Errorf("a gateway with devices is deleted: %v", err)
	}
}

const stayFor = 2 * time.Minute

func TestADeadGatewaysDevicesGoElsewhere(t *testing.T) {
	w := start(t)
	one, two := api.Gateway{ID: "op-1", Phase: "operational"}, api.Gateway{ID: "op-2", Phase: "operational", Capacity: 100}
	w.SetTime(time.Now())
	w.gateway(one)
	for n := range 20 {
		w.place(assign(n, ""))
	}
	w.gateway(two)
	w.pass(40*time.Second, two)
	if got := w.list()["op-1"]; got.Devices != 20 || got.Dead {
		t.Fatalf("after 40 s: %+v", got)
	}
	w.pass(20*time.Second, two)
	if got := w.list(); got["op-1"].Devices != 0 || !got["op-1"].Dead || got["op-2"].Devices != 20 {
		t.Fatalf("after a minute: %+v", got)
	}
	a := w.assignment("dev-3")
	old, _ := w.admitted("op-1", "dev-3")
	if a.Gateway != "op-2" || a.Leaving != "" || old != nil || !strings.Contains(a.Reason, "gateway op-1 was not heard of for 45s") {
		t.Errorf("it is at %+v, the dead gateway is told %v", a, old)
	}
	w.pass(10*time.Second, one, two)
	if got := w.list()["op-1"]; got.Dead || got.Devices != 0 {
		t.Errorf("back to life: %+v", got)
	}
	b, err := w.provision.AssignGateway(context.Background(), assign(30, ""))
	if err != nil || b.Gateway != "op-1" {
		t.Errorf("the gateway that is back gets no device: %+v, %v", b, err)
	}
}

// While the platform itself was away no gateway could report: each gets its time from when the manager is back.
func TestNoGatewayDiesOfThePlatformsOwnOutage(t *testing.T) {
	w := start(t)
	one, two := api.Gateway{ID: "op-1", Phase: "operational"}, api.Gateway{ID: "op-2", Phase: "operational"}
	w.SetTime(time.Now())
	w.gateway(one)
	w.gateway(two)
	a := w.place(assign(1, ""))
	w.pass(20*time.Second, one, two)
	w.SetTime(w.Now().Add(time.Hour))
	other := one
	if a.Gateway == "op-1" {
		other = two
	}
	w.sweep()
	w.pass(30*time.Second, other)
	if got := w.assignment("dev-1"); got.Gateway != a.Gateway || w.list()[a.Gateway].Dead {
		t.Errorf("half a minute after the outage it is at %s because %s", got.Gateway, got.Reason)
	}
	w.pass(30*time.Second, other)
	if got := w.assignment("dev-1"); got.Gateway != other.ID {
		t.Errorf("a minute after the outage it is still at the gateway that did not come back: %+v", got)
	}
}

// A move is cut off at every write; in the end each gateway counts what is there and the device is let in at one.
func TestACrashAtEveryWriteOfAMove(t *testing.T) {
	for _, how := range functiontest.Ways {
		w := start(t)
		ctx := context.Background()
		w.SetTime(time.Now())
		for n, through := 0, false; !through; n++ {
			if n > 200 {
				t.Fatal("it never gets through without a crash")
			}
			from, to := api.Gateway{ID: fmt.Sprintf("from-%d", n), Phase: "operational"}, api.Gateway{ID: fmt.Sprintf("to-%d", n), Phase: "operational"}
			w.gateway(from)
			ref, id := device.Ref(fmt.Sprintf("dev-%d", n)), twin.ID(fmt.Sprintf("t-%d", n))
			w.twin(id, "press")
			w.place(assign(n, ""))
			w.gateway(to)
			c := w.Crash(n, how)
			admin := w.Admin()
			c.Run(w.World, "gateways", gateways.New)
			_, err := admin.MoveAssignment(ctx, ref, api.MoveDevice{Gateway: to.ID, Reason: "test"})
			if err == nil {
				_, revision := w.admitted(to.ID, string(ref))
				err = w.Event("gateways", event.New("a", event.GatewayApplied, string(ref), time.Now(), api.GatewayApplied{Gateway: to.ID, Client: string(ref), Revision: revision}))
			}
			if err == nil {
				if _, e := w.twins().Update(ctx, string(id), func(t *twin.Twin) error {
					t.Live.Presence = twin.Presence{Connected: true, Gateway: to.ID}
					return nil
				}); e != nil {
					t.Fatal(e)
				}
				_ = w.Event("gateways", event.New("b", event.TwinChanged, string(id), time.Now(), api.TwinChanged{Twin: id, Kind: twin.Instance, Part: "live"}))
			}
			through = !c.Came()
			w.Add("gateways", gateways.New)
			for range 2 {
				w.SetTime(w.Now().Add(20 * time.Second))
				w.gateway(from)
				w.gateway(to)
				w.sweep()
				if a := w.assignment(ref); a.Revision > 0 {
					w.applied(a.Gateway, string(ref), a.Revision)
				}
			}
			w.pass(3*time.Minute, from, to)
			a := w.assignment(ref)
			old, other := from.ID, to.ID
			if a.Gateway == from.ID {
				old, other = to.ID, from.ID
			}
			here, _ := w.admitted(other, string(ref))
			there, _ := w.admitted(old, string(ref))
			if got := w.list(); got[other].Devices != 1 || got[old].Devices != 0 || here == nil || there != nil || a.Leaving != "" || !a.Applied {
				t.Fatalf("way %d, crash %d: at %s; counts %d and %d, let in %v and %v, %+v", how, n, a.Gateway, got[other].Devices, got[old].Devices, here != nil, there != nil, a)
			}
			if err := w.provision.RemoveAssignment(ctx, ref); err != nil {
				t.Fatal(err)
			}
			if got := w.list(); got[other].Devices != 0 {
				t.Fatalf("way %d, crash %d: removed, it counts %d", how, n, got[other].Devices)
			}
			w.SetTime(w.Now().Add(2 * time.Minute))
		}
	}
}

// A gateway of somebody else's is entered by a configurator, and then kept by the service account that was named.
func TestAStrangersGatewayIsKeptByItsServiceAccount(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	admin := w.Admin()
	g := api.Gateway{ID: "acme", Phase: "operational", URL: "tls://acme.example:8883", Contract: "http"}
	account := func(name string) (string, *api.Client) {
		a, err := admin.CreateAccount(ctx, api.Account{ID: name})
		if err != nil {
			t.Fatal(err)
		}
		token, err := w.Nobody().Exchange(ctx, api.Exchange{Account: a.ID, Secret: a.Secret})
		if err != nil {
			t.Fatal(err)
		}
		return a.ID, functiontest.Bearer(w.URL, token.Access)
	}
	if _, err := admin.PutGateway(ctx, api.Gateway{ID: "acme-2", Phase: "operational", URL: "tls://acme.example:8884", Keeper: "acme-gateway"}); err != nil {
		t.Fatal(err)
	}
	if err := admin.DeleteGateway(ctx, "acme-2"); err != nil {
		t.Errorf("one that was never heard of is deleted: %v", err)
	}
	keeper, own := account("acme-gateway")
	_, foreign := account("other")
	if _, err := own.PutGateway(ctx, g); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("before it is entered: %v", err)
	}
	g.Keeper = keeper
	if _, err := admin.PutGateway(ctx, g); err != nil {
		t.Fatal(err)
	}
	if got := w.list()["acme"]; !got.Seen.IsZero() {
		t.Errorf("it was never heard of, but seen %v", got.Seen)
	}
	g.Keeper = ""
	if got, err := own.PutGateway(ctx, g); err != nil || got.Seen.IsZero() || got.Keeper != keeper {
		t.Errorf("its own account: %+v, %v", got, err)
	}
	if _, err := foreign.PutGateway(ctx, g); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("another account: %v", err)
	}
	w.gateway(api.Gateway{ID: "op", Phase: "operational"})
	g.ID = "op"
	if _, err := own.PutGateway(ctx, g); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("another gateway: %v", err)
	}
}
