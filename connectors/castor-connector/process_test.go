package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/infra/local"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/tests/ports"
	paho "github.com/eclipse/paho.mqtt.golang"
)

// program builds the program, once per test binary.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "castor-connector-*")
	if err != nil {
		return "", err
	}
	built = dir
	file := filepath.Join(dir, "castor-connector")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as its image, so that nothing is compiled twice
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return file, nil
})

// built is the folder of the built program; "" while there is none.
var built string

func TestMain(m *testing.M) {
	status := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(status)
}

// A deployment is what the program finds around it: NATS behind a token, a user gateway with functions, secrets as files.
type deployment struct {
	t         *testing.T
	nats      *local.NATS
	bus       *bus.Bus
	ca        *pki.CA
	secrets   string
	functions *linktest.Platform
	gateway   string
	onEvents  func(body []byte) // what function probe does with events
	keys      api.JWKS          // what function users signs with

	mu     sync.Mutex
	called map[string]int // "POST /function/x/schedule" → how often
}

func deploy(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{t: t, secrets: t.TempDir(), functions: &linktest.Platform{}, called: map[string]int{}}
	var err error
	if d.nats, err = local.StartNATS(local.NATSConfig{Dir: t.TempDir(), Listen: "127.0.0.1:0", Log: linktest.Quiet}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.nats.Close)
	if d.bus, err = d.nats.Connect(t.Context(), bus.Logger(linktest.Quiet)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.bus.Close() })
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	d.gateway = s.URL
	cert, key, err := pki.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if d.ca, err = pki.LoadCA(cert, key); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"castor-nats-token": d.nats.Token() + "\n", "castor-ca": string(cert), "castor-verifier": "a key of 32 bytes, for this test", "basic-auth-user": "admin", "basic-auth-password": "secret",
		"castor-part-events": "its secret", "castor-part-stream": "its secret", platform.PartSecret("connector", "op-1"): "its secret",
	} {
		d.secret(name, value)
	}
	d.renew("127.0.0.1")
	d.put(api.FilledKey, "") // function gateways would do that
	return d
}

// ServeHTTP is the user gateway: tokens, one function with a schedule, and what a link needs.
func (d *deployment) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	d.called[r.Method+" "+r.URL.Path]++
	d.mu.Unlock()
	switch {
	case r.URL.Path == "/function/users/keys":
		_ = json.NewEncoder(w).Encode(d.keys)
	case r.URL.Path == "/function/users/token" || strings.HasPrefix(r.URL.Path, "/function/users/"):
		_ = json.NewEncoder(w).Encode(api.Token{Access: "token", Expires: time.Now().Add(10 * time.Minute)})
	case r.URL.Path == "/system/functions":
		if user, password, _ := r.BasicAuth(); user != "admin" || password != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `[{"name":"probe","annotations":{"schedule":"@every 1s","topic":"twin.changed"}}]`)
	case r.URL.Path == "/function/probe/events" && d.onEvents != nil:
		body, _ := io.ReadAll(r.Body)
		d.onEvents(body)
	case strings.HasPrefix(r.URL.Path, "/function/probe/"):
	default:
		d.functions.ServeHTTP(w, r)
	}
}

func (d *deployment) calls(what string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.called[what]
}

func (d *deployment) secret(name, value string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.secrets, name), []byte(value), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// renew gives the gateways another certificate and returns its serial number.
func (d *deployment) renew(host string) string {
	d.t.Helper()
	pair, err := d.ca.Server(time.Now(), host)
	if err != nil {
		d.t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		d.t.Fatal(err)
	}
	var chain []byte
	for _, der := range pair.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	d.secret("castor-gateway-cert", string(chain))
	d.secret("castor-gateway-key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		d.t.Fatal(err)
	}
	return leaf.SerialNumber.String()
}

// admit lets a device in at gateway op-1.
func (d *deployment) admit(ref string) tls.Certificate {
	d.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		d.t.Fatal(err)
	}
	text, fingerprint, _, err := d.ca.Device(time.Now(), ref, &x509.CertificateRequest{PublicKey: key.Public()}, time.Hour)
	if err != nil {
		d.t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	value, err := json.Marshal(api.Admission{Client: ref, Phase: "operational", Fingerprints: []string{fingerprint}})
	if err != nil {
		d.t.Fatal(err)
	}
	d.put(api.AdmissionKey(ref), string(value))
	return tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: key}
}

// put puts something into the bucket of gateway op-1.
func (d *deployment) put(key, value string) {
	d.t.Helper()
	b, err := d.bus.Bucket(d.t.Context(), api.BucketOf("op-1"))
	if err == nil {
		_, err = b.Put(d.t.Context(), key, []byte(value))
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// dismiss takes a device's place at gateway op-1.
func (d *deployment) dismiss(ref string) {
	d.t.Helper()
	b, err := d.bus.Bucket(d.t.Context(), api.BucketOf("op-1"))
	if err == nil {
		_, err = b.Delete(d.t.Context(), api.AdmissionKey(ref))
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// A running program.
type running struct {
	t       *testing.T
	cmd     *exec.Cmd
	errs    bytes.Buffer
	done    chan struct{}
	health  string
	address string
}

func freePort(t *testing.T) string { return ports.Free(t) }

// run starts the program.
func (d *deployment) run(connector string, more ...string) *running {
	d.t.Helper()
	file, err := program()
	if err != nil {
		d.t.Fatal(err)
	}
	r := &running{t: d.t, cmd: exec.Command(file, connector), done: make(chan struct{}), health: freePort(d.t), address: freePort(d.t)}
	r.cmd.Env = append([]string{"CASTOR_NATS_URL=" + d.nats.URL(), "CASTOR_GATEWAY_URL=" + d.gateway, "CASTOR_SECRETS=" + d.secrets, "CASTOR_METRICS=" + r.health,
		"CASTOR_GATEWAY_ID=op-1", "CASTOR_GATEWAY_PHASE=operational", "CASTOR_LISTEN=" + r.address, "CASTOR_PUBLIC_URL=" + schemes[connector] + "://127.0.0.1:8883",
		"CASTOR_DIR=" + filepath.Join(d.t.TempDir(), "new")}, more...)
	r.cmd.Stderr = &r.errs
	if err := r.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		_ = r.cmd.Wait()
		close(r.done)
	}()
	d.t.Cleanup(func() {
		r.end(syscall.SIGKILL)
		if d.t.Failed() {
			d.t.Logf("%s said:\n%s", connector, r.errs.String())
		}
	})
	return r
}

// end sends the process a signal and waits until it has ended.
func (r *running) end(s syscall.Signal) {
	r.t.Helper()
	_ = r.cmd.Process.Signal(s) // it may have ended
	select {
	case <-r.done:
	case <-time.After(linktest.Patience):
		_ = r.cmd.Process.Kill()
		r.t.Fatalf("the process does not end on %s", s)
	}
}

// is waits until /readyz answers with status.
func (r *running) is(status int) {
	r.t.Helper()
	linktest.Eventually(r.t, fmt.Sprintf("/readyz says %d", status), func() bool {
		response, err := http.Get("http://" + r.health + "/readyz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == status
	})
}

// A device on MQTT that is connected again wherever pick says.
func (d *deployment) device(ref string, cert tls.Certificate, address string) (paho.Client, *tls.ConnectionState, error) {
	config := &tls.Config{RootCAs: d.ca.Pool(), ServerName: "127.0.0.1", Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	var seen tls.ConnectionState
	config.VerifyConnection = func(s tls.ConnectionState) error { seen = s; return nil }
	o := paho.NewClientOptions().AddBroker("tls://" + address).SetClientID(ref).SetTLSConfig(config).SetAutoReconnect(false).SetConnectTimeout(linktest.Patience)
	c := paho.NewClient(o)
	token := c.Connect()
	token.WaitTimeout(linktest.Patience)
	return c, &seen, token.Error()
}

func (d *deployment) connected(ref string, cert tls.Certificate, address string) (c paho.Client, serial string) {
	d.t.Helper()
	linktest.Eventually(d.t, ref+" is let in", func() bool {
		got, seen, err := d.device(ref, cert, address)
		if err != nil {
			return false
		}
		c, serial = got, seen.PeerCertificates[0].SerialNumber.String()
		return true
	})
	d.t.Cleanup(func() { c.Disconnect(0) })
	return c, serial
}

func TestAGatewayAsAProcess(t *testing.T) {
	d := deploy(t)
	cert := d.admit("p-1")
	r := d.run("mqtt")
	r.is(http.StatusOK)
	c, before := d.connected("p-1", cert, r.address)
	token := c.Publish("castor/p-1/telemetry", 1, false, `{"epoch":1,"seq":1,"data":{"rpm":1}}`)
	if !token.WaitTimeout(linktest.Patience) || token.Error() != nil {
		t.Fatalf("not acknowledged: %v", token.Error())
	}
	if got := d.functions.Stored(linktest.TwinOf("p-1")); len(got) != 1 || got[0].Kind != telemetry.Telemetry {
		t.Errorf("acknowledged, and stored are %+v", got)
	}
	renewed := d.renew("127.0.0.1")
	linktest.Eventually(t, "the new certificate is shown", func() bool {
		_, seen, err := d.device("p-1", cert, r.address)
		return err == nil && seen.PeerCertificates[0].SerialNumber.String() == renewed && renewed != before
	})
	r.end(syscall.SIGTERM)
	if code := r.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("ended with status %d on SIGTERM", code)
	}
	linktest.Eventually(t, "the device is told of as gone", func() bool {
		p := d.functions.Presence(linktest.TwinOf("p-1"))
		return len(p) > 0 && p[len(p)-1].Samples[0].Value == false
	})
}

func TestEventsAsAProcess(t *testing.T) {
	d := deploy(t)
	one, two := d.run("events"), d.run("events")
	one.is(http.StatusOK)
	two.is(http.StatusOK)
	ticks := func() int { return d.calls("POST /function/probe/schedule") }
	linktest.Eventually(t, "the schedule is kept", func() bool { return ticks() > 1 })
	began, at := time.Now(), ticks()
	linktest.Eventually(t, "it is kept on", func() bool { return ticks() > at+1 })
	floor := max(0, time.Since(began)-2*time.Second) // two seconds are what two ticks take
	one.end(syscall.SIGKILL)
	killed := time.Now()
	at = ticks()
	linktest.Eventually(t, "the other goes on", func() bool { return ticks() > at+1 })
	if took := time.Since(killed); took > soon(floor) {
		t.Errorf("the other went on after %s", took)
	}
	two.end(syscall.SIGTERM)
	if code := two.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("ended with status %d on SIGTERM", code)
	}
}

func TestWhatIsSetWronglyIsToldByName(t *testing.T) {
	good := map[string]string{"CASTOR_NATS_URL": "nats://nats:4222", "CASTOR_GATEWAY_URL": "http://gateway:8080", "CASTOR_GATEWAY_ID": "op-1",
		"CASTOR_GATEWAY_PHASE": "operational", "CASTOR_PUBLIC_URL": "tls://mqtt.example.com:8883", "CASTOR_SECRETS": t.TempDir(), "CASTOR_METRICS": "off"}
	for name, c := range map[string]struct {
		variable, value string
		status          int
		says            string
	}{
		"a bus without a scheme":         {"CASTOR_NATS_URL", "nats:4222", 2, "like nats://nats:4222"},
		"no user gateway":                {"CASTOR_GATEWAY_URL", "", 2, "CASTOR_GATEWAY_URL is not set"},
		"an id that no bucket can have":  {"CASTOR_GATEWAY_ID", "op 1", 2, "letters, digits"},
		"a phase there is not":           {"CASTOR_GATEWAY_PHASE", "both", 2, "provisioning or operational"},
		"a URL without a port":           {"CASTOR_PUBLIC_URL", "tls://host", 2, "a host and a port"},
		"a port without a colon":         {"CASTOR_LISTEN", "8883", 2, "CASTOR_LISTEN"},
		"a capacity in words":            {"CASTOR_CAPACITY", "many", 2, "a number from 1"},
		"balancers that are no networks": {"CASTOR_BALANCERS", "10.0.0.0/99", 2, "addresses or networks"},
		"no secrets":                     {"CASTOR_REGION", "", 1, "castor-gateway-cert"},
	} {
		t.Run(name, func(t *testing.T) {
			env := func(n string) string {
				if n == c.variable {
					return c.value
				}
				return good[n]
			}
			ctx, cancel := context.WithTimeout(t.Context(), linktest.Patience)
			defer cancel()
			var errs bytes.Buffer
			if status := start(ctx, []string{"mqtt"}, env, io.Discard, &errs); status != c.status || !strings.Contains(errs.String(), c.says) {
				t.Errorf("status %d, it says %s; want %d and %q", status, errs.String(), c.status, c.says)
			}
		})
	}
}

func TestHelpNamesEverySetting(t *testing.T) {
	for _, c := range commands {
		var out bytes.Buffer
		if status := start(t.Context(), []string{c.name, "--help"}, func(string) string { return "" }, &out, io.Discard); status != 0 {
			t.Errorf("%s --help ended with %d", c.name, status)
		}
		for _, s := range c.settings {
			if s.example == "" || s.what == "" || !strings.Contains(out.String(), s.name) || !strings.Contains(out.String(), s.example) {
				t.Errorf("%s --help does not tell of %s with an example", c.name, s.name)
			}
			if s.check != nil && (s.check(s.example) != nil || s.otherwise != "" && s.check(s.otherwise) != nil) {
				t.Errorf("%s %s: its own example or default is refused", c.name, s.name)
			}
		}
	}
	if status := start(t.Context(), []string{"coap"}, func(string) string { return "" }, io.Discard, io.Discard); status != 2 {
		t.Errorf("an unknown connector ended with %d", status)
	}
}
