package mosquitto_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/castor-iot/castor/connectors/gateway/configurator"
	"github.com/castor-iot/castor/connectors/gateway/configurator/configuratortest"
	"github.com/castor-iot/castor/connectors/gateway/mosquitto"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/seal"
	paho "github.com/eclipse/paho.mqtt.golang"
)

// A broker is a real mosquitto with dynamic security.
type broker struct {
	t        testing.TB
	dir      string
	password string
	control  string // address of the administrator's listener
	certs    string // address of the listener for certificates
	words    string // address of the listener for passwords
	process  *exec.Cmd
}

// newBroker writes the configuration of docs/gateways.md and starts the broker.
func newBroker(t testing.TB, w *linktest.World) *broker {
	t.Helper()
	for _, name := range []string{"mosquitto", "mosquitto_ctrl"} {
		if _, err := program(name); err != nil {
			t.Fatalf("%v: install Debian's package mosquitto", err)
		}
	}
	b := &broker{t: t, dir: t.TempDir(), password: rand.Text(), control: free(t), certs: free(t), words: free(t)}
	w.CA.WriteFiles(t, b.dir)
	revoked, err := w.Revoked(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.write("revoked.pem", revoked)
	b.forget()
	plugin := first("/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so", "/usr/lib/aarch64-linux-gnu/mosquitto_dynamic_security.so", "/usr/lib/mosquitto_dynamic_security.so")
	var c bytes.Buffer
	if me, err := user.Current(); err == nil {
		fmt.Fprintf(&c, "user %s\n", me.Username) // else it becomes another, who may not read this test's files
	}
	fmt.Fprintf(&c, "per_listener_settings false\nallow_anonymous false\nplugin %s\nplugin_opt_config_file %s\n", plugin, b.file("dynamic-security.json"))
	fmt.Fprintf(&c, "log_dest file %s\nlog_type all\nmessage_size_limit 262144\n", b.file("log"))
	_, port, _ := net.SplitHostPort(b.control)
	fmt.Fprintf(&c, "listener %s 127.0.0.1\n", port)
	_, port, _ = net.SplitHostPort(b.certs)
	fmt.Fprintf(&c, "listener %s 127.0.0.1\ncafile %s\ncertfile %s\nkeyfile %s\nrequire_certificate true\nuse_identity_as_username true\nuse_username_as_clientid true\ncrlfile %s\n",
		port, b.file("ca.pem"), b.file("server.pem"), b.file("server.key"), b.file("revoked.pem"))
	_, port, _ = net.SplitHostPort(b.words)
	fmt.Fprintf(&c, "listener %s 127.0.0.1\ncafile %s\ncertfile %s\nkeyfile %s\n", port, b.file("ca.pem"), b.file("server.pem"), b.file("server.key"))
	b.write("mosquitto.conf", c.Bytes())
	b.start()
	t.Cleanup(func() { b.stop() })
	return b
}

func program(name string) (string, error) {
	for _, dir := range []string{"/usr/sbin/", "/usr/bin/", "/usr/local/sbin/"} {
		if _, err := os.Stat(dir + name); err == nil {
			return dir + name, nil
		}
	}
	return exec.LookPath(name)
}

func first(files ...string) string {
	for _, f := range files {
		if _, err := os.Stat(f); err == nil {
			return f
		}
	}
	return files[0]
}

func free(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (b *broker) file(name string) string { return filepath.Join(b.dir, name) }

func (b *broker) write(name string, content []byte) {
	b.t.Helper()
	if err := os.WriteFile(b.file(name), content, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// forget makes the plugin's file anew: it knows its administrator alone.
func (b *broker) forget() {
	b.t.Helper()
	_ = os.Remove(b.file("dynamic-security.json"))
	ctrl, err := program("mosquitto_ctrl")
	if err == nil {
		err = exec.Command(ctrl, "dynsec", "init", b.file("dynamic-security.json"), "admin", b.password).Run()
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *broker) start() {
	b.t.Helper()
	name, err := program("mosquitto")
	if err != nil {
		b.t.Fatal(err)
	}
	log, _ := os.ReadFile(b.file("log"))
	before := bytes.Count(log, []byte(" running\n"))
	b.process = exec.Command(name, "-c", b.file("mosquitto.conf"))
	if err := b.process.Start(); err != nil {
		b.t.Fatal(err)
	}
	linktest.Eventually(b.t, "mosquitto runs: before, a signal ends it", func() bool {
		log, _ := os.ReadFile(b.file("log"))
		return bytes.Count(log, []byte(" running\n")) > before
	})
}

func (b *broker) stop() {
	if b.t.Failed() {
		log, _ := os.ReadFile(b.file("log"))
		b.t.Logf("%s", log[max(0, len(log)-6000):])
	}
	_ = b.process.Process.Signal(syscall.SIGTERM)
	_ = b.process.Wait()
}

// key is the gateway's own, which passwords are sealed to.
var key = sync.OnceValues(func() (string, []byte) {
	public, private, err := seal.NewKey()
	if err != nil {
		panic(err)
	}
	return public, private
})

func TestSuite(t *testing.T) {
	var mu sync.Mutex
	brokers := map[*linktest.World]*broker{}
	configuratortest.Run(t, configuratortest.Gateway{
		Kinds: []device.Kind{device.Certificate, device.Password},
		Seal: func(t testing.TB, w *linktest.World, a *api.Admission, secret string) {
			public, err := base64.StdEncoding.DecodeString(first2(key()))
			if err == nil {
				a.Sealed, err = seal.Seal(public, api.SealInfo(device.Ref(a.Client)), fmt.Appendf(nil, `{"secret":%q}`, secret))
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		Start: func(t testing.TB, w *linktest.World) configuratortest.Running {
			mu.Lock()
			b := brokers[w]
			mu.Unlock()
			if b == nil { // it outlives its configurator
				b = newBroker(t, w)
				mu.Lock()
				brokers[w] = b
				mu.Unlock()
			}
			return configuratortest.Running{
				Dial:   func(id linktest.Identity) (configuratortest.Device, error) { return dial(w, b, id) },
				Stop:   configure(t, w, b),
				Forget: func() { b.stop(); b.forget(); b.start() },
			}
		},
	})
}

func first2(a string, _ []byte) string { return a }

func configure(t testing.TB, w *linktest.World, b *broker) (stop func()) {
	t.Helper()
	control, err := mosquitto.NewControl(mosquitto.Login{URL: "tcp://" + b.control, User: "admin", Password: b.password})
	if err != nil {
		t.Fatal(err)
	}
	_, private := key()
	target := mosquitto.New(mosquitto.Config{Gateway: w.Gateway, Control: control, Key: private, Revocations: &mosquitto.Revocations{
		File: b.file("revoked.pem"), Get: w.Revoked, Reload: func() error { return b.process.Process.Signal(syscall.SIGHUP) }}})
	c, err := configurator.New(configurator.Config{Gateway: api.Gateway{ID: w.Gateway, Phase: "operational", Protocol: "mqtt", URL: "tls://" + b.certs},
		API: w.API, Bus: w.Bus, Target: target, Dir: w.Dir, Log: linktest.Quiet, Heartbeat: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
		control.Close()
	})
	t.Cleanup(stop)
	return stop
}

// A client is a device: it is in when it may hear what is for it.
type client struct {
	paho.Client
	ref  string
	gone chan struct{}
}

func dial(w *linktest.World, b *broker, id linktest.Identity) (configuratortest.Device, error) {
	c := &client{ref: id.Client, gone: make(chan struct{})}
	address := b.words
	if id.Certificate != nil {
		address = b.certs
	}
	leave := sync.OnceFunc(func() { close(c.gone) })
	o := paho.NewClientOptions().AddBroker("tls://" + address).SetClientID(id.Client).SetUsername(id.User).SetPassword(id.Password)
	o.SetTLSConfig(w.CA.Client(id)).SetProtocolVersion(4).SetAutoReconnect(false).SetConnectTimeout(5 * time.Second).SetConnectionLostHandler(func(paho.Client, error) { leave() })
	c.Client = paho.NewClient(o)
	if err := wait(c.Connect()); err != nil {
		return nil, err
	}
	topic := "castor/" + id.Client + "/ack"
	t := c.Subscribe(topic, 1, nil).(*paho.SubscribeToken)
	err := wait(t)
	if err == nil && t.Result()[topic] > 2 {
		err = errors.New("the device may not hear what is for it")
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func wait(t paho.Token) error {
	if !t.WaitTimeout(5 * time.Second) {
		return errors.New("no answer")
	}
	return t.Error()
}

func (c *client) Publish() error {
	if !c.IsConnectionOpen() {
		return errors.New("not connected")
	}
	return wait(c.Client.Publish("castor/"+c.ref+"/telemetry", 1, false, []byte(`{"rpm":1}`)))
}

func (c *client) Gone() <-chan struct{} { return c.gone }
func (c *client) Close()                { c.Disconnect(0) }

// A password that mosquitto has lost, and that nobody keeps, must be issued anew; a certificate comes back by itself.
func TestAPasswordThatIsLostIsSaidToBe(t *testing.T) {
	w := linktest.NewWorld(t)
	b := newBroker(t, w)
	control, err := mosquitto.NewControl(mosquitto.Login{URL: "tcp://" + b.control, User: "admin", Password: b.password})
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	public, private := key()
	target := mosquitto.New(mosquitto.Config{Gateway: w.Gateway, Control: control, Key: private})
	ctx, cancel := context.WithTimeout(t.Context(), linktest.Patience)
	defer cancel()
	linktest.Eventually(t, "the administrator is connected", func() bool { _, err := target.State(ctx); return err == nil })
	raw, err := base64.StdEncoding.DecodeString(public)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := seal.Seal(raw, api.SealInfo("p-1"), []byte(`{"secret":"s3cret"}`))
	if err != nil {
		t.Fatal(err)
	}
	a := api.Admission{Client: "p-1", Phase: "operational", Kind: device.Password, Username: "pump 1", Verifiers: []string{"aa"}, Sealed: sealed}
	id := linktest.Identity{Client: "p-1", User: "pump 1", Password: "s3cret"}
	if err := target.Apply(ctx, a); err != nil {
		t.Fatal(err)
	}
	a.Sealed = "" // the platform has erased it
	if err := target.Apply(ctx, a); err != nil {
		t.Errorf("mosquitto has the password: %v", err)
	}
	if _, err := dial(w, b, id); err != nil {
		t.Errorf("the device is refused: %v", err)
	}
	before, err := target.State(ctx)
	if err != nil {
		t.Fatal(err)
	}
	b.stop()
	b.forget()
	b.start()
	linktest.Eventually(t, "the administrator is back", func() bool {
		now, err := target.State(ctx)
		return err == nil && now != before
	})
	if err := target.Apply(ctx, a); !errors.Is(err, configurator.ErrLost) {
		t.Errorf("the password is lost: %v", err)
	}
	if err := target.Apply(ctx, api.Admission{Client: "p-2", Kind: device.Token, Verifiers: []string{"bb"}}); !errors.Is(err, configurator.ErrLost) {
		t.Errorf("a token: %v", err)
	}
}
