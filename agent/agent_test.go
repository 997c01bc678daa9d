package agent_test

import (
	"context"
	"errors"
	"net"
	"os"
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

// each plays a story on every protocol.
func each(t *testing.T, story func(*testing.T, *gatewaytest.Platform)) {
	for _, protocol := range gatewaytest.Protocols {
		t.Run(protocol, func(t *testing.T) { story(t, gatewaytest.Speaking(t, protocol)) })
	}
}

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
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.Drain(ctx); err != nil {
		r.t.Fatal(err)
	}
}

var noon = time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(end) {
			t.Fatal("did not happen within a minute")
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

func TestProvisionsItselfAndReports(t *testing.T) { each(t, provisionsItselfAndReports) }

func provisionsItselfAndReports(t *testing.T, p *gatewaytest.Platform) {
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
	each(t, restartNeedsNoClaimAndBeginsAnEpoch)
}

func restartNeedsNoClaimAndBeginsAnEpoch(t *testing.T, p *gatewaytest.Platform) {
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
	each(t, lostBundleIsAskedForWithTheSameKey)
}

func lostBundleIsAskedForWithTheSameKey(t *testing.T, p *gatewaytest.Platform) {
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

func TestAClaimsOtherGatewaysAreAsked(t *testing.T) { each(t, aClaimsOtherGatewaysAreAsked) }

func aClaimsOtherGatewaysAreAsked(t *testing.T, p *gatewaytest.Platform) {
	p.Answer = p.Accept
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	scheme, address, _ := strings.Cut(p.Claim.Gateway, "://")
	dead := scheme + "://" + l.Addr().String()
	l.Close()
	p.Claim.Gateway, p.Claim.Alternatives = dead, map[string][]string{"mqtt": {dead, "tls://" + address}, "grpc": {dead, "grpcs://" + address}}
	start(t, p, t.TempDir(), nil).reach(agent.Confirmed)
}

func TestPendingIsAskedAgain(t *testing.T) { each(t, pendingIsAskedAgain) }

func pendingIsAskedAgain(t *testing.T, p *gatewaytest.Platform) {
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

func TestRejectionEndsWithItsReason(t *testing.T) { each(t, rejectionEndsWithItsReason) }

func rejectionEndsWithItsReason(t *testing.T, p *gatewaytest.Platform) {
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

func TestStoppedBeforeItCouldConfirm(t *testing.T) { each(t, stoppedBeforeItCouldConfirm) }

func stoppedBeforeItCouldConfirm(t *testing.T, p *gatewaytest.Platform) {
	p.DenyConfirm = 1
	dir := t.TempDir()
	a := start(t, p, dir, nil)
	a.reach(agent.Connected)
	eventually(t, func() bool { return len(p.Confirms()) == 1 })
	a.stop()
	b := start(t, p, dir, func(c *agent.Config) { c.Claim = nil })
	b.reach(agent.Confirmed)
}
