package gateways_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/functions/gateways"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

type world struct {
	*functiontest.World
	t         *testing.T
	provision *api.Client
}

func start(t *testing.T) *world {
	w := &world{World: functiontest.New(t, functiontest.Functions{"gateways": gateways.New}), t: t}
	w.provision = w.Part("twin-provision", "")
	return w
}

func (w *world) gateway(g api.Gateway) api.Gateway {
	w.t.Helper()
	g.URL = "tls://127.0.0.1:8883"
	out, err := w.Part("connector", g.ID).PutGateway(context.Background(), g)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) list() map[string]api.Gateway {
	w.t.Helper()
	page, err := w.Part("twin-watchdog", "").ListGateways(context.Background(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]api.Gateway{}
	for _, g := range page.Items {
		out[g.ID] = g
	}
	return out
}

// admitted tells what a gateway's bucket says of a client; nil if nothing.
func (w *world) admitted(gateway, client string) (a *api.Admission, revision uint64) {
	w.t.Helper()
	b, err := w.Base.Bus.Bucket(context.Background(), api.BucketOf(gateway))
	if err != nil {
		w.t.Fatal(err)
	}
	e, err := b.Get(context.Background(), api.AdmissionKey(client))
	if errors.Is(err, bus.ErrNotFound) {
		return nil, 0
	}
	if err == nil {
		err = json.Unmarshal(e.Value, &a)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return a, e.Revision
}

func (w *world) applied(gateway, client string, revision uint64) {
	w.t.Helper()
	err := w.Event("gateways", event.New(fmt.Sprintf("%s/%s/%d", gateway, client, revision), event.GatewayApplied, client, time.Now(),
		api.GatewayApplied{Gateway: gateway, Client: client, Revision: revision}))
	if err != nil {
		w.t.Fatal(err)
	}
}

func fingerprint(n int) string { return fmt.Sprintf("%064x", n) }

func assign(n int, region string) api.Assign {
	in := api.Assign{Ref: device.Ref(fmt.Sprintf("dev-%d", n)), Twin: twin.ID(fmt.Sprintf("t-%d", n)), Proof: api.Proof{Fingerprints: []string{fingerprint(n)}}}
	if region != "" {
		in.Location = &twin.Location{Region: region}
	}
	return in
}

func TestAPlaceIsGivenByRegionAndLoad(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	w.gateway(api.Gateway{ID: "east-1", Phase: "operational", Region: "east", Capacity: 2})
	w.gateway(api.Gateway{ID: "east-2", Phase: "operational", Region: "east", Capacity: 2})
	w.gateway(api.Gateway{ID: "west-1", Phase: "operational", Region: "west", Capacity: 10})
	w.gateway(api.Gateway{ID: "knock", Phase: "provisioning", Region: "east", Capacity: 10})
	var got []string
	for n := range 5 {
		a, err := w.provision.AssignGateway(ctx, assign(n, "east"))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a.Gateway)
		if !strings.Contains(a.Reason, "region east") || a.URL == "" || a.Revision == 0 || a.Applied {
			t.Errorf("assignment %+v", a)
		}
	}
	if s := strings.Join(got, " "); s != "east-1 east-2 east-1 east-2 west-1" {
		t.Errorf("five devices of region east went to %s", s)
	}
	w.SetTime(time.Now().Add(2 * time.Minute))
	if _, err := w.provision.AssignGateway(ctx, assign(9, "")); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("no gateway has been heard of for two minutes: %v", err)
	}
}

// One device that asks many times, by many instances, is counted once, and leaves once.
func TestADeviceIsCountedOnce(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	w.gateway(api.Gateway{ID: "op", Phase: "operational", Capacity: 4})
	var wg sync.WaitGroup
	var mu sync.Mutex
	in := 0
	for n := range 6 {
		for k := range 3 {
			wg.Go(func() {
				_, err := w.provision.AssignGateway(ctx, assign(n, ""))
				if err != nil && !errors.Is(err, api.ErrUnavailable) {
					t.Error(err)
				}
				if err == nil && k == 0 {
					mu.Lock()
					in++
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	if got := w.list()["op"].Devices; got != 4 {
		t.Fatalf("the gateway counts %d devices, it has room for 4", got)
	}
	for n := range 6 {
		for range 2 {
			wg.Go(func() {
				if err := w.provision.RemoveAssignment(ctx, device.Ref(fmt.Sprintf("dev-%d", n))); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if got := w.list()["op"].Devices; got != 0 {
		t.Errorf("all have left, the gateway counts %d", got)
	}
	if _, err := w.provision.AssignGateway(ctx, assign(0, "")); !errors.Is(err, api.ErrConflict) {
		t.Errorf("a request that comes late brings a removed place back: %v", err)
	}
}

func TestAPlaceIsAppliedWhenItsGatewaySaysSo(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	w.gateway(api.Gateway{ID: "op", Phase: "operational"})
	a, err := w.provision.AssignGateway(ctx, assign(1, ""))
	if err != nil {
		t.Fatal(err)
	}
	told, revision := w.admitted("op", "dev-1")
	if told == nil || !slices.Equal(told.Fingerprints, []string{fingerprint(1)}) || told.Phase != "operational" || len(told.Verifiers) > 0 || revision != a.Revision {
		t.Fatalf("the gateway is told %+v at revision %d, the assignment says %d", told, revision, a.Revision)
	}
	state := func() bool {
		a, err := w.provision.GetAssignment(ctx, "dev-1")
		if err != nil {
			t.Fatal(err)
		}
		return a.Applied
	}
	w.applied("op", "dev-1", revision-1)
	w.applied("elsewhere", "dev-1", revision)
	w.applied("op", "nobody", revision)
	if state() {
		t.Error("it counts as applied by an older revision or another gateway")
	}
	w.applied("op", "dev-1", revision)
	if !state() {
		t.Error("the gateway has applied it, it does not count")
	}
	if again, err := w.provision.AssignGateway(ctx, assign(1, "")); err != nil || !again.Applied || again.Revision != a.Revision {
		t.Errorf("asked again: %+v, %v", again, err)
	}
	other := assign(1, "")
	other.Fingerprints = []string{fingerprint(2)}
	if _, err := w.provision.AssignGateway(ctx, other); !errors.Is(err, api.ErrConflict) {
		t.Errorf("another certificate for the reference: %v", err)
	}
	if err := w.provision.RemoveAssignment(ctx, "dev-1"); err != nil {
		t.Fatal(err)
	}
	if told, _ := w.admitted("op", "dev-1"); told != nil {
		t.Error("it is still let in")
	}
	if _, err := w.provision.GetAssignment(ctx, "dev-1"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a removed place is shown: %v", err)
	}
}

// Work that a crash has cut off is finished by the sweep, whatever was done of it.
func TestTheSweepFinishesWhatWasCutOff(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	w.gateway(api.Gateway{ID: "prov", Phase: "provisioning"})
	if _, err := w.provision.AssignGateway(ctx, assign(1, "")); !errors.Is(err, api.ErrUnavailable) {
		t.Fatalf("without a gateway: %v", err)
	}
	w.gateway(api.Gateway{ID: "op", Phase: "operational"})
	w.SetTime(time.Now().Add(20 * time.Second))
	if out, err := w.Part("twin-watchdog", "").Sweep(ctx, "gateways"); err != nil || out.Repaired != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	if told, _ := w.admitted("op", "dev-1"); told == nil || w.list()["op"].Devices != 1 {
		t.Errorf("after the sweep the gateway is told %v and counts %d", told, w.list()["op"].Devices)
	}
	err := w.Part("credentials", "").AdmitClaim(ctx, api.Admission{Client: "claim-1", Phase: "provisioning", Verifiers: []string{fingerprint(7)}, Expires: w.Now().Add(time.Minute)})
	if told, _ := w.admitted("prov", "claim-1"); err != nil || told == nil {
		t.Fatalf("the claim is not admitted: %v", err)
	}
	w.SetTime(w.Now().Add(2 * time.Minute))
	if _, err := w.Part("twin-watchdog", "").Sweep(ctx, "gateways"); err != nil {
		t.Fatal(err)
	}
	if told, _ := w.admitted("prov", "claim-1"); told != nil {
		t.Error("an admission that has ended is still in the bucket")
	}
	err = w.Part("credentials", "").AdmitClaim(ctx, api.Admission{Client: "claim-1", Phase: "provisioning", Verifiers: []string{fingerprint(7)}})
	if !errors.Is(err, api.ErrConflict) {
		t.Errorf("a dismissed claim is admitted again: %v", err)
	}
}

// A gateway that dies before it has let a device in loses it to another; one that has let it in keeps it.
func TestADeviceLeavesADeadGateway(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	w.gateway(api.Gateway{ID: "op-1", Phase: "operational"})
	if a, err := w.provision.AssignGateway(ctx, assign(1, "")); err != nil || a.Gateway != "op-1" {
		t.Fatalf("%+v, %v", a, err)
	}
	kept, err := w.provision.AssignGateway(ctx, assign(2, ""))
	if err != nil {
		t.Fatal(err)
	}
	w.applied("op-1", "dev-2", kept.Revision)
	w.SetTime(time.Now().Add(2 * time.Minute))
	if _, err := w.provision.AssignGateway(ctx, assign(1, "")); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("there is no other gateway: %v", err)
	}
	w.gateway(api.Gateway{ID: "op-2", Phase: "operational"})
	for range 2 {
		if a, err := w.provision.AssignGateway(ctx, assign(1, "")); err != nil || a.Gateway != "op-2" || a.Revision == 0 || a.Applied {
			t.Errorf("%+v, %v", a, err)
		}
		if a, err := w.provision.AssignGateway(ctx, assign(2, "")); err != nil || a.Gateway != "op-1" || !a.Applied {
			t.Errorf("%+v, %v", a, err)
		}
	}
	before, _ := w.admitted("op-1", "dev-1")
	after, _ := w.admitted("op-2", "dev-1")
	if before != nil || after == nil {
		t.Errorf("the dead gateway is told %v, the other %v", before, after)
	}
	if got := w.list(); got["op-1"].Devices != 1 || got["op-2"].Devices != 1 {
		t.Errorf("they count %d and %d", got["op-1"].Devices, got["op-2"].Devices)
	}
	if err := w.provision.RemoveAssignment(ctx, "dev-1"); err != nil || w.list()["op-2"].Devices != 0 {
		t.Errorf("removed, %d are left: %v", w.list()["op-2"].Devices, err)
	}
}

// Half of a move, of an assignment or of a removal is done: at whatever write it crashed, the counts are right in the end.
func TestACrashAtEveryWrite(t *testing.T) {
	for _, how := range functiontest.Ways {
		w := start(t)
		ctx := context.Background()
		for n, through := 0, false; !through; n++ {
			if n > 200 {
				t.Fatal("it never gets through without a crash")
			}
			dead, alive := api.Gateway{ID: fmt.Sprintf("dead-%d", n), Phase: "operational"}, api.Gateway{ID: fmt.Sprintf("alive-%d", n), Phase: "operational"}
			w.gateway(dead)
			c := w.Crash(n, how)
			c.Run(w.World, "gateways", gateways.New)
			_, err := w.provision.AssignGateway(ctx, assign(n, ""))
			w.SetTime(w.Now().Add(2 * time.Minute))
			if err == nil {
				w.Add("gateways", gateways.New)
				w.gateway(alive)
				c.Run(w.World, "gateways", gateways.New)
				if _, err := w.provision.AssignGateway(ctx, assign(n, "")); err == nil {
					_ = w.provision.RemoveAssignment(ctx, device.Ref(fmt.Sprintf("dev-%d", n)))
				}
			}
			through = !c.Came()
			w.Add("gateways", gateways.New)
			w.gateway(alive)
			a, err := w.provision.AssignGateway(ctx, assign(n, ""))
			if err != nil && !errors.Is(err, api.ErrConflict) {
				t.Fatalf("way %d, crash %d: %v", how, n, err)
			}
			check := func(when string, want int64) {
				t.Helper()
				w.SetTime(w.Now().Add(20 * time.Second))
				if _, err := w.Part("twin-watchdog", "").Sweep(ctx, "gateways"); err != nil {
					t.Fatalf("way %d, crash %d: %v", how, n, err)
				}
				if got := w.list(); got[dead.ID].Devices != 0 || got[alive.ID].Devices != want {
					t.Fatalf("way %d, crash %d, %s: the dead gateway counts %d and the other %d, want 0 and %d", how, n, when, got[dead.ID].Devices, got[alive.ID].Devices, want)
				}
			}
			if err == nil {
				if a.Gateway != alive.ID {
					t.Fatalf("way %d, crash %d: it is at %s", how, n, a.Gateway)
				}
				check("assigned", 1)
			}
			if err := w.provision.RemoveAssignment(ctx, device.Ref(fmt.Sprintf("dev-%d", n))); err != nil {
				t.Fatal(err)
			}
			check("removed", 0)
			w.SetTime(w.Now().Add(2 * time.Minute)) // so that the next device finds its own gateways only
		}
	}
}

func TestADeletedTwinLosesItsPlace(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	w.gateway(api.Gateway{ID: "op", Phase: "operational"})
	if _, err := w.provision.AssignGateway(ctx, assign(1, "")); err != nil {
		t.Fatal(err)
	}
	gone := event.New("t-1#3", event.TwinDeleted, "t-1", time.Now(), api.TwinChanged{Twin: "t-1", Kind: twin.Instance})
	if err := w.Event("gateways", gone); err != nil {
		t.Fatal(err)
	}
	if told, _ := w.admitted("op", "dev-1"); told != nil || w.list()["op"].Devices != 0 {
		t.Errorf("the gateway is told %v and counts %d", told, w.list()["op"].Devices)
	}
}

func TestWhatAGatewayMayNotSay(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	good := api.Gateway{ID: "op", Phase: "operational", URL: "tls://h:1"}
	w.gateway(good)
	with := func(change func(*api.Gateway)) api.Gateway { g := good; change(&g); return g }
	for name, tt := range map[string]struct {
		as   string
		in   api.Gateway
		want error
	}{
		"of another gateway":      {"op-2", good, access.ErrDenied},
		"with a path for an id":   {"op", with(func(g *api.Gateway) { g.ID = "..%2Fop" }), access.ErrDenied},
		"of no phase":             {"op", with(func(g *api.Gateway) { g.Phase = "" }), twin.ErrInvalid},
		"that it changes phase":   {"op", with(func(g *api.Gateway) { g.Phase = "provisioning" }), api.ErrConflict},
		"without an address":      {"op", with(func(g *api.Gateway) { g.URL = "host" }), twin.ErrInvalid},
		"with room below zero":    {"op", with(func(g *api.Gateway) { g.Capacity = -1 }), twin.ErrInvalid},
		"with a protocol in caps": {"op", with(func(g *api.Gateway) { g.Protocol = "MQTT\n" }), twin.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := w.Part("connector", tt.as).PutGateway(ctx, tt.in); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	if _, err := w.Admin().PutGateway(ctx, good); !errors.Is(err, api.ErrConflict) {
		t.Errorf("a person speaks for a gateway: %v", err)
	}
}

func TestOnlyWhoSeesTheTwinSeesItsPlace(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	w.gateway(api.Gateway{ID: "op", Phase: "operational"})
	in := assign(1, "")
	in.Verifiers = []string{fingerprint(2)}
	if _, err := w.provision.AssignGateway(ctx, in); err != nil {
		t.Fatal(err)
	}
	twins, err := platform.OpenTwins(ctx, w.Base.DB)
	if err == nil {
		err = twins.Insert(ctx, twin.Twin{ID: "t-1", Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: "press"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	mine, other := w.User("olga", []access.Role{access.Owner}, "press"), w.User("otto", []access.Role{access.Owner}, "paint")
	if a, err := mine.GetAssignment(ctx, "dev-1"); err != nil || a.Gateway != "op" || len(a.Verifiers) > 0 {
		t.Errorf("the owner: %+v, %v", a, err)
	}
	if page, err := mine.ListAssignments(ctx, api.AssignmentQuery{Gateway: "op"}); err != nil || len(page.Items) != 1 || len(page.Items[0].Verifiers) > 0 {
		t.Errorf("the owner's list: %+v, %v", page.Items, err)
	}
	if a, err := w.provision.GetAssignment(ctx, "dev-1"); err != nil || len(a.Verifiers) != 1 {
		t.Errorf("a part: %+v, %v", a, err)
	}
	_, err = other.GetAssignment(ctx, "dev-1")
	_, none := other.GetAssignment(ctx, "dev-2")
	if !errors.Is(err, api.ErrNotFound) || strings.ReplaceAll(none.Error(), "dev-2", "dev-1") != err.Error() {
		t.Errorf("a foreign place: %v; one that is not there: %v", err, none)
	}
}

// A bucket that the server has lost fills with the next heartbeat, whichever replica's, and is marked full last.
func TestALostBucketIsFilledAgain(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	op, prov := api.Gateway{ID: "op", Phase: "operational"}, api.Gateway{ID: "prov", Phase: "provisioning"}
	w.gateway(op)
	w.gateway(prov)
	for n := range 3 {
		if _, err := w.provision.AssignGateway(ctx, assign(n, "")); err != nil {
			t.Fatal(err)
		}
		if err := w.Part("credentials", "").AdmitClaim(ctx, api.Admission{Client: fmt.Sprintf("claim-%d", n), Phase: "provisioning", Verifiers: []string{fingerprint(n)}}); err != nil {
			t.Fatal(err)
		}
	}
	_, revision := w.admitted("op", "dev-0")
	w.applied("op", "dev-0", revision)
	if err := errors.Join(w.provision.RemoveAssignment(ctx, "dev-2"), w.Part("credentials", "").DismissClaim(ctx, "claim-2")); err != nil {
		t.Fatal(err)
	}
	bucket := func(id string) *bus.Bucket {
		b, err := w.Base.Bus.Bucket(ctx, api.BucketOf(id))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	lose := func(id string, keys ...string) {
		for _, k := range keys {
			if _, err := bucket(id).Delete(ctx, k); err != nil {
				t.Fatal(err)
			}
		}
	}
	lose("op", api.FilledKey, api.AdmissionKey("dev-0"), api.AdmissionKey("dev-1"))
	lose("prov", api.FilledKey, api.AdmissionKey("claim-0")) // claim-1 was put in again already, by a call that was broken off
	_, there := w.admitted("prov", "claim-1")
	var beats sync.WaitGroup
	for range 2 {
		beats.Go(func() { w.gateway(op); w.gateway(prov) })
	}
	beats.Wait()
	for client, want := range map[string]bool{"op/dev-0": true, "op/dev-1": true, "op/dev-2": false, "prov/claim-0": true, "prov/claim-1": true, "prov/claim-2": false} {
		gateway, name, _ := strings.Cut(client, "/")
		if a, _ := w.admitted(gateway, name); (a != nil) != want {
			t.Errorf("%s is told of: %v, want %v", client, a != nil, want)
		}
	}
	if _, again := w.admitted("prov", "claim-1"); again != there {
		t.Error("what was there was put in again")
	}
	for _, id := range []string{"op", "prov"} {
		if _, err := bucket(id).Get(ctx, api.FilledKey); err != nil {
			t.Errorf("bucket of %s is not marked full: %v", id, err)
		}
	}
	if a, err := w.provision.GetAssignment(ctx, "dev-0"); err != nil || !a.Applied {
		t.Errorf("a device that is registered is not any more: %+v, %v", a, err)
	}
	_, revision = w.admitted("op", "dev-1")
	w.applied("op", "dev-1", revision)
	if a, err := w.provision.GetAssignment(ctx, "dev-1"); err != nil || !a.Applied {
		t.Errorf("a device that waited for its gateway waits on: %+v, %v", a, err)
	}
	_, before := w.admitted("op", "dev-0")
	w.gateway(op)
	if _, after := w.admitted("op", "dev-0"); after != before {
		t.Error("a full bucket is filled with every heartbeat")
	}
}
