package e2e

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/tests/cluster"
)

// Joins starts an operational MQTT gateway in a region as a process of its own beside a platform that runs; Config.NATS must say where
// the bus listens. It returns when the gateway is known; kill ends it as a power cut would.
func (w *World) Joins(id, region string) (kill func()) {
	w.Helper()
	castor, err := cluster.Castor()
	w.must(err, "the program")
	secrets, listen := w.TempDir(), cluster.FreePort(w.T)
	read := func(path ...string) []byte {
		b, err := os.ReadFile(filepath.Join(append([]string{w.Config.Dir}, path...)...))
		w.must(err, "a secret")
		return bytes.TrimSpace(b)
	}
	cert, key := read("keys", platform.SecretCACert), read("keys", platform.SecretCAKey)
	ca, err := pki.LoadCA(cert, key)
	w.must(err, "CA")
	server, err := ca.Server(time.Now(), "127.0.0.1")
	w.must(err, "certificate")
	der, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	w.must(err, "key")
	var chain []byte
	for _, c := range server.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
	}
	for name, b := range map[string][]byte{
		platform.PartSecret("connector", id): []byte(platform.DerivePart(read("keys", platform.SecretParts), "connector", id)),
		platform.SecretNATSToken:             read("nats", "token"),
		platform.SecretCACert:                cert,
		platform.SecretVerify:                read("keys", platform.SecretVerify),
		"castor-gateway-cert":                chain,
		"castor-gateway-key":                 pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	} {
		w.must(os.WriteFile(filepath.Join(secrets, name), b, 0o600), name)
	}
	cmd := exec.Command(filepath.Join(filepath.Dir(castor), "castor-connector"), "mqtt")
	cmd.Env = []string{"CASTOR_NATS_URL=nats://" + w.Config.NATS, "CASTOR_GATEWAY_URL=" + w.URL, "CASTOR_SECRETS=" + secrets, "CASTOR_METRICS=off", "CASTOR_DIR=" + w.TempDir(),
		"CASTOR_GATEWAY_ID=" + id, "CASTOR_GATEWAY_PHASE=operational", "CASTOR_LISTEN=" + listen, "CASTOR_PUBLIC_URL=tls://" + listen, "CASTOR_REGION=" + region}
	var said bytes.Buffer
	cmd.Stderr = &said
	w.must(cmd.Start(), id)
	kill = func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Signal(syscall.SIGKILL)
			_ = cmd.Wait()
		}
	}
	w.Cleanup(func() {
		kill()
		if w.Failed() {
			fmt.Fprintf(os.Stderr, "gateway %s said:\n%s\n", id, said.Bytes())
		}
	})
	w.Eventually(id+" is known", func() bool {
		g, err := w.Admin.GetGateway(w.Context(), id)
		return err == nil && !g.Seen.IsZero()
	})
	return kill
}

// sweeps has a function sweep now, as the watchdog does every few seconds.
func (w *World) sweeps(function string) {
	w.Helper()
	parts, err := os.ReadFile(filepath.Join(w.keys(), platform.SecretParts))
	w.must(err, "the platform's secret")
	tok, err := w.Client("").Exchange(w.Context(), api.Exchange{Part: "twin-watchdog", Audience: function,
		Secret: platform.DerivePart(bytes.TrimSpace(parts), "twin-watchdog", "")})
	w.must(err, "the watchdog's token")
	_, err = w.Client(tok.Access).Sweep(w.Context(), function)
	w.must(err, "sweep")
}

// A roamer is a device that knows which gateway it is connected to.
type roamer struct {
	agent *agent.Agent

	mu   sync.Mutex
	open map[net.Conn]string // address, by connection
}

// roams brings a device in that tells where it is.
func (w *World) roams(claim api.ClaimFile, serial string) *roamer {
	w.Helper()
	d := &roamer{open: map[net.Conn]string{}}
	var err error
	d.agent, err = agent.New(agent.Config{Claim: agent.Claim(claim), Serial: serial, AnswerTimeout: 5 * time.Second, Dial: d.dial,
		Retry: agent.Retry{Min: 20 * time.Millisecond, Max: time.Second}})
	w.must(err, serial)
	ctx, stop := context.WithCancel(context.WithoutCancel(w.Context()))
	done := make(chan error, 1)
	go func() { done <- d.agent.Run(ctx) }()
	w.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, d.agent.Close()); err != nil {
			w.Errorf("%s: %v", serial, err)
		}
	})
	select {
	case <-d.agent.Operational():
	case <-time.After(30 * time.Second):
		w.Fatalf("%s does not come in: %+v", serial, d.agent.Phase())
	}
	return d
}

func (d *roamer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[c] = address
	return tracked{c, d}, nil
}

// at is the address of the only connection that the device has; "" if it has none, or several.
func (d *roamer) at() (address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.open) != 1 {
		return ""
	}
	for _, address = range d.open {
	}
	return address
}

// A tracked connection is forgotten when it is closed.
type tracked struct {
	net.Conn
	of *roamer
}

// Close closes it.
func (c tracked) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c.Conn)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// placeOf is where a device has its place.
func (w *World) placeOf(d *roamer) api.Assignment {
	w.Helper()
	ref, _ := d.agent.Identity()
	a, err := w.Admin.GetAssignment(w.Context(), ref)
	w.must(err, "place")
	return a
}
