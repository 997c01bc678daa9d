package mqtt_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/connectors/mqtt"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/telemetry"
)

// A replica of the world's gateway, with a folder and a clock of its own.
type replica struct {
	*mqtt.Connector
	address string
	stop    func()
}

func replicas(t *testing.T, w *linktest.World, phase gateway.Phase, ahead ...time.Duration) (all []*replica) {
	t.Helper()
	for _, d := range ahead {
		c, err := mqtt.New(mqtt.Config{
			Gateway: gateway.Config{
				ID: w.Gateway, Phase: phase, Addr: "127.0.0.1:0", TLS: w.CA.Server(t, phase == gateway.Operational), Dir: t.TempDir(), Bus: w.Bus,
				Log: linktest.Quiet, Now: func() time.Time { return time.Now().Add(d) },
			},
			API: w.API, URL: "tls://gateway.example:8883",
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		r := &replica{Connector: c, address: c.Addr().String()}
		r.stop = sync.OnceFunc(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("a replica ended with %v", err)
				}
			case <-time.After(linktest.Patience):
				t.Error("a replica does not end")
			}
		})
		t.Cleanup(r.stop)
		all = append(all, r)
	}
	w.Fill()
	for _, r := range all {
		linktest.Eventually(t, "the replica is ready", func() bool { return r.Ready() == nil })
	}
	return all
}

// connect connects a device that is admitted; it must be let in at once.
func connect(t *testing.T, w *linktest.World, r *replica, id linktest.Identity) linktest.Device {
	t.Helper()
	d, err := dial(w, r.address, id)
	if err != nil {
		t.Fatalf("%s is not let in: %v", id.Client, err)
	}
	t.Cleanup(d.Cut)
	return d
}

func within(t *testing.T, what string, d time.Duration, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(d):
		t.Fatalf("not within %s: %s", d, what)
	}
}

// The device's connection to one replica is half open when it comes back through another, whose clock is behind. What it
// says now is newer than what it said before, it is connected, and nobody waits for a clock.
func TestADeviceComesBackThroughAnotherReplica(t *testing.T) {
	w := linktest.NewWorld(t)
	all := replicas(t, w, gateway.Operational, 2*time.Second, 0)
	id := w.AdmitDevice("p-1")
	const plain = `{"rpm":1}` // without numbers of its own
	var devices []linktest.Device
	for round := range 4 {
		d := connect(t, w, all[round%2], id)
		within(t, "the acknowledgement", linktest.Patience, d.Publish(telemetry.Telemetry, []byte(plain)))
		if round > 0 {
			within(t, "the end of the half-open session", linktest.Patience, devices[round-1].Gone())
		}
		devices = append(devices, d)
	}
	stored := w.Platform.Stored(linktest.TwinOf("p-1"))
	if len(stored) != 4 {
		t.Fatalf("%d messages are stored, want 4", len(stored))
	}
	for i := 1; i < len(stored); i++ {
		if !stored[i].Order.After(stored[i-1].Order) || stored[i].Session <= stored[i-1].Session {
			t.Errorf("message %d has order %+v of session %s, the one before %+v of %s", i, stored[i].Order, stored[i].Session, stored[i-1].Order, stored[i-1].Session)
		}
	}
	linktest.Eventually(t, "all comings and goings are told", func() bool { return len(w.Platform.Presence("")) == 7 })
	newest, connected := "", false
	for _, m := range w.Platform.Presence("") { // as twin-ingest reads them: those of older sessions say nothing
		if m.Session >= newest {
			newest, connected = m.Session, m.Samples[0].Value == true
		}
	}
	if !connected || newest != stored[3].Session {
		t.Errorf("in the end the device is connected: %v, by session %s; want it connected by %s", connected, newest, stored[3].Session)
	}
	select {
	case <-devices[3].Gone():
		t.Error("the newest session has ended")
	default:
	}
}

// A replica that starts numbers its first session above those that are there, though its clock is behind.
func TestANewReplicaKnowsHowFarTheOthersAre(t *testing.T) {
	w := linktest.NewWorld(t)
	first := replicas(t, w, gateway.Operational, time.Hour)[0]
	id := w.AdmitDevice("p-1")
	within(t, "the acknowledgement", linktest.Patience, connect(t, w, first, id).Publish(telemetry.Telemetry, []byte(`{"rpm":1}`)))
	second := replicas(t, w, gateway.Operational, 0)[0]
	within(t, "the acknowledgement", linktest.Patience, connect(t, w, second, id).Publish(telemetry.Telemetry, []byte(`{"rpm":2}`)))
	stored := w.Platform.Stored("")
	if len(stored) != 2 || !stored[1].Order.After(stored[0].Order) || stored[1].Session <= stored[0].Session {
		t.Errorf("stored %+v, want the second after the first", stored)
	}
}

// A device is told to come as soon as one replica knows it. The balancer may send it to another.
func TestAJustRegisteredDeviceIsLetInByEveryReplica(t *testing.T) {
	w := linktest.NewWorld(t)
	all := replicas(t, w, gateway.Operational, 0, 0, 0)
	for n := range 20 {
		ref := device.Ref(fmt.Sprintf("p-%d", n))
		id := w.AdmitDevice(ref)
		for _, r := range all {
			connect(t, w, r, id)
		}
		w.Dismiss(string(ref))
		for _, r := range all {
			linktest.Eventually(t, "it is let in nowhere", func() bool {
				d, err := dial(w, r.address, id)
				if err == nil {
					d.Cut()
				}
				return err != nil
			})
		}
	}
}

func TestOneReplicaStopsAndTheOtherGoesOn(t *testing.T) {
	w := linktest.NewWorld(t)
	all := replicas(t, w, gateway.Operational, 0, 0)
	id, other := w.AdmitDevice("p-1"), w.AdmitDevice("p-2")
	d, stays := connect(t, w, all[0], id), connect(t, w, all[1], other)
	within(t, "the acknowledgement", linktest.Patience, d.Publish(telemetry.Telemetry, []byte(`{"epoch":1,"seq":1,"data":{"rpm":1}}`)))
	linktest.Eventually(t, "both are in the directory", func() bool { return len(w.Platform.Advertised()) >= 2 })
	ids := map[string]bool{}
	for _, a := range w.Platform.Advertised() {
		ids[a.ID] = true
	}
	if len(ids) != 2 {
		t.Errorf("the replicas advertise themselves as %v, want one each", ids)
	}
	go all[0].stop()
	within(t, "the device is sent away", linktest.Patience, d.Gone())
	again := connect(t, w, all[1], id)
	within(t, "the acknowledgement", linktest.Patience, again.Publish(telemetry.Telemetry, []byte(`{"epoch":1,"seq":2,"data":{"rpm":1}}`)))
	within(t, "another's acknowledgement", linktest.Patience, stays.Publish(telemetry.Telemetry, []byte(`{"epoch":1,"seq":1,"data":{"rpm":1}}`)))
	all[0].stop()
	if all[0].Ready() == nil || all[1].Ready() != nil {
		t.Errorf("ready: the stopped one %v, the other %v", all[0].Ready(), all[1].Ready())
	}
	if n := w.Platform.Calls("DELETE directory/services"); n != 1 {
		t.Errorf("%d advertisements were taken out, want that of the replica that stopped", n)
	}
}

func TestADownlinkReachesTheReplicaThatHasTheSession(t *testing.T) {
	w := linktest.NewWorld(t)
	all := replicas(t, w, gateway.Operational, 0, 0)
	id := w.AdmitDevice("p-1")
	for round, r := range all {
		d := connect(t, w, r, id)
		topic := fmt.Sprintf("castor/p-1/command/c-%d", round)
		if err := w.Bus.Send(t.Context(), bus.Downlink{Gateway: w.Gateway, Device: "p-1", Topic: topic, Payload: []byte(topic)}); err != nil {
			t.Fatal(err)
		}
		select {
		case m := <-d.Messages():
			if m.Name != "command" || string(m.Payload) != topic {
				t.Errorf("got %s %s, want %s", m.Name, m.Payload, topic)
			}
		case <-time.After(linktest.Patience):
			t.Fatalf("not in time: %s", topic)
		}
	}
}

// Two claims may use the same client id at two replicas; each gets its own answers only.
func TestAProvisioningAnswerIsForTheClaimThatAsked(t *testing.T) {
	w := linktest.NewWorld(t)
	all := replicas(t, w, gateway.Provisioning, 0, 0)
	w.AdmitClaim("claim-1", "one")
	w.AdmitClaim("claim-2", "two")
	mine := connect(t, w, all[0], linktest.Identity{Client: "box-1", User: "claim-1", Password: "one"})
	theirs := connect(t, w, all[1], linktest.Identity{Client: "box-1", User: "claim-2", Password: "two"})
	send := func(claim, payload string) {
		t.Helper()
		err := w.Bus.Send(t.Context(), bus.Downlink{Gateway: w.Gateway, Device: "box-1", Claim: claim, Topic: "castor/provision/box-1/accepted", Payload: []byte(payload)})
		if err != nil {
			t.Fatal(err)
		}
	}
	send("claim-2", "for claim-2")
	send("claim-1", "for claim-1")
	for want, d := range map[string]linktest.Device{"for claim-1": mine, "for claim-2": theirs} {
		select {
		case m := <-d.Messages():
			if string(m.Payload) != want {
				t.Errorf("got %s, want what is %s", m.Payload, want)
			}
		case <-time.After(linktest.Patience):
			t.Fatalf("not in time: what is %s", want)
		}
	}
}

// Who applies a change first tells of it; the other's word is the same event.
func TestAnAppliedChangeIsToldOnce(t *testing.T) {
	w := linktest.NewWorld(t)
	all := replicas(t, w, gateway.Operational, 0, 0)
	var mu sync.Mutex
	ids := map[string]api.GatewayApplied{}
	stop, err := w.Bus.Watch([]event.Topic{event.GatewayApplied}, func(e event.Event) {
		var a api.GatewayApplied
		if err := e.Decode(&a); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		ids[e.ID] = a
	}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	w.AdmitDevice("p-1")
	w.AdmitDevice("p-2")
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(ids)
	}
	linktest.Eventually(t, "both are told", func() bool { return count() == 2 })
	for n := range 4 { // the other replica's word of the former ones has come when both have told of a later one
		connect(t, w, all[n%2], w.AdmitDevice(device.Ref(fmt.Sprintf("q-%d", n))))
	}
	linktest.Eventually(t, "all are told", func() bool { return count() >= 6 })
	mu.Lock()
	defer mu.Unlock()
	if len(ids) != 6 {
		t.Errorf("told %v, want one event per change", ids)
	}
	for id, a := range ids {
		if a.Gateway != w.Gateway || a.Revision == 0 || a.Removed || a.Client == "" {
			t.Errorf("%s tells %+v", id, a)
		}
	}
}
