package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/agent/internal/gatewaytest"
	"github.com/castor-iot/castor/shared/api"
)

// The test binary is the program when it is told so: what is tested is the process, signals and exit code included.
func TestMain(m *testing.M) {
	if os.Getenv("CASTOR_AGENT_AS_PROGRAM") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A process is a castor-agent under way.
type process struct {
	*exec.Cmd
	mu  sync.Mutex
	out bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], args...)}
	p.Env = append(os.Environ(), "CASTOR_AGENT_AS_PROGRAM=1")
	p.Stdout, p.Stderr = p, p
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill(); p.Wait() })
	return p
}

func (p *process) reach(t *testing.T, phase agent.Phase) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(p.text(), string(phase)); {
		if time.Now().After(end) {
			t.Fatalf("%s was not reached:\n%s", phase, p.text())
		}
		<-time.After(5 * time.Millisecond)
	}
}

// call runs a command in this process.
func call(args ...string) (string, error) {
	var out bytes.Buffer
	c := command()
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(io.Discard)
	err := c.Execute()
	return out.String(), err
}

func TestThisMachineComesInAndComesBack(t *testing.T) {
	p := gatewaytest.New(t)
	dir := filepath.Join(t.TempDir(), "agent")
	write := func(change func(*api.ClaimFile)) string {
		c, file := p.Claim, filepath.Join(t.TempDir(), "claim.json")
		change(&c)
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	claim := write(func(*api.ClaimFile) {})

	first := start(t, "run", "--dir", dir, "--claim", claim, "--serial", "P-7", "--interval", "100ms")
	first.reach(t, agent.Reporting)
	if out, err := call("status", "--dir", dir); err != nil || !strings.Contains(out, "running      yes") || !strings.Contains(out, "p-7") {
		t.Errorf("status says (%v):\n%s", err, out)
	}
	if _, err := call("run", "--dir", dir, "--serial", "P-7"); err == nil || !strings.Contains(err.Error(), "another agent is running") || !strings.Contains(err.Error(), "--dir") {
		t.Errorf("a second agent in the directory: %v", err)
	}
	for name, args := range map[string][]string{
		"another serial":            {"--serial", "P-8", "--claim", claim},
		"a claim for other serials": {"--claim", write(func(c *api.ClaimFile) { c.Claim.Serials = "Q-*" })},
		"another platform's claim":  {"--claim", write(func(c *api.ClaimFile) { c.CA = strings.ToUpper(c.CA) })},
	} {
		_, err := call(append([]string{"run", "--dir", dir}, args...)...)
		if err == nil || !strings.Contains(err.Error(), "belongs to P-7 at tls://") || !strings.Contains(err.Error(), "--dir") {
			t.Errorf("%s in the directory of P-7: %v", name, err)
		}
	}
	first.Process.Kill() // without a chance to tidy up
	first.Wait()

	os.Remove(claim)
	second := start(t, "run", "--dir", dir, "--serial", "P-7", "--interval", "100ms")
	second.reach(t, agent.Reporting)
	second.Process.Signal(os.Interrupt)
	if err := second.Wait(); err != nil {
		t.Errorf("interrupted, it ended with %v:\n%s", err, second.text())
	}
	out, err := call("status", "--dir", dir, "-o", "json")
	var st agent.Status
	if err != nil || json.Unmarshal([]byte(out), &st) != nil || st.Running || !st.Provisioned || !st.Confirmed || st.Twin != "p-7" || !st.Expires.After(time.Now()) {
		t.Errorf("status says (%v):\n%s", err, out)
	}

	data := p.Messages()[0].Data
	for _, part := range []string{"cpu", "memory", "disk", "uptime"} {
		if data[part] == nil {
			t.Errorf("no %s was reported: %v", part, data)
		}
	}
	if n := len(p.Requests()); n != 1 {
		t.Errorf("asked %d times to be provisioned, want once", n)
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	empty, ca := filepath.Join(t.TempDir(), "nothing"), filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte(gatewaytest.NewCA(t).PEM()), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no device":               {[]string{"status", "--dir", empty}, "--claim FILE"},
		"not provisioned":         {[]string{"run", "--dir", t.TempDir(), "--serial", "P-7"}, "--claim FILE"},
		"claim file missing":      {[]string{"run", "--dir", t.TempDir(), "--serial", "P-7", "--claim", empty}, empty},
		"neither claim nor knock": {[]string{"run", "--dir", t.TempDir(), "--serial", "P-7"}, "--knock ADDRESS --ca FILE"},
		"claim and knock":         {[]string{"run", "--claim", empty, "--knock", "tls://h:1", "--ca", empty}, "one of --knock and --claim"},
		"knock without CA":        {[]string{"run", "--knock", "tls://h:1"}, "--ca FILE"},
		"knock, CA is none":       {[]string{"run", "--knock", "tls://h:1", "--ca", os.Args[0]}, "no certificate in PEM"},
		"knock, CA is missing":    {[]string{"run", "--knock", "tls://h:1", "--ca", empty}, empty},
		"CA without knock":        {[]string{"run", "--claim", empty, "--ca", empty}, "--knock ADDRESS"},
		"knock by HTTP":           {[]string{"run", "--dir", t.TempDir(), "--serial", "P-7", "--knock", "https://h:1", "--ca", ca}, "tls://host:8883"},
		"interval too short":      {[]string{"run", "--dir", t.TempDir(), "--interval", "1ms"}, "--interval"},
		"spool too small":         {[]string{"run", "--dir", t.TempDir(), "--spool", "0"}, "--spool"},
		"serial impossible":       {[]string{"run", "--dir", t.TempDir(), "--serial", "*"}, "serial"},
		"output form unknown":     {[]string{"status", "-o", "xml"}, "--output"},
		"directory is a file":     {[]string{"run", "--dir", os.Args[0], "--serial", "P-7"}, os.Args[0]},
		"something else given":    {[]string{"run", "now"}, "now"},
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := call(c.args...); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error is %v, want one with %q; output:\n%s", err, c.says, out)
			}
		})
	}
}

// A machine without a claim knocks until it is let in; its directory is that platform's then.
func TestThisMachineKnocks(t *testing.T) {
	p := gatewaytest.New(t)
	p.Knocked = func(api.Knock) *api.ProvisionAnswer {
		return &api.ProvisionAnswer{Status: "pending", State: api.WaitingNow, Reason: "nobody knows this device yet"}
	}
	ca, other := filepath.Join(t.TempDir(), "ca.pem"), filepath.Join(t.TempDir(), "other.pem")
	for file, text := range map[string]string{ca: p.CA.PEM(), other: gatewaytest.NewCA(t).PEM()} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"run", "--dir", t.TempDir(), "--knock", p.Claim.Gateway, "--ca", ca, "--maker", "Acme", "--serial", "P-7", "--interval", "100ms"}
	first := start(t, args...)
	first.reach(t, agent.Pending)
	if k := p.Knocks()[0]; k.Maker != "Acme" || k.Facts["os"] == "" || !slices.Contains(k.Capabilities, "cpu.percent") {
		t.Errorf("it says of itself %+v", k)
	}
	first.Process.Signal(os.Interrupt)
	if err := first.Wait(); err != nil {
		t.Errorf("interrupted, it ended with %v:\n%s", err, first.text())
	}
	p.Do(func() {
		p.Knocked = func(k api.Knock) *api.ProvisionAnswer {
			return p.Accept(api.ProvisionRequest{Serial: k.Serial, CSR: k.CSR})
		}
	})
	second := start(t, args...)
	second.reach(t, agent.Reporting)
	second.Process.Signal(os.Interrupt)
	second.Wait()
	args[6] = other
	if _, err := call(args...); err == nil || !strings.Contains(err.Error(), "belongs to P-7 at tls://") {
		t.Errorf("at another platform in the directory of P-7: %v", err)
	}
}

func TestHelpHasExamples(t *testing.T) {
	for _, name := range []string{"run", "status"} {
		if out, err := call(name, "--help"); err != nil || !strings.Contains(out, "Examples:") {
			t.Errorf("%s --help (%v):\n%s", name, err, out)
		}
	}
}

// The platform stores nothing, the agent measures and is killed: what it had measured is there after a restart.
func TestKilledWithABacklog(t *testing.T) {
	p := gatewaytest.New(t)
	p.Hold = true
	dir := t.TempDir()
	claim := filepath.Join(t.TempDir(), "claim.json")
	b, _ := json.Marshal(p.Claim)
	os.WriteFile(claim, b, 0o600)
	args := []string{"run", "--dir", dir, "--claim", claim, "--serial", "P-7", "--interval", "100ms"}

	first := start(t, args...)
	first.reach(t, agent.Confirmed)
	pending := 0
	for end := time.Now().Add(20 * time.Second); pending < 5 && time.Now().Before(end); {
		st, err := agent.ReadStatus(dir)
		if err != nil {
			t.Fatal(err)
		}
		pending = st.Spool.Pending
		<-time.After(10 * time.Millisecond)
	}
	first.Process.Kill()
	first.Wait()
	if len(p.Messages()) != 0 || pending < 5 {
		t.Fatalf("%d stored, %d pending; want none and 5", len(p.Messages()), pending)
	}

	p.Do(func() { p.Hold = false })
	start(t, args...).reach(t, agent.Reporting)
	epoch, last := p.Messages()[0].Order.Epoch, int64(0)
	for _, m := range p.Messages() {
		if m.Order.Epoch == epoch {
			if last++; m.Order.Seq != last {
				t.Fatalf("message %d of the first start is number %d", last, m.Order.Seq)
			}
		}
	}
	if last < int64(pending) {
		t.Errorf("%d messages of the first start were stored, at least %d had been measured", last, pending)
	}
}
