package e2e

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/tests/cluster"
)

// The platform is killed at random moments while a device reports. When it is back, every reading is in history once, and the
// alarm of each hot spell was raised once.
func TestKilledAtRandomMoments(t *testing.T) {
	p := NewProcess(t)
	p.Type("pump")
	pump := p.Provision("pump", "P-7", "plant")
	p.Rule(pump.Twin(), "temperature > 80", monitor.Warning)
	const rounds, each = 5, 200
	for round := range rounds {
		for i := range each {
			temperature := 20.0
			if i == each/2 {
				temperature = 99
			}
			_, err := pump.Measure(time.Now(), map[string]any{"rpm": float64(round*each + i), "temperature": temperature})
			p.must(err, "measure")
		}
		<-time.After(time.Duration(rand.IntN(120)) * time.Millisecond)
		p.Kill()
		p.Start()
	}
	p.Drained(pump)
	seen := map[any]int{}
	for _, r := range p.History(pump.Twin(), "rpm") {
		for _, s := range r.Samples {
			if s.Property == "rpm" {
				seen[s.Value]++
			}
		}
	}
	for i := range rounds * each {
		if seen[float64(i)] != 1 {
			t.Fatalf("reading %d is %d times in history, want once", i, seen[float64(i)])
		}
	}
	// An event that was under way when the platform was killed comes again later than its successors: the end of an early spell
	// may be heard after the last one's.
	p.Eventually("each hot spell has its alarm, and each alarm its end", func() bool {
		alarms := p.Alarms(pump.Twin())
		return len(alarms) >= rounds && !slices.ContainsFunc(alarms, func(a api.Alarm) bool { return a.State != monitor.Cleared })
	})
	if n := len(p.Alarms(pump.Twin())); n != rounds {
		t.Errorf("%d alarms, want one for each of %d hot spells", n, rounds)
	}
}

// What can be wrong with a start is said in one line, and nothing is lost by it.
func TestAStartThatCannotBe(t *testing.T) {
	p := NewProcess(t)
	file, err := cluster.Castor()
	p.must(err, "the program")
	damaged := t.TempDir()
	p.must(os.WriteFile(filepath.Join(damaged, "castor.yaml"), []byte("listen: [what\n"), 0o600), "a damaged configuration")
	unknown := t.TempDir()
	p.must(os.WriteFile(filepath.Join(unknown, "castor.yaml"), []byte("colour: blue\n"), 0o600), "an unknown setting")
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"a data directory in use":   {[]string{"--data", p.Config.Dir, "--listen", "127.0.0.1:0"}, "in use"},
		"a taken port":              {[]string{"--data", t.TempDir(), "--listen", p.Config.Listen}, "taken"},
		"a taken port for devices":  {[]string{"--data", t.TempDir(), "--listen", "127.0.0.1:0", "--operational", p.Config.Operational}, "taken"},
		"a damaged configuration":   {[]string{"--data", damaged}, "castor.yaml"},
		"an unknown setting":        {[]string{"--data", unknown}, "colour"},
		"an address that is none":   {[]string{"--data", t.TempDir(), "--listen", "nowhere"}, "listen"},
		"a key without certificate": {[]string{"--data", t.TempDir(), "--key", "x.pem"}, "certificate"},
		"mail without a scheme":     {[]string{"--data", t.TempDir(), "--smtp", "mail.example:25"}, "smtp"},
		"a MongoDB that is none": {[]string{"--data", t.TempDir(), "--listen", "127.0.0.1:0", "--provisioning", "127.0.0.1:0", "--operational", "127.0.0.1:0",
			"--mongo", "mongodb://ada:hush@127.0.0.1:1"}, "no MongoDB answers at 127.0.0.1:1: start it, or leave --mongo out"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(file, append([]string{"up", "--no-agent"}, c.args...)...)
			var said strings.Builder
			cmd.Stderr = &said
			err := cmd.Run()
			if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() == 0 {
				t.Fatalf("it ended with %v", err)
			}
			line := strings.TrimSpace(said.String())
			if strings.Count(line, "\n") > 0 || !strings.Contains(line, c.says) {
				t.Errorf("it says:\n%s\nwant one line with %q", line, c.says)
			}
		})
	}
	// The one in use was not disturbed.
	p.Type("pump")

	// Ctrl-C ends it cleanly.
	p.must(p.cmd.Process.Signal(syscall.SIGINT), "Ctrl-C")
	p.must(p.cmd.Wait(), "a clean end")
}
