package agent_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/agent/internal/gatewaytest"
	"github.com/castor-iot/castor/shared/api"
)

// startKnocking runs an agent for P-7 that has no claim.
func startKnocking(t *testing.T, p *gatewaytest.Platform, dir string, change func(*agent.Config)) *running {
	t.Helper()
	return start(t, p, dir, func(c *agent.Config) {
		c.Claim, c.Model, c.Facts = nil, "Pump 3000", map[string]string{"os": "linux"}
		c.Source = func(context.Context) (map[string]any, error) {
			return map[string]any{"rpm": 5, "bearing": map[string]any{"temperature": 60, "not a name": 1}}, nil
		}
		c.Knock = &agent.Knock{Gateway: p.Claim.Gateway, CA: p.Claim.CA, Maker: "Acme", Retry: c.Retry}
		if change != nil {
			change(c)
		}
	})
}

// stranger is what a device is told that nobody knows.
var stranger = &api.ProvisionAnswer{Status: "pending", State: api.WaitingNow, Reason: "nobody knows this device yet"}

// accepted is what it is told once it is let in.
func accepted(p *gatewaytest.Platform, k api.Knock) *api.ProvisionAnswer {
	return p.Accept(api.ProvisionRequest{Serial: k.Serial, CSR: k.CSR})
}

// A device without a claim waits, over restarts, until people let it in, and is the same all the time.
func TestADeviceKnocks(t *testing.T) { each(t, aDeviceKnocks) }

func aDeviceKnocks(t *testing.T, p *gatewaytest.Platform) {
	p.Knocked = func(api.Knock) *api.ProvisionAnswer { return stranger }
	dir := t.TempDir()
	first := startKnocking(t, p, dir, nil)
	eventually(t, func() bool { return len(p.Knocks()) >= 3 })
	first.stop()
	if d := first.detail(agent.Pending); !strings.Contains(d, "nobody knows this device yet") || !strings.Contains(d, "castor waiting list") {
		t.Errorf("it says %q", d)
	}
	if seen := first.seen(); !slices.Equal(seen, []agent.Phase{agent.Keying, agent.Knocking, agent.Pending}) {
		t.Errorf("phases are %v: three knocks are one thing to tell", seen)
	}
	k := p.Knocks()[0]
	if k.Serial != "P-7" || k.Model != "Pump 3000" || k.Maker != "Acme" || k.Facts["os"] != "linux" || !slices.Equal(k.Capabilities, []string{"bearing.temperature", "rpm"}) {
		t.Errorf("it says of itself %+v", k)
	}

	decided, admitted := make(chan api.Knock, 1), false
	p.Do(func() {
		p.Knocked = func(k api.Knock) *api.ProvisionAnswer {
			if !admitted { // its run has begun, and is not done
				admitted = true
				return &api.ProvisionAnswer{Status: "pending", Run: "run-1", State: "registering"}
			}
			select {
			case decided <- k:
			default:
			}
			return accepted(p, k)
		}
	})
	second := startKnocking(t, p, dir, nil)
	second.reach(agent.Reporting)
	if d := second.detail(agent.Pending); !strings.Contains(d, `run run-1 is at "registering"`) {
		t.Errorf("it says %q", d)
	}
	if last := <-decided; !p.CA.SameKey(k.CSR, last.CSR) {
		t.Error("it has knocked with another key")
	}
	second.stop()

	knocks := len(p.Knocks())
	third := startKnocking(t, p, dir, nil) // as its service file says
	third.reach(agent.Reporting)
	if len(p.Knocks()) != knocks || len(p.Requests()) != 0 {
		t.Error("a device that has come in knocks")
	}
}

// Whatever keeps a device from knocking, the agent says what is to be done about it, and goes on where that can help.
func TestWhatToDoAboutAKnock(t *testing.T) { each(t, whatToDoAboutAKnock) }

func whatToDoAboutAKnock(t *testing.T, p *gatewaytest.Platform) {
	for name, tt := range map[string]struct {
		answer func(api.Knock) *api.ProvisionAnswer
		change func(*agent.Config)
		says   []string
	}{
		"nobody may knock": {nil, nil, []string{"takes no knocks", "castor claim create"}},
		"too many": {func(api.Knock) *api.ProvisionAnswer { return nil }, func(c *agent.Config) { c.AnswerTimeout = 300 * time.Millisecond },
			[]string{"was not heard", "one a minute", "tried again"}},
		"another CA": {nil, func(c *agent.Config) { c.Knock.CA = gatewaytest.NewCA(t).PEM() }, []string{"not of the CA given", "/function/credentials/ca"}},
	} {
		t.Run(name, func(t *testing.T) {
			p.Do(func() { p.Knocked = tt.answer })
			a := startKnocking(t, p, "", tt.change)
			a.reach(agent.Waiting)
			for _, s := range tt.says {
				if said := a.detail(agent.Waiting); !strings.Contains(said, s) {
					t.Errorf("it says %q, without %q", said, s)
				}
			}
			p.Do(func() { p.Knocked = func(k api.Knock) *api.ProvisionAnswer { return accepted(p, k) } })
			if name != "another CA" {
				a.reach(agent.Confirmed)
			}
		})
	}
	for name, tt := range map[string]struct {
		change func(*agent.Config)
		says   []string
	}{
		"banned":     {nil, []string{"this device is banned", "castor waiting unban"}},
		"HTTP":       {func(c *agent.Config) { c.Knock.Gateway = "https://castor.example:8887" }, []string{"gateway", "tls://host:8883"}},
		"without CA": {func(c *agent.Config) { c.Knock.CA = "" }, []string{"ca is missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			p.Do(func() {
				p.Knocked = func(api.Knock) *api.ProvisionAnswer {
					return &api.ProvisionAnswer{Status: "rejected", Reason: "this device is banned"}
				}
			})
			a := startKnocking(t, p, "", tt.change)
			select {
			case <-a.done:
			case <-time.After(20 * time.Second):
				t.Fatal("it goes on")
			}
			if a.err == nil || name == "banned" && !errors.Is(a.err, agent.ErrRejected) {
				t.Fatalf("it ends with %v", a.err)
			}
			for _, s := range tt.says {
				if !strings.Contains(a.err.Error(), s) {
					t.Errorf("it ends with %q, without %q", a.err, s)
				}
			}
		})
	}
}
