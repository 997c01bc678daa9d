// Package mosquittotest starts real mosquittos for tests, configured as docs/gateways.md says. Where there is none, tests fail.
package mosquittotest

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/castor-iot/castor/connectors/linktest"
)

// A Broker is a real mosquitto with dynamic security.
type Broker struct {
	t        testing.TB
	dir      string
	Password string // of the administrator, "admin"
	Control  string // address of the administrator's listener
	Certs    string // address of the listener for certificates
	Words    string // address of the listener for passwords
	process  *exec.Cmd
}

// New writes the configuration of docs/gateways.md and starts the broker. free gives the addresses of its listeners; it has them again
// when it is started anew, so they must be no ports that systems hand out to connections: see tests/ports.
func New(t testing.TB, w *linktest.World, free func(testing.TB) string) *Broker {
	t.Helper()
	for _, name := range []string{"mosquitto", "mosquitto_ctrl"} {
		if _, err := program(name); err != nil {
			t.Fatalf("%v: install Debian's package mosquitto", err)
		}
	}
	b := &Broker{t: t, dir: t.TempDir(), Password: rand.Text(), Control: free(t), Certs: free(t), Words: free(t)}
	w.CA.WriteFiles(t, b.dir)
	revoked, err := w.Revoked(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.write("revoked.pem", revoked)
	b.Forget()
	plugin := first("/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so", "/usr/lib/aarch64-linux-gnu/mosquitto_dynamic_security.so", "/usr/lib/mosquitto_dynamic_security.so")
	var c bytes.Buffer
	if me, err := user.Current(); err == nil {
		fmt.Fprintf(&c, "user %s\n", me.Username) // else it becomes another, who may not read this test's files
	}
	fmt.Fprintf(&c, "per_listener_settings false\nallow_anonymous false\nplugin %s\nplugin_opt_config_file %s\n", plugin, b.File("dynamic-security.json"))
	fmt.Fprintf(&c, "log_dest file %s\nlog_dest topic\nconnection_messages true\nlog_type all\nmessage_size_limit 262144\nmax_inflight_messages 0\n", b.File("log"))
	_, port, _ := net.SplitHostPort(b.Control)
	fmt.Fprintf(&c, "listener %s 127.0.0.1\n", port)
	_, port, _ = net.SplitHostPort(b.Certs)
	fmt.Fprintf(&c, "listener %s 127.0.0.1\ncafile %s\ncertfile %s\nkeyfile %s\nrequire_certificate true\nuse_identity_as_username true\nuse_username_as_clientid true\ncrlfile %s\n",
		port, b.File("ca.pem"), b.File("server.pem"), b.File("server.key"), b.File("revoked.pem"))
	_, port, _ = net.SplitHostPort(b.Words)
	fmt.Fprintf(&c, "listener %s 127.0.0.1\ncafile %s\ncertfile %s\nkeyfile %s\n", port, b.File("ca.pem"), b.File("server.pem"), b.File("server.key"))
	b.write("mosquitto.conf", c.Bytes())
	b.Start()
	t.Cleanup(func() { b.Stop() })
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

// File is the path of one of the broker's files.
func (b *Broker) File(name string) string { return filepath.Join(b.dir, name) }

func (b *Broker) write(name string, content []byte) {
	b.t.Helper()
	if err := os.WriteFile(b.File(name), content, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// Forget makes the plugin's file anew: it knows its administrator alone.
func (b *Broker) Forget() {
	b.t.Helper()
	_ = os.Remove(b.File("dynamic-security.json"))
	ctrl, err := program("mosquitto_ctrl")
	if err == nil {
		err = exec.Command(ctrl, "dynsec", "init", b.File("dynamic-security.json"), "admin", b.Password).Run()
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// Start starts the broker, and returns when it runs.
func (b *Broker) Start() {
	b.t.Helper()
	name, err := program("mosquitto")
	if err != nil {
		b.t.Fatal(err)
	}
	log, _ := os.ReadFile(b.File("log"))
	before := bytes.Count(log, []byte(" running\n"))
	b.process = exec.Command(name, "-c", b.File("mosquitto.conf"))
	if err := b.process.Start(); err != nil {
		b.t.Fatal(err)
	}
	linktest.Eventually(b.t, "mosquitto runs: before, a signal ends it", func() bool {
		log, _ := os.ReadFile(b.File("log"))
		return bytes.Count(log, []byte(" running\n")) > before
	})
}

// Stop stops the broker.
func (b *Broker) Stop() {
	if b.t.Failed() {
		log, _ := os.ReadFile(b.File("log"))
		b.t.Logf("%s", log[max(0, len(log)-6000):])
	}
	_ = b.process.Process.Signal(syscall.SIGTERM)
	_ = b.process.Wait()
}

// Reload has the broker read its files again.
func (b *Broker) Reload() error { return b.process.Process.Signal(syscall.SIGHUP) }
