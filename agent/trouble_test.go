package agent_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/agent/device"
	"github.com/castor-iot/castor/agent/internal/gatewaytest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

func TestConfirmsUntilAcknowledged(t *testing.T) { each(t, confirmsUntilAcknowledged) }

func confirmsUntilAcknowledged(t *testing.T, p *gatewaytest.Platform) {
	p.DenyConfirm = 2
	a := start(t, p, "", func(c *agent.Config) { c.AnswerTimeout = 200 * time.Millisecond })
	a.measure(0, 1)
	a.drain()
	if got := len(p.Confirms()); got != 3 {
		t.Errorf("confirmed %d times, want 3", got)
	}
}

func TestBacklogAfterOutage(t *testing.T) { each(t, backlogAfterOutage) }

func backlogAfterOutage(t *testing.T, p *gatewaytest.Platform) {
	var l device.Link
	a := start(t, p, t.TempDir(), func(c *agent.Config) { c.Dial = l.Dial })
	a.measure(0, 10)
	a.drain()
	before := p.Publications()

	l.Cut()
	a.measure(10, 990)
	l.Join()
	a.measure(1000, 10)
	a.drain()

	if got := numbers(t, p); !slices.Equal(got, upTo(1010)) {
		t.Errorf("stored %d values: %v", len(got), got)
	}
	if n := p.Publications() - before; n > 100 {
		t.Errorf("a backlog of 1000 took %d publications, want arrays", n)
	}
}

func TestKicksLoseNothing(t *testing.T) { each(t, kicksLoseNothing) }

func kicksLoseNothing(t *testing.T, p *gatewaytest.Platform) {
	a := start(t, p, t.TempDir(), nil)
	a.reach(agent.Confirmed)
	for i := range 20 {
		a.measure(i*50, 50)
		p.Kick("dev-p-7")
	}
	a.drain()
	if got := numbers(t, p); !slices.Equal(got, upTo(1000)) {
		t.Errorf("stored %d values: %v", len(got), got)
	}
}

// The publication is acknowledged by the broker, but the platform's word does not come: the agent keeps the message and
// sends it again.
func TestOnlyTheAcknowledgementClears(t *testing.T) { each(t, onlyTheAcknowledgementClears) }

func onlyTheAcknowledgementClears(t *testing.T, p *gatewaytest.Platform) {
	p.Mute = true
	a := start(t, p, t.TempDir(), func(c *agent.Config) { c.AnswerTimeout = 300 * time.Millisecond })
	a.measure(0, 5)
	eventually(t, func() bool { return p.Sessions() >= 3 })
	if got := a.Pending(); got != 5 {
		t.Errorf("%d messages pending, want 5", got)
	}
	p.Do(func() { p.Mute = false })
	a.drain()
	if got := numbers(t, p); !slices.Equal(got, upTo(5)) {
		t.Errorf("stored %v", got)
	}
}

func TestAcknowledgementOfWhatWasNotSentIsIgnored(t *testing.T) {
	each(t, acknowledgementOfWhatWasNotSentIsIgnored)
}

func acknowledgementOfWhatWasNotSentIsIgnored(t *testing.T, p *gatewaytest.Platform) {
	p.Hold = true
	var ignored atomic.Int32
	a := start(t, p, t.TempDir(), func(c *agent.Config) {
		c.Log = slog.New(&counter{Handler: slog.DiscardHandler, message: "acknowledgement ignored", n: &ignored})
	})
	a.reach(agent.Confirmed)
	a.measure(0, 1999) // more than may be under way at once
	measured, err := a.Measure(noon.Add(1999*time.Second), map[string]any{"n": 1999})
	if err != nil {
		t.Fatal(err)
	}
	beyond := twin.Order{Epoch: measured.Epoch, Seq: measured.Seq + 1}
	for _, o := range []twin.Order{measured, beyond, {Epoch: measured.Epoch + 1, Seq: 1}} {
		p.Ack("dev-p-7", o)
	}
	eventually(t, func() bool { return ignored.Load() == 3 })
	if a.Pending() != 2000 {
		t.Errorf("%d messages pending, want 2000", a.Pending())
	}
	p.Do(func() { p.Hold = false })
	p.Kick("dev-p-7")
	a.drain()
	if got := numbers(t, p); !slices.Equal(got, upTo(2000)) {
		t.Errorf("stored %d values", len(got))
	}
}

// A counter counts a message's log lines.
type counter struct {
	slog.Handler
	message string
	n       *atomic.Int32
}

func (c *counter) Enabled(context.Context, slog.Level) bool { return true }

func (c *counter) Handle(_ context.Context, r slog.Record) error {
	if r.Message == c.message {
		c.n.Add(1)
	}
	return nil
}

func TestKinds(t *testing.T) { each(t, kinds) }

func kinds(t *testing.T, p *gatewaytest.Platform) {
	a := start(t, p, "", nil)
	if _, err := a.LogLine(noon, "<u>app", "info", ""); err == nil {
		t.Error("a log line is taken of an app that no gateway takes")
	}
	if _, err := a.LogLine(noon, "a/b", "info", ""); err == nil {
		t.Error("an app's name with a slash was taken")
	}
	if _, err := a.Measure(noon, map[string]any{"f": func() {}}); err == nil {
		t.Error("a function was taken for a value")
	}
	a.Event(noon, "door-opened", map[string]any{"by": "key"})
	a.LogLine(noon, "backup", "warn", "disk is nearly full")
	a.measure(0, 1)
	a.drain()
	m := p.Messages()
	if len(m) != 3 {
		t.Fatalf("%d messages, want 3", len(m))
	}
	if m[0].Topic != "event" || m[0].Data["event"] != "door-opened" || m[0].Data["by"] != "key" {
		t.Errorf("event is %+v", m[0])
	}
	if m[1].Topic != "log/backup" || m[1].Level != "warn" || m[1].Text != "disk is nearly full" || !m[1].Time.Equal(noon) {
		t.Errorf("log line is %+v", m[1])
	}
	for i, m := range m {
		if m.Order.Seq != int64(i+1) {
			t.Errorf("message %d has number %d: all kinds are numbered together", i, m.Order.Seq)
		}
	}
}

func TestGatewaysOfAnotherCAAreRefused(t *testing.T) { each(t, gatewaysOfAnotherCAAreRefused) }

func gatewaysOfAnotherCAAreRefused(t *testing.T, p *gatewaytest.Platform) {
	other := gatewaytest.NewCA(t)
	t.Run("at provisioning", func(t *testing.T) {
		claim := p.Claim
		claim.CA = other.PEM()
		a := start(t, p, "", func(c *agent.Config) { c.Claim = agent.Claim(claim) })
		a.reach(agent.Waiting)
		if d := a.detail(agent.Waiting); !strings.Contains(d, "unknown authority") {
			t.Errorf("waits because of %q", d)
		}
		if len(p.Requests()) != 0 {
			t.Error("a gateway of another CA got the request")
		}
	})
	t.Run("in operation", func(t *testing.T) {
		dir := t.TempDir()
		a := start(t, p, dir, nil)
		a.reach(agent.Confirmed)
		a.stop()
		imposter := p.Another(t)
		relay := func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, imposter.Gateway()[strings.Index(imposter.Gateway(), "://")+3:])
		}
		b := start(t, p, dir, func(c *agent.Config) { c.Dial = relay })
		b.measure(0, 1)
		b.reach(agent.Waiting)
		if d := b.detail(agent.Waiting); !strings.Contains(d, "unknown authority") {
			t.Errorf("waits because of %q", d)
		}
		if n := imposter.Sessions() + len(imposter.Messages()); n != 0 || b.Pending() != 1 {
			t.Errorf("the imposter got %d messages and sessions; %d are pending", n, b.Pending())
		}
	})
	t.Run("a bundle for another device", func(t *testing.T) {
		q := p.Another(t)
		q.Answer = func(req api.ProvisionRequest) *api.ProvisionAnswer {
			answer := q.Accept(req)
			answer.Bundle.Ref = "dev-p-8"
			return answer
		}
		a := start(t, q, "", nil)
		a.reach(agent.Waiting)
		if d := a.detail(agent.Waiting); !strings.Contains(d, "not for dev-p-8") {
			t.Errorf("waits because of %q", d)
		}
	})
	t.Run("a bundle whose certificate another CA signed", func(t *testing.T) {
		q := p.Another(t)
		q.Answer = func(req api.ProvisionRequest) *api.ProvisionAnswer {
			answer := q.Accept(req)
			answer.Bundle.CA = other.PEM()
			return answer
		}
		a := start(t, q, "", nil)
		a.reach(agent.Waiting)
		if _, id := a.Identity(); id != "" {
			t.Error("the bundle was taken")
		}
	})
}

func TestWhatKeepsItFromStarting(t *testing.T) { each(t, whatKeepsItFromStarting) }

func whatKeepsItFromStarting(t *testing.T, p *gatewaytest.Platform) {
	t.Run("a wrong token waits and says so", func(t *testing.T) {
		claim := p.Claim
		claim.Token = "guess"
		a := start(t, p, "", func(c *agent.Config) { c.Claim = agent.Claim(claim) })
		a.reach(agent.Waiting)
		if d := a.detail(agent.Waiting); !strings.Contains(d, "claim-1 may be expired, revoked or used up, or ") || !strings.Contains(d, "ask for a new claim: castor claim create pump") {
			t.Errorf("waits because of %q", d)
		}
	})
	t.Run("no claim", func(t *testing.T) {
		a := start(t, p, "", func(c *agent.Config) { c.Claim = nil })
		if <-a.done; !errors.Is(a.err, agent.ErrNoClaim) {
			t.Errorf("Run returned %v", a.err)
		}
	})
	t.Run("a claim file that is damaged", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "claim.json")
		os.WriteFile(path, []byte(`{"claim":{"id":`), 0o600)
		a := start(t, p, "", func(c *agent.Config) { c.Claim = agent.ClaimAt(path) })
		if <-a.done; a.err == nil || !strings.Contains(a.err.Error(), path) {
			t.Errorf("Run returned %v", a.err)
		}
	})
	t.Run("a damaged key is not replaced", func(t *testing.T) {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, "key.pem"), []byte("-----BEGIN"), 0o600)
		_, err := agent.New(agent.Config{Dir: dir, Serial: "P-7"})
		if err == nil || !strings.Contains(err.Error(), "key.pem") {
			t.Errorf("New returned %v", err)
		}
	})
	t.Run("another agent in the directory", func(t *testing.T) {
		dir := t.TempDir()
		start(t, p, dir, nil)
		if _, err := agent.New(agent.Config{Dir: dir, Serial: "P-7"}); !errors.Is(err, agent.ErrInUse) {
			t.Errorf("New returned %v", err)
		}
	})
	t.Run("a serial that cannot be one", func(t *testing.T) {
		if _, err := agent.New(agent.Config{Serial: "-"}); err == nil {
			t.Error("New took it")
		}
	})
}

// Why a connection ended is told by the address that people know.
func TestLostConnectionIsToldByItsAddress(t *testing.T) { each(t, lostConnectionIsToldByItsAddress) }

func lostConnectionIsToldByItsAddress(t *testing.T, p *gatewaytest.Platform) {
	a := start(t, p, t.TempDir(), nil)
	a.measure(0, 1)
	a.drain()
	p.Kick(p.Confirms()[0])
	a.reach(agent.Waiting)
	if d := a.detail(agent.Waiting); strings.Contains(d, "passthrough") {
		t.Errorf("waits because of %q", d)
	}
}
