package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/connectors/gateway"
	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/connectors/mqtt"
	"github.com/castor-iot/castor/functions/credentials"
	"github.com/castor-iot/castor/functions/gateways"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// A roaming world has the gateway manager, two real gateways and a real device.
type roaming struct {
	*functiontest.World
	t    *testing.T
	ca   *pki.CA
	stop map[string]func()
}

func newRoaming(t *testing.T) *roaming {
	w := &roaming{t: t, stop: map[string]func(){}, World: functiontest.New(t, functiontest.Functions{"gateways": gateways.New, "credentials": credentials.New})}
	cert, err := w.Base.Secrets(platform.SecretCACert)
	w.must(err)
	key, err := w.Base.Secrets(platform.SecretCAKey)
	w.must(err)
	w.ca, err = pki.LoadCA(cert, key)
	w.must(err)
	// In place of connector events.
	told := make(chan event.Event, 1000)
	unwatch, err := w.Base.Bus.Watch([]event.Topic{event.GatewayApplied}, func(e event.Event) { told <- e }, func() {})
	w.must(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range told {
			if err := w.Event("gateways", e); err != nil {
				t.Errorf("event: %v", err)
			}
		}
	}()
	t.Cleanup(func() { unwatch(); close(told); <-done })
	return w
}

// sweep is function twin-watchdog's.
func (w *roaming) sweep() {
	w.t.Helper()
	_, err := w.Part("twin-watchdog", "").Sweep(context.Background(), "gateways")
	w.must(err)
}

func (w *roaming) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// gateway runs a gateway until it dies or the test ends.
func (w *roaming) gateway(id string) *mqtt.Connector {
	w.t.Helper()
	server, err := w.ca.Server(time.Now(), "127.0.0.1")
	w.must(err)
	c, err := mqtt.New(mqtt.Config{API: w.Part("connector", id), Limits: link.Limits{Heartbeat: 100 * time.Millisecond, Drain: 200 * time.Millisecond},
		Gateway: gateway.Config{ID: id, Phase: gateway.Operational, Addr: "127.0.0.1:0", Dir: w.t.TempDir(), Bus: w.Base.Bus, Log: slog.New(slog.DiscardHandler),
			TLS:    &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: w.ca.Pool(), MinVersion: tls.VersionTLS12},
			Limits: gateway.Limits{FailureBurst: 10_000}}})
	w.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = c.Run(ctx); close(done) }()
	w.stop[id] = sync.OnceFunc(func() { cancel(); <-done })
	w.t.Cleanup(w.stop[id])
	w.heardOf(id, time.Time{})
	return c
}

// heardOf waits for a gateway's heartbeat after a time.
func (w *roaming) heardOf(id string, after time.Time) {
	w.t.Helper()
	functiontest.Eventually(w.t, "gateway "+id+" is heard of", func() bool {
		page, err := w.Part("twin-watchdog", "").ListGateways(context.Background(), "operational")
		w.must(err)
		return slices.ContainsFunc(page.Items, func(g api.Gateway) bool { return g.ID == id && g.Seen.After(after) })
	})
}

// device runs an agent that was provisioned, from a directory of its own.
func (w *roaming) device(dir string) (ref device.Ref) {
	w.t.Helper()
	ctx := context.Background()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must(err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	w.must(err)
	twins, err := platform.OpenTwins(ctx, w.Base.DB)
	w.must(err)
	w.must(twins.Insert(ctx, twin.Twin{ID: "p-1", Kind: twin.Instance, Definition: twin.Definition{Type: "pump", Owner: "press", Phase: twin.Operational}}))
	provision := w.Part("twin-provision", "")
	c, err := provision.IssueCredential(ctx, api.NewCredential{Twin: "p-1", Run: "run.1", Kind: device.Certificate,
		CSR: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}))})
	w.must(err)
	a, err := provision.AssignGateway(ctx, api.Assign{Ref: c.Ref, Twin: "p-1", Proof: api.Proof{Kind: device.Certificate, Fingerprints: []string{c.Fingerprint}}})
	w.must(err)
	bundle, err := json.Marshal(map[string]any{"confirmed": true, "serial": "P-1", "received": time.Now(), "bundle": api.Bundle{Ref: c.Ref, Twin: "p-1", Gateway: a.URL,
		Gateways: a.Alternatives, CA: string(w.ca.PEM()), Certificate: c.Certificate}})
	w.must(err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	w.must(err)
	w.must(os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	w.must(os.WriteFile(filepath.Join(dir, "bundle.json"), bundle, 0o600))
	w.agent(dir)
	return c.Ref
}

// agent runs the agent of a directory.
func (w *roaming) agent(dir string) (stop func()) {
	w.t.Helper()
	d, err := agent.New(agent.Config{Dir: dir, Serial: "P-1", Retry: agent.Retry{Min: 20 * time.Millisecond, Max: 200 * time.Millisecond}})
	w.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
		w.must(d.Close())
	})
	w.stop["agent "+dir] = stop
	w.t.Cleanup(stop)
	return stop
}

func (w *roaming) at(c *mqtt.Connector, what string) {
	w.t.Helper()
	functiontest.Eventually(w.t, what, func() bool { s, _ := c.Stats(); return s.Sessions == 1 })
}

// A device whose gateway dies is given a place elsewhere, finds it by itself, and remembers it.
func TestADeviceComesBackAtAnotherGateway(t *testing.T) {
	w := newRoaming(t)
	first := w.gateway("op-1")
	second := w.gateway("op-2")
	dir := t.TempDir()
	ref := w.device(dir)
	place, err := w.Part("twin-provision", "").GetAssignment(t.Context(), ref)
	w.must(err)
	other := "op-2"
	if place.Gateway == other {
		first, second, other = second, first, "op-1"
	}
	w.at(first, "the device is connected at its gateway")
	w.sweep()
	w.stop[place.Gateway]()
	for range 7 {
		before := w.Now()
		w.SetTime(before.Add(10 * time.Second))
		w.heardOf(other, before.Add(5*time.Second)) // of the dead one no more
		w.sweep()
	}
	w.at(second, "the device is connected at the other gateway")
	w.stop["agent "+dir]()
	functiontest.Eventually(t, "it has gone", func() bool { s, _ := second.Stats(); return s.Sessions == 0 })
	w.agent(dir)
	w.at(second, "after a restart the device is connected there again")
}

// A device whose gateway is drained is told so there, and goes over.
func TestADeviceIsToldOfItsNewGateway(t *testing.T) {
	w := newRoaming(t)
	first := w.gateway("op-1")
	ref := w.device(t.TempDir())
	w.at(first, "the device is connected")
	functiontest.Eventually(t, "its gateway has told that it knows it", func() bool {
		a, err := w.Part("twin-provision", "").GetAssignment(t.Context(), ref)
		return err == nil && a.Applied
	})
	second := w.gateway("op-2")
	if _, err := w.Admin().DrainGateway(t.Context(), "op-1", "new kernel"); err != nil {
		t.Fatal(err)
	}
	w.at(second, "the device is connected at the other gateway")
	functiontest.Eventually(t, "it has left the first", func() bool { s, _ := first.Stats(); return s.Sessions == 0 })
}
