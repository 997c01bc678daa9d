package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/agent/device"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/pki"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/cluster"
)

// A mosquitto and a gateway for MQTT join a castor up that runs, each by one command and the folder that it makes, as
// docs/gateways.md says. A device gets its place at the mosquitto, reports, and moves to the other when the mosquitto is drained.
func TestGatewaysJoinARunningPlatform(t *testing.T) {
	w := NewWorld(t, func(s *Settings) { s.NATS = "127.0.0.1:0" })
	w.Type("pump")
	w.Identity("P-7")
	hall := w.joins("hall-3", "--as", "mosquitto", "--listen", cluster.FreePort(t), "--region", "hall", "--at", "48.1,11.5")
	w.Eventually("mosquitto has its list of revoked certificates", func() bool {
		_, err := os.Stat(filepath.Join(hall.dir, "mosquitto", "revoked.pem"))
		return err == nil
	})
	mosquitto := w.runs("/usr/sbin/mosquitto", "-c", filepath.Join(hall.dir, "mosquitto", "mosquitto.conf"))
	w.listed("hall-3")

	d := w.roams(w.Claim("pump", "press", func(c *api.NewClaim) { c.Location = &twin.Location{Region: "hall"} }), "P-7")
	w.Eventually("the device is connected to the mosquitto", func() bool { return d.at() == hall.address })
	if _, err := d.agent.Measure(time.Now(), map[string]any{"rpm": 1450.0}); err != nil {
		t.Fatal(err)
	}
	_, id := d.agent.Identity()
	w.Eventually("the twin has what the device reports there", func() bool { return w.Reported(id, "rpm") == 1450.0 })

	next := w.joins("operational-2", "--as", "mqtt", "--region", "hall")
	w.listed("operational-2")
	if _, err := w.Admin.DrainGateway(w.Context(), "hall-3", "new kernel"); err != nil {
		t.Fatal(err)
	}
	w.Eventually("the device moves to the gateway that came", func() bool { return d.at() == next.address })
	w.Eventually("nobody is left", func() bool {
		g, err := w.Admin.GetGateway(w.Context(), "hall-3")
		return err == nil && g.Devices == 0
	})

	// A restart goes on with what the folder has; a broken-off writing is mended by writing it anew.
	w.ends(mosquitto)
	if out, err := w.castor("gateway", "join", "hall-3", "--data", w.Config.Dir, "--as", "mosquitto", "--dial", hall.url, "--out", hall.dir); err == nil || !strings.Contains(out, "--renew") {
		t.Errorf("a folder that is there is written over: %s", out)
	}
	before, err := os.ReadFile(filepath.Join(hall.dir, "mosquitto", "dynamic-security.json"))
	w.must(err, "dynamic security")
	out, err := w.castor("gateway", "join", "hall-3", "--data", w.Config.Dir, "--as", "mosquitto", "--dial", hall.url, "--out", hall.dir, "--renew")
	w.must(err, out)
	if after, err := os.ReadFile(filepath.Join(hall.dir, "mosquitto", "dynamic-security.json")); err != nil || string(after) != string(before) {
		t.Errorf("what mosquitto keeps of its devices is lost: %v", err)
	}

	// The platform's own keys are in no folder.
	keys, err := os.ReadDir(w.keys())
	w.must(err, "keys")
	for _, k := range keys {
		key, err := os.ReadFile(filepath.Join(w.keys(), k.Name()))
		w.must(err, k.Name())
		for _, j := range []*joined{hall, next} {
			err := filepath.WalkDir(j.dir, func(path string, e os.DirEntry, err error) error {
				if err != nil || e.IsDir() {
					return err
				}
				b, err := os.ReadFile(path)
				public := k.Name() == "castor-ca" || k.Name() == "castor-verifier" && j == next
				if err == nil && !public && len(key) > 0 && strings.Contains(string(b), strings.TrimSpace(string(key))) {
					t.Errorf("%s has the platform's %s", path, k.Name())
				}
				return err
			})
			w.must(err, j.dir)
		}
	}
}

// A gateway of somebody else's joins a castor up that runs, by the contracts of docs/gateways.md and one command: it is told of a device,
// which comes in there; the device's readings reach the twin, a command reaches the device and its answer the platform; and who is
// revoked is out within a second.
func TestAGatewayOfSomebodyElsesJoins(t *testing.T) {
	w := NewWorld(t, func(s *Settings) { s.NATS = "127.0.0.1:0" })
	w.Type("valve")
	w.Identity("V-1")
	account, err := w.Admin.CreateAccount(w.Context(), api.Account{ID: "acme-gateway"})
	w.must(err, "account")
	tok, err := w.Client("").Exchange(w.Context(), api.Exchange{Account: "acme-gateway", Secret: account.Secret, Audience: "*"})
	w.must(err, "its token")
	g := w.newAcme()
	relay := "https://" + cluster.FreePort(t)
	j := w.joins("acme", "--as", "foreign", "--contract", g.contract.URL+"/castor", "--contract-ca", g.ca(), "--relay", relay, "--account", "acme-gateway", "--region", "acme")
	expects, err := os.ReadFile(filepath.Join(j.dir, "secrets", "castor-foreign-token"))
	w.must(err, "what the platform shows")
	ca, server := w.platformCA()
	g.listen(j.address, relay, server, ca.Pool(), strings.TrimSpace(string(expects)), tok.Access)
	w.listed("acme")

	opened := make(chan string, 1)
	d, err := device.Start(device.Config{Claim: w.Claim("valve", "plant", func(c *api.NewClaim) { c.Location = &twin.Location{Region: "acme"} }), Serial: "V-1", Dir: w.TempDir(),
		AnswerTimeout: 5 * time.Second, Commands: map[string]agent.Handler{"open": func(_ context.Context, c agent.Command) (any, error) {
			opened <- string(c.Input)
			return map[string]any{"opened": true}, nil
		}}})
	w.must(err, "valve")
	w.Cleanup(func() { d.Close() })
	w.Ready(d)
	if got := g.clients(); len(got) != 1 || got[0] != string(d.Ref()) {
		t.Fatalf("the gateway lets in %v, want %s", got, d.Ref())
	}
	w.Measure(d, "rpm", 1, 2, 3)
	w.Drained(d)
	if got := w.Reported(d.Twin(), "rpm"); got != 3.0 {
		t.Errorf("the twin reports %v", got)
	}
	if got := len(w.History(d.Twin(), "rpm")); got != 3 {
		t.Errorf("history has %d readings, want 3", got)
	}
	w.Eventually("the twin is online", func() bool { return w.Twin(d.Twin()).Live.Presence.Connected })
	c, err := w.Admin.SendCommand(w.Context(), api.NewCommand{Twin: d.Twin(), Name: "open", Input: json.RawMessage(`{"percent":40}`)})
	w.must(err, "send")
	if n := w.Ended(w.Admin, c.ID); n.State != api.CommandSucceeded || !strings.Contains(string(n.Output), `"opened":true`) || <-opened != `{"percent":40}` {
		t.Errorf("the command ended as %+v with output %s", n, n.Output)
	}

	// The floor is what the same way down takes: from the function to the gateway.
	begin := time.Now()
	w.Measure(d, "rpm", 4)
	w.Drained(d)
	floor := time.Since(begin)
	begin = time.Now()
	w.must(w.Admin.RevokeCredential(w.Context(), d.Ref(), "stolen"), "revoke")
	w.Eventually("the gateway has shut its door", func() bool {
		_, there := g.broker.Clients.Get(string(d.Ref()))
		return len(g.clients()) == 0 && !there
	})
	w.judge("a gateway of somebody else's has obeyed", time.Since(begin), floor)
	w.Eventually("the device is away", func() bool { return !w.Twin(d.Twin()).Live.Presence.Connected })
	w.judge("its twin says so", time.Since(begin), floor)
	if g.brings(map[string]any{"client": string(d.Ref()), "kind": "telemetry", "body": map[string]any{"epoch": 99, "seq": 1, "data": map[string]any{"rpm": 9}}}) {
		t.Error("what the gateway says for a device that was revoked is taken")
	}

	// A connector that starts anew goes on.
	w.ends(j.process)
	j.process = w.runs(j.process.Path, "foreign", "--settings", j.dir)
	w.Identity("V-2")
	second := w.Device(w.Claim("valve", "plant", func(c *api.NewClaim) { c.Location = &twin.Location{Region: "acme"} }), "V-2")
	w.Ready(second)
	w.Measure(second, "rpm", 7)
	w.Drained(second)
	if got := g.clients(); len(got) != 1 || got[0] != string(second.Ref()) {
		t.Errorf("the gateway lets in %v, want %s", got, second.Ref())
	}
}

// platformCA is the platform's, and a server's certificate by it.
func (w *World) platformCA() (*pki.CA, tls.Certificate) {
	w.Helper()
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(w.keys(), name))
		w.must(err, name)
		return b
	}
	ca, err := pki.LoadCA(read(platform.SecretCACert), read(platform.SecretCAKey))
	w.must(err, "CA")
	server, err := ca.Server(time.Now(), "127.0.0.1")
	w.must(err, "certificate")
	return ca, server
}

// A joined gateway runs in a process of its own, by its folder.
type joined struct {
	dir, url, address string
	process           *exec.Cmd
}

// joins makes the folder of a gateway as an operator does, and starts its connector.
func (w *World) joins(id string, args ...string) *joined {
	w.Helper()
	j := &joined{dir: filepath.Join(w.T.TempDir(), id), address: cluster.FreePort(w.T)}
	j.url = "tls://" + j.address
	// Mosquitto runs as its package's own account where root starts it, which must reach its part of the folder.
	for dir := filepath.Dir(j.dir); strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		w.must(os.Chmod(dir, 0o755), "the folder's folder")
	}
	out, err := w.castor(append([]string{"gateway", "join", id, "--data", w.Config.Dir, "--dial", j.url, "--out", j.dir}, args...)...)
	w.must(err, out)
	connector, err := cluster.Connector()
	w.must(err, "castor-connector")
	j.process = w.runs(connector, args[1], "--settings", j.dir)
	return j
}

// castor runs the program, and returns all that it says.
func (w *World) castor(args ...string) (string, error) {
	w.Helper()
	file, err := cluster.Castor()
	w.must(err, "castor")
	out, err := exec.Command(file, args...).CombinedOutput()
	return string(out), err
}

// runs starts a program that ends with the test. What it has said is shown if the test has failed.
func (w *World) runs(file string, args ...string) *exec.Cmd {
	w.Helper()
	said, err := os.Create(filepath.Join(w.T.TempDir(), "said"))
	w.must(err, "output")
	c := exec.Command(file, args...)
	c.Stdout, c.Stderr = said, said
	w.must(c.Start(), file)
	w.Cleanup(func() {
		if c.ProcessState == nil {
			w.ends(c)
		}
		if b, err := os.ReadFile(said.Name()); err == nil && w.Failed() {
			w.Logf("%s: %s", filepath.Base(file), b[max(0, len(b)-4000):])
		}
		_ = said.Close()
	})
	return c
}

// ends has a program stop, and waits for it.
func (w *World) ends(c *exec.Cmd) {
	_ = c.Process.Signal(syscall.SIGTERM)
	_ = c.Wait()
}

// listed waits until a gateway is known and alive.
func (w *World) listed(id string) {
	w.Helper()
	w.Eventually("gateway "+id+" is alive", func() bool {
		g, err := w.Admin.GetGateway(w.Context(), id)
		return err == nil && !g.Dead && !g.Seen.IsZero()
	})
}
