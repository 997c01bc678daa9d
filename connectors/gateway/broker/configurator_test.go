package broker_test

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/mochi-mqtt/server/v2/packets"
)

func decode(t *testing.T, e event.Event) (a api.GatewayApplied) {
	t.Helper()
	if err := e.Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}

// "Registered" in a provisioning run means that the gateway has written back what it applied: once, and not again when
// it restarts.
func TestWhatIsAppliedIsToldOnce(t *testing.T) {
	w := linktest.NewWorld(t)
	told := applied(t, w.Bus)
	_, stop := run(t, w, &taker{}, nil)
	cert := w.CA.Issue(t, "p-1")
	first := w.Admit(api.Admission{Client: "p-1", Phase: "operational", Fingerprints: []string{linktest.Fingerprint(cert)}})
	linktest.Eventually(t, "it is told", func() bool { return len(told()) == 1 })
	if a, e := decode(t, told()[0]), told()[0]; e.Subject != "p-1" || a != (api.GatewayApplied{Gateway: w.Gateway, Client: "p-1", Revision: first}) {
		t.Errorf("told %+v of %s", a, e.Subject)
	}
	second := w.Dismiss("p-1")
	linktest.Eventually(t, "the removal is told", func() bool { return len(told()) == 2 })
	if a := decode(t, told()[1]); a != (api.GatewayApplied{Gateway: w.Gateway, Client: "p-1", Revision: second, Removed: true}) {
		t.Errorf("told %+v", a)
	}
	w.AdmitDevice("p-2")
	linktest.Eventually(t, "the next is told", func() bool { return len(told()) == 3 })
	stop()
	away := w.Admit(api.Admission{Client: "p-3", Phase: "operational", Fingerprints: []string{linktest.Fingerprint(cert)}})
	w.Dismiss("p-2")
	run(t, w, &taker{}, nil)
	linktest.Eventually(t, "what came meanwhile is told", func() bool { return len(told()) == 5 })
	w.AdmitDevice("p-4")
	linktest.Eventually(t, "the next is told", func() bool { return len(told()) >= 6 })
	got := make(map[string]int)
	for _, e := range told() {
		got[e.ID]++
	}
	if len(got) != 6 || len(told()) != 6 {
		t.Errorf("told %v, want six changes once each", got)
	}
	if a := decode(t, told()[3]); a.Client != "p-3" || a.Revision != away {
		if a := decode(t, told()[4]); a.Client != "p-3" || a.Revision != away {
			t.Errorf("what came meanwhile is told as %+v", a)
		}
	}
}

// A gateway that restarts while the bus is away serves the devices it knew, and tells nothing it does not know to be told.
func TestKnownDevicesAreServedWithoutTheBus(t *testing.T) {
	w := linktest.NewWorld(t)
	b, kill := linktest.StartServer(t)
	w.Bus = b
	g, stop := run(t, w, &taker{}, nil)
	id, removed := w.AdmitDevice("p-1"), w.AdmitDevice("p-2")
	admitted(t, w, g, id, nil)
	admitted(t, w, g, removed, nil)
	w.Dismiss("p-2")
	linktest.Eventually(t, "it is removed", func() bool { return len(g.Sessions()) == 1 })
	stop()
	kill()
	g, _ = run(t, w, &taker{}, nil)
	if _, code := connect(t, w, g, id, nil); code != 0 {
		t.Errorf("a known device was answered %#x", code)
	}
	if _, code := connect(t, w, g, removed, nil); code == 0 {
		t.Error("a removed device was let in")
	}
}

func TestAChangeCutsTheSessionsItConcerns(t *testing.T) {
	w := linktest.NewWorld(t)
	g, _ := run(t, w, &taker{}, nil)
	told := applied(t, w.Bus)
	id, other := w.AdmitDevice("p-1"), w.AdmitDevice("p-2")
	d, stays := admitted(t, w, g, id, nil), admitted(t, w, g, other, nil)
	same := api.Admission{Client: "p-1", Phase: "operational", Fingerprints: []string{linktest.Fingerprint(*id.Certificate)}, Expires: time.Now().Add(time.Hour)}
	w.Admit(same)
	linktest.Eventually(t, "all are told", func() bool { return len(told()) == 3 })
	d.publish("castor/p-1/telemetry", 1, 1, "{}")
	d.expect(packets.Puback) // the same credential put again cuts nothing
	renewed := w.AdmitDevice("p-1")
	d.ends()
	if _, code := connect(t, w, g, id, nil); code == 0 {
		t.Error("the former certificate was let in")
	}
	admitted(t, w, g, renewed, nil)
	stays.publish("castor/p-2/telemetry", 1, 1, "{}")
	stays.expect(packets.Puback)
	if n := g.Stats().Cut; n != 1 {
		t.Errorf("%d sessions were cut, want 1", n)
	}
}

func TestAnAdmissionEndsByItself(t *testing.T) {
	w := linktest.NewWorld(t)
	var ahead atomic.Int64
	g, _ := run(t, w, &taker{}, func(c *gateway.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	cert := w.CA.Issue(t, "p-1")
	id := linktest.Identity{Client: "p-1", Certificate: &cert}
	w.Admit(api.Admission{Client: "p-1", Phase: "operational", Fingerprints: []string{linktest.Fingerprint(cert)}, Expires: time.Now().Add(time.Hour)})
	d := admitted(t, w, g, id, nil)
	ahead.Store(int64(2 * time.Hour))
	d.ends()
	if _, code := connect(t, w, g, id, nil); code == 0 {
		t.Error("an admission that has expired was let in")
	}
}

func TestWhatIsNoAdmissionLetsNobodyIn(t *testing.T) {
	w := linktest.NewWorld(t)
	g, _ := run(t, w, &taker{}, nil)
	ids := make(map[string]linktest.Identity)
	for client, change := range map[string]func(*api.Admission){
		"phase":       func(a *api.Admission) { a.Phase = "provisioning" },
		"fingerprint": func(a *api.Admission) { a.Fingerprints = nil },
		"short":       func(a *api.Admission) { a.Fingerprints[0] = a.Fingerprints[0][:62] },
	} {
		cert := w.CA.Issue(t, client)
		ids[client] = linktest.Identity{Client: client, Certificate: &cert}
		a := api.Admission{Client: client, Phase: "operational", Fingerprints: []string{linktest.Fingerprint(cert)}}
		change(&a)
		w.Admit(a)
	}
	admitted(t, w, g, w.AdmitDevice("last"), nil)
	for client, id := range ids {
		if _, code := connect(t, w, g, id, nil); code == 0 {
			t.Errorf("%s was let in", client)
		}
	}
}

func TestADamagedFileIsPutAsideAndTheBucketIsReadAnew(t *testing.T) {
	w := linktest.NewWorld(t)
	file := filepath.Join(w.Dir, w.Gateway+".json")
	if err := os.WriteFile(file, []byte(`{"seen":7,"cli`), 0o600); err != nil {
		t.Fatal(err)
	}
	g, _ := run(t, w, &taker{}, nil)
	admitted(t, w, g, w.AdmitDevice("p-1"), nil)
	if _, err := os.Stat(file + ".damaged"); err != nil {
		t.Error(err)
	}
}
