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
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent"
	"github.com/castor-iot/castor/agent/device"
	"github.com/castor-iot/castor/agent/internal/gatewaytest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// running is an agent whose Run is under way.
type running struct {
	*agent.Agent
	t      *testing.T
	cancel context.CancelFunc
	done   chan struct{}
	err    error

	mu     sync.Mutex
	phases []agent.Progress
}

// start runs an agent for a pump P-7 of platform p; change, if any, changes its configuration.
func start(t *testing.T, p *gatewaytest.Platform, dir string, change func(*agent.Config)) *running {
	t.Helper()
	r := &running{t: t, done: make(chan struct{})}
	cfg := agent.Config{
		Dir: dir, Serial: "P-7", Claim: agent.Claim(p.Claim), AnswerTimeout: 5 * time.Second,
		Retry: agent.Retry{Min: 5 * time.Millisecond, Max: 50 * time.Millisecond},
		Progress: func(p agent.Progress) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.phases = append(r.phases, p)
		},
	}
	if change != nil {
		change(&cfg)
	}
	a, err := agent.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.Agent = a
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.done)
		r.err = a.Run(ctx)
	}()
	t.Cleanup(r.stop)
	return r
}

// stop ends the agent as Ctrl-C does.
func (r *running) stop() {
	r.cancel()
	<-r.done
	if err := r.Close(); err != nil {
		r.t.Error(err)
	}
}

// reach waits for a phase.
func (r *running) reach(phase agent.Phase) {
	r.t.Helper()
	eventually(r.t, func() bool { return slices.Contains(r.seen(), phase) })
}

func (r *running) seen() (out []agent.Phase) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.phases {
		out = append(out, p.Phase)
	}
	return out
}

func (r *running) detail(phase agent.Phase) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range slices.Backward(r.phases) {
		if p.Phase == phase {
			return p.Detail
		}
	}
	return ""
}

// measure keeps n values, numbered from first, one second apart.
func (r *running) measure(first, n int) {
	r.t.Helper()
	for i := first; i < first+n; i++ {
		if _, err := r.Measure(noon.Add(time.Duration(i)*time.Second), map[string]any{"n": i}); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *running) drain() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := r.Drain(ctx); err != nil {
		r.t.Fatal(err)
	}
}

var noon = time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatal("did not happen within 20s")
		}
		<-time.After(5 * time.Millisecond)
	}
}

// numbers are the values measured, in the order in which the platform stored them; what came again is left out, and must
// be what came before.
func numbers(t *testing.T, p *gatewaytest.Platform) (out []int) {
	t.Helper()
	seen := map[[2]int64]int{}
	for _, m := range p.Messages() {
		n, ok := m.Data["n"].(float64)
		if !ok || !m.Time.Equal(noon.Add(time.Duration(n)*time.Second)) {
			t.Fatalf("stored what was never measured: %+v", m)
		}
		key := [2]int64{m.Order.Epoch, m.Order.Seq}
		if before, ok := seen[key]; ok && before != int(n) {
			t.Fatalf("order %v stands for %d and for %v", key, before, n)
		} else if !ok {
			seen[key] = int(n)
			out = append(out, int(n))
		}
	}
	return out
}

func upTo(n int) (out []int) {
	for i := range n {
		out = append(out, i)
	}
	return out
}

func TestProvisionsItselfAndReports(t *testing.T) {
	p := gatewaytest.New(t)
	dir := t.TempDir()
	a := start(t, p, dir, func(c *agent.Config) {
		c.MAC, c.Model, c.Facts, c.Interval = "02:42:AC:11:00:02", "P", map[string]string{"os": "linux"}, 10*time.Millisecond
		c.Source = func(context.Context) (map[string]any, error) {
			return map[string]any{"cpu": map[string]any{"percent": 4.5}}, nil
		}
	})
	a.reach(agent.Reporting)
	if got, want := a.seen(), []agent.Phase{agent.Keying, agent.Claiming, agent.Accepted, agent.Connected, agent.Confirmed, agent.Reporting}; !slices.Equal(got, want) {
		t.Errorf("phases are %v, want %v", got, want)
	}
	req := p.Requests()[0]
	if req.Serial != "P-7" || req.MAC != "02:42:ac:11:00:02" || req.Model != "P" || req.Facts["os"] != "linux" {
		t.Errorf("request is %+v", req)
	}
	if ref, id := a.Identity(); ref != "dev-p-7" || id != "p-7" {
		t.Errorf("identity is %q, %q", ref, id)
	}
	m := p.Messages()[0]
	if cpu, _ := m.Data["cpu"].(map[string]any); m.Topic != "telemetry" || cpu["percent"] != 4.5 || m.Order.Seq != 1 {
		t.Errorf("first message is %+v", m)
	}
	if spool, _ := m.Data["spool"].(map[string]any); spool["dropped"] != 0.0 {
		t.Errorf("first message tells of its spool %v", spool)
	}
	for _, name := range []string{"key.pem", "bundle.json"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want it readable by its owner only", name, info.Mode(), err)
		}
	}
}

func TestRestartNeedsNoClaimAndBeginsAnEpoch(t *testing.T) {
	p := gatewaytest.New(t)
	dir := t.TempDir()
	a := start(t, p, dir, nil)
	a.measure(0, 3)
	a.drain()
	a.stop()
	p.Do(func() { p.Hold = true })

	noClaim := func(c *agent.Config) { c.Claim = nil }
	b := start(t, p, dir, noClaim) // whose messages nobody takes
	b.measure(3, 2)
	b.reach(agent.Connected)
	b.stop()

	p.Do(func() { p.Hold = false })
	c := start(t, p, dir, noClaim)
	c.measure(5, 2)
	c.drain()
	if got := numbers(t, p); !slices.Equal(got, upTo(7)) {
		t.Errorf("stored %v", got)
	}
	var epochs []int64
	for _, m := range p.Messages() {
		if n := len(epochs); n == 0 || epochs[n-1] != m.Order.Epoch {
			epochs = append(epochs, m.Order.Epoch)
		}
	}
	if len(epochs) != 3 || !slices.IsSorted(epochs) {
		t.Errorf("epochs of three starts are %v", epochs)
	}
	if len(p.Requests()) != 1 || len(p.Confirms()) != 1 {
		t.Errorf("%d requests and %d confirmations in three starts, want one of each", len(p.Requests()), len(p.Confirms()))
	}
}

func TestLostBundleIsAskedForWithTheSameKey(t *testing.T) {
	p := gatewaytest.New(t)
	lose := 2
	p.Answer = func(req api.ProvisionRequest) *api.ProvisionAnswer {
		if lose--; lose >= 0 {
			return nil
		}
		return p.Accept(req)
	}
	dir := t.TempDir()
	a := start(t, p, dir, func(c *agent.Config) { c.AnswerTimeout = 200 * time.Millisecond })
	a.reach(agent.Confirmed)
	a.stop()

	// Neither is a bundle that got damaged after it was kept the end.
	if err := os.WriteFile(filepath.Join(dir, "bundle.json"), []byte(`{"bundle":{"ref":"dev-`), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, p, dir, nil).reach(agent.Confirmed)

	reqs := p.Requests()
	if len(reqs) != 4 {
		t.Fatalf("asked %d times, want 4", len(reqs))
	}
	for _, r := range reqs[1:] {
		if !p.CA.SameKey(r.CSR, reqs[0].CSR) {
			t.Error("asked again with another key")
		}
	}
}

func TestPendingIsAskedAgain(t *testing.T) {
	p := gatewaytest.New(t)
	n := 0
	p.Answer = func(req api.ProvisionRequest) *api.ProvisionAnswer {
		if n++; n < 4 {
			return &api.ProvisionAnswer{Status: "pending", Run: "run-1", State: "approval"}
		}
		return p.Accept(req)
	}
	a := start(t, p, "", nil)
	a.reach(agent.Confirmed)
	if got, want := a.seen(), []agent.Phase{agent.Keying, agent.Claiming, agent.Pending, agent.Accepted, agent.Connected, agent.Confirmed}; !slices.Equal(got, want) {
		t.Errorf("phases are %v, want %v", got, want)
	}
}

func TestRejectionEndsWithItsReason(t *testing.T) {
	p := gatewaytest.New(t)
	p.Answer = func(api.ProvisionRequest) *api.ProvisionAnswer {
		return &api.ProvisionAnswer{Status: "rejected", Reason: "serial P-7 is already somebody else's"}
	}
	a := start(t, p, "", nil)
	<-a.done
	if !errors.Is(a.err, agent.ErrRejected) || !strings.Contains(a.err.Error(), "serial P-7 is already somebody else's") {
		t.Errorf("Run returned %v", a.err)
	}
	if len(p.Requests()) != 1 {
		t.Errorf("asked %d times", len(p.Requests()))
	}
	if got := a.Phase(); got.Phase != agent.Failed || !strings.Contains(got.Detail, "somebody else's") {
		t.Errorf("last phase is %+v", got)
	}
}

func TestStoppedBeforeItCouldConfirm(t *testing.T) {
	p := gatewaytest.New(t)
	p.DenyConfirm = 1
	dir := t.TempDir()
	a := start(t, p, dir, nil)
	a.reach(agent.Connected)
	eventually(t, func() bool { return len(p.Confirms()) == 1 })
	a.stop()
	b := start(t, p, dir, func(c *agent.Config) { c.Claim = nil })
	b.reach(agent.Confirmed)
}

func TestConfirmsUntilAcknowledged(t *testing.T) {
	p := gatewaytest.New(t)
	p.DenyConfirm = 2
	a := start(t, p, "", func(c *agent.Config) { c.AnswerTimeout = 200 * time.Millisecond })
	a.measure(0, 1)
	a.drain()
	if got := len(p.Confirms()); got != 3 {
		t.Errorf("confirmed %d times, want 3", got)
	}
}

func TestBacklogAfterOutage(t *testing.T) {
	p := gatewaytest.New(t)
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

func TestKicksLoseNothing(t *testing.T) {
	p := gatewaytest.New(t)
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
func TestOnlyTheAcknowledgementClears(t *testing.T) {
	p := gatewaytest.New(t)
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
	p := gatewaytest.New(t)
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

func TestKinds(t *testing.T) {
	p := gatewaytest.New(t)
	a := start(t, p, "", nil)
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

func TestGatewaysOfAnotherCAAreRefused(t *testing.T) {
	p := gatewaytest.New(t)
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
		imposter := gatewaytest.New(t)
		relay := func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(imposter.Gateway(), "tls://"))
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
		q := gatewaytest.New(t)
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
		q := gatewaytest.New(t)
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

func TestWhatKeepsItFromStarting(t *testing.T) {
	p := gatewaytest.New(t)
	t.Run("a wrong token waits and says so", func(t *testing.T) {
		claim := p.Claim
		claim.Token = "guess"
		a := start(t, p, "", func(c *agent.Config) { c.Claim = agent.Claim(claim) })
		a.reach(agent.Waiting)
		if d := a.detail(agent.Waiting); !strings.Contains(d, "claim-1 may be expired, revoked or used up") {
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
