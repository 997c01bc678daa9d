package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/twin"
)

// What devices prove themselves by, whatever they speak: each kind lets its device in and nobody else, ends when people say so, and
// is refused everywhere from then on.
func TestWhatDevicesProveThemselvesBy(t *testing.T) {
	t.Parallel()
	w := NewWorld(t)
	w.Type("pump", func(m *twin.Model) { m.OnDelete = "archive" })
	w.Type("short", func(m *twin.Model) { m.CredentialLifetime = twin.Duration(15 * time.Second) })
	w.Group("plant")
	for name, story := range map[string]func(*World){"every kind on every protocol": (*World).everyKind, "a device is replaced": (*World).replaced,
		"suspended and resumed": (*World).suspended, "decommissioned": (*World).decommissioned, "renewed": (*World).renewed} {
		t.Run(name, func(t *testing.T) { t.Parallel(); story(w.In(t)) })
	}
}

// soon is how long one step of a story may take, on a machine that is busy with other things too.
func (w *World) soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(w.Context(), time.Minute)
}

// everyKind has a device of each kind come in and report on each protocol; another's secret, or none, reports nothing.
func (w *World) everyKind() {
	claim := w.Claim("pump", "plant", func(c *api.NewClaim) { c.MaxUses = 100 })
	kinds := []device.Kind{device.Certificate, device.Token, device.Password, device.APIKey}
	var all sync.WaitGroup
	for protocol, v := range wires {
		for _, kind := range kinds {
			if protocol == "mqtt" && kind == device.APIKey { // the same as a token there
				continue
			}
			serial := strings.ToUpper(protocol) + "-" + string(kind)
			w.Identity(serial)
			all.Go(func() {
				m, p := w.comesIn(protocol, serial, kind, claim)
				ctx, cancel := w.soon()
				defer cancel()
				if err := v.report(ctx, m.operational(), p, p.ref, map[string]any{"rpm": 1450}); err != nil {
					w.Errorf("%s on %s: %v", kind, protocol, err)
				}
				if got := w.Reported(m.bundle.Twin, "rpm"); got != 1450.0 {
					w.Errorf("%s on %s: its twin reports %v", kind, protocol, got)
				}
				w.Eventually(serial+" is operational", func() bool { return w.Twin(m.bundle.Twin).Definition.Phase == twin.Operational })
				if kind.Secret() {
					bad := p
					bad.secret = p.secret[:len(p.secret)-3] + "AAA"
					if err := v.report(ctx, m.operational(), bad, p.ref, map[string]any{"rpm": 1}); !refused(err) {
						w.Errorf("%s on %s with a wrong secret: %v", kind, protocol, err)
					}
				}
				facts, err := w.Admin.ListCredentials(w.Context(), m.bundle.Twin)
				w.must(err, "credentials")
				if len(facts.Items) != 1 || facts.Items[0].Kind != kind || facts.Items[0].State != api.CredentialActive {
					w.Errorf("%s on %s is known as %+v", kind, protocol, facts.Items)
				}
			})
		}
	}
	all.Wait()
}

// refusedEverywhere fails unless no gateway lets a device in by what it shows.
func (w *World) refusedEverywhere(what string, p proof, ca string) {
	w.Helper()
	ctx, cancel := w.soon()
	defer cancel()
	for protocol, v := range wires {
		if err := v.report(ctx, w.inside(protocol, ca), p, p.ref, map[string]any{"rpm": 666}); !refused(err) {
			w.Errorf("%s reports over %s: %v", what, protocol, err)
		}
	}
}

// A new device takes over a twin: what it was and what it said stay, and the old device is refused wherever it tries.
func (w *World) replaced() {
	claim := w.Claim("pump", "plant")
	w.Identity("OLD-1")
	before, shown := w.comesIn("mqtt", "OLD-1", device.Certificate, claim)
	ctx, cancel := w.soon()
	defer cancel()
	w.must(wires["mqtt"].report(ctx, before.operational(), shown, shown.ref, map[string]any{"rpm": 1}), "the old one reports")
	id := before.bundle.Twin
	_, err := w.Admin.ReplaceDevice(w.Context(), api.Replacement{Twin: id, Serial: "NEW-1", Reason: "burnt out"})
	w.must(err, "replace")
	after, p := w.comesIn("grpc", "NEW-1", device.Token, claim)
	if after.bundle.Twin != id {
		w.Errorf("the new device is %s, want %s", after.bundle.Twin, id)
	}
	w.must(wires["grpc"].report(ctx, after.operational(), p, p.ref, map[string]any{"rpm": 2}), "the new one reports")
	if n := len(w.History(id, "rpm")); n != 2 {
		w.Errorf("history has %d readings, want one of each device", n)
	}
	w.refusedEverywhere("the replaced device", shown, before.bundle.CA)
	a, err := wires["mqtt"].ask(ctx, w.door("mqtt", claim.CA), claim, "pump", before.request("OLD-1", device.Certificate))
	if err != nil || a.Status != "rejected" || !strings.Contains(a.Reason, "replaced") {
		w.Errorf("the replaced device asks, and is told %+v, %v", a, err)
	}
}

// People suspend a device: it is cut off within a second, and comes back by itself when it may.
func (w *World) suspended() {
	pump := w.Provision("pump", "S-1", "plant")
	w.Measure(pump, "rpm", 1)
	w.Drained(pump)
	_, err := w.Admin.SuspendTwin(w.Context(), pump.Twin(), "leaks")
	w.must(err, "suspend")
	w.within(time.Second, "the suspended device is cut off", func() bool { return pump.Phase().Phase == agent.Waiting })
	w.Measure(pump, "rpm", 2)
	_, err = w.Admin.ResumeTwin(w.Context(), pump.Twin(), "mended")
	w.must(err, "resume")
	w.Drained(pump)
	if n := len(w.History(pump.Twin(), "rpm")); n != 2 {
		w.Errorf("history has %d readings, want 2", n)
	}
}

// A device is taken out of service: first its access ends, everywhere, then its data is archived, and the proof of that stays.
func (w *World) decommissioned() {
	claim := w.Claim("pump", "plant")
	w.Identity("D-1")
	m, p := w.comesIn("http", "D-1", device.Certificate, claim)
	ctx, cancel := w.soon()
	defer cancel()
	w.must(wires["http"].report(ctx, m.operational(), p, p.ref, map[string]any{"rpm": 1}), "report")
	_, err := w.Admin.Decommission(w.Context(), m.bundle.Twin, api.NewDecommission{Data: "archive", Reason: "scrapped"})
	w.must(err, "decommission")
	var d api.Decommission
	w.Eventually("it is done", func() bool {
		d, err = w.Admin.GetDecommission(w.Context(), m.bundle.Twin)
		w.must(err, "proof")
		return d.State == api.DecommissionDone
	})
	if d.By != "user:admin" || d.Reason != "scrapped" || d.Messages != 1 || d.Records == 0 || len(d.SHA256) != 64 || d.Archive == "" || d.Removed.IsZero() {
		w.Errorf("the proof is %+v", d)
	}
	if len(d.Credentials) != 1 || d.Credentials[0].Ended.IsZero() || d.Credentials[0].Ended.After(d.Removed) {
		w.Errorf("of its credentials the proof says %+v", d.Credentials)
	}
	if len(d.Places) != 1 || d.Places[0].Gateway != "operational-http-1" || d.Places[0].Revision == 0 || d.Places[0].Applied.IsZero() {
		w.Errorf("of its places the proof says %+v", d.Places)
	}
	if _, err := w.Admin.GetTwin(w.Context(), m.bundle.Twin); !errors.Is(err, api.ErrNotFound) {
		w.Errorf("its twin: %v", err)
	}
	w.refusedEverywhere("the decommissioned device", p, m.bundle.CA)
}

// A device has renewed its certificate while it reported: nothing is lost, and the old one, which a thief has kept, is refused by
// every gateway.
func (w *World) renewed() {
	dir := w.TempDir()
	w.Identity("R-1")
	pump := w.DeviceIn(dir, w.Claim("short", "plant"), "R-1")
	w.Ready(pump)
	stolen := stolenFrom(w.T, dir)
	n := 0
	w.Eventually("it has renewed its certificate", func() bool {
		w.Measure(pump, "rpm", float64(n))
		n++
		return w.renewals(pump.Twin()) > 0
	})
	w.Measure(pump, "rpm", -1)
	w.Drained(pump)
	if got := len(w.History(pump.Twin(), "rpm")); got != n+1 {
		w.Errorf("history has %d readings, want %d", got, n+1)
	}
	ca, err := w.Client("").CA(w.Context())
	w.must(err, "CA")
	w.refusedEverywhere("who has the old certificate", stolen, ca)
	w.must(pump.Close(), "switch it off")
}

// stolenFrom is what somebody can show who has read a device's directory.
func stolenFrom(t *testing.T, dir string) proof {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "bundle.json"))
	if err != nil {
		t.Fatal(err)
	}
	var kept struct {
		Bundle api.Bundle
		Key    string
	}
	if err := json.Unmarshal(b, &kept); err != nil {
		t.Fatal(err)
	}
	if kept.Key != "" {
		key = []byte(kept.Key)
	}
	c, err := tls.X509KeyPair([]byte(kept.Bundle.Certificate), key)
	if err != nil {
		t.Fatal(err)
	}
	return proof{ref: kept.Bundle.Ref, kind: device.Certificate, certificate: &c}
}
