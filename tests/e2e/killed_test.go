package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/agent/device"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/provision"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/cluster"
)

// Both replicas of twin-provision are killed at every step of a run: at the first call to a function that it makes, at the second, and
// so on, and at every call that it gets; at random before the function has the call, or after it has done it and nobody heard of that.
// Each device is one walk, killed at another call, and feels the kills of all others. Every run is completed, once: with one
// certificate, one place, one bundle and one use of its claim.
func TestARunIsKilledAtEachStep(t *testing.T) {
	t.Parallel()
	w := NewWorld(t, func(c *Settings) { c.Processes = true })
	seed := uint64(time.Now().UnixNano()) % (1 << 32)
	if s, err := strconv.ParseUint(os.Getenv("CASTOR_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("CASTOR_SEED=%d repeats it", seed)
	owner := w.Owner("plant")
	w.Type("auto")
	w.Type("semi", func(m *twin.Model) { m.Provisioning = "semi-automatic" })
	k := &killer{w: w, dice: rand.New(rand.NewPCG(seed, 0))}
	w.Cluster.Watch(k.hear)
	begin := time.Now()
	for n := range 18 {
		k.begin("auto", n+1)
		k.begin("semi", n+1)
	}
	k.settle(owner)
	left := map[twin.TypeID]int{}
	for _, v := range k.walks {
		if t.Logf("%s was killed at %s", v.serial, cmp.Or(v.at, "no call: it has no more")); v.at == "" {
			left[v.of]++
		}
	}
	t.Log(k.slowest())
	t.Logf("%d kills, %s", len(k.walks)-left["auto"]-left["semi"], time.Since(begin).Round(time.Millisecond))
	if left["auto"] == 0 || left["semi"] == 0 {
		t.Error("there are calls at which no walk was killed: begin more walks")
	}
}

// A walk is one device whose run is killed at its n-th call.
type walk struct {
	of     twin.TypeID
	serial string
	n      int      // 1 = the first
	marks  []string // by one of which calls of its run are known

	calls  []string // so far, in the order of their first time
	before bool     // the function shall not get the call
	at     string   // the call at which it was killed
	device *device.Device
	claim  string
}

type killer struct {
	w *World

	mu    sync.Mutex
	dice  *rand.Rand
	walks []*walk
	kill  sync.Mutex // one at a time
}

// begin has a device come in whose run is killed at its n-th call.
func (k *killer) begin(of twin.TypeID, n int) {
	w := k.w
	w.Helper()
	v := &walk{of: of, serial: fmt.Sprintf("%s-%02d", strings.ToUpper(string(of)), n), n: n}
	if of == "auto" {
		w.Identity(v.serial)
	}
	claim := w.Claim(of, "plant", func(c *api.NewClaim) { c.MaxUses = 1 })
	v.claim = claim.Claim.ID
	id := strings.ToLower(v.serial)
	v.marks = []string{v.claim, v.serial, id + `"`, id + "-", "/" + id}
	k.mu.Lock()
	v.before = k.dice.IntN(2) == 0
	k.walks = append(k.walks, v)
	k.mu.Unlock()
	var err error
	v.device, err = device.Start(device.Config{Claim: claim, Serial: v.serial, AnswerTimeout: 3 * time.Second})
	w.must(err, v.serial)
	w.Cleanup(func() { v.device.Close() })
}

// hear is told of each call of the platform.
func (k *killer) hear(c cluster.Call) {
	if c.By != "twin-provision" && (c.Function != "twin-provision" || !strings.HasPrefix(c.Text, "POST")) {
		return
	}
	if k.due(c) {
		k.kill.Lock()
		k.w.Cluster.CrashAll("twin-provision")
		k.kill.Unlock()
	}
}

// ids are the parts of a path that are another for each run.
var ids = regexp.MustCompile(`/[^/]*[0-9][^/]*`)

// due tells whether this is the moment of a walk.
func (k *killer) due(c cluster.Call) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, v := range k.walks {
		if v.at != "" || !slices.ContainsFunc(v.marks, func(m string) bool { return strings.Contains(c.Text, m) }) {
			continue
		}
		line, _, _ := strings.Cut(c.Text, "\n")
		line, _, _ = strings.Cut(line, "?")
		call := c.Function + ": " + ids.ReplaceAllString(line, "/{}")
		if !slices.Contains(v.calls, call) {
			v.calls = append(v.calls, call)
		}
		if len(v.calls) >= v.n && v.calls[v.n-1] == call && c.Answered != v.before {
			v.at = fmt.Sprintf("%q, done: %t", call, c.Answered)
			return true
		}
	}
	return false
}

// settle has people approve whoever waits for it until all are in, and looks at what there is then.
func (k *killer) settle(owner *api.Client) {
	w := k.w
	w.Helper()
	for end := time.Now().Add(3 * time.Minute); ; <-time.After(50 * time.Millisecond) { // a run that is left lies for 15 s
		k.approve(owner)
		page, err := w.Admin.ListRuns(w.Context(), api.RunQuery{Open: "true"})
		if err == nil && len(page.Items) == 0 && !slices.ContainsFunc(k.walks, func(v *walk) bool { return v.device.Twin() == "" }) {
			break
		}
		if time.Now().After(end) {
			w.Fatalf("%d runs are not completed: %s", len(page.Items), k.slowest())
		}
	}
	for _, v := range k.walks {
		w.Ready(v.device)
		k.once(v)
	}
}

// approve lets in whoever waits for it. A decision whose answer got lost is made again.
func (k *killer) approve(owner *api.Client) {
	page, err := owner.ListRuns(k.w.Context(), api.RunQuery{Awaits: "people"})
	if err != nil {
		return
	}
	for _, r := range page.Items {
		k.known(r.Request.Serial, r.ID)
		_, err := owner.DecideRun(k.w.Context(), r.ID, api.Decide{Trigger: provision.Approved, State: "approval", Reason: "it is ours"})
		if errors.Is(err, access.ErrDenied) || errors.Is(err, api.ErrNotFound) || errors.Is(err, twin.ErrInvalid) {
			k.w.Errorf("approve %s: %v", r.Request.Serial, err)
		}
	}
}

// known has calls that name a run count as its walk's.
func (k *killer) known(serial, run string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, v := range k.walks {
		if v.serial == serial && !slices.Contains(v.marks, run) {
			v.marks = append(v.marks, run)
		}
	}
}

// once fails the story unless what the run made is there once.
func (k *killer) once(v *walk) {
	w := k.w
	w.Helper()
	id, ref := v.device.Twin(), v.device.Ref()
	var made api.Page[api.CredentialFact]
	var place api.Assignment
	var run provision.Run
	w.Eventually("what "+v.serial+" has can be read", func() bool {
		var errs [4]error
		var page api.Page[provision.Run]
		made, errs[0] = w.Admin.ListCredentials(w.Context(), id)
		place, errs[1] = w.Admin.GetAssignment(w.Context(), ref)
		if page, errs[2] = w.Admin.ListRuns(w.Context(), api.RunQuery{Twin: id}); len(page.Items) == 1 {
			run, errs[3] = w.Admin.GetRun(w.Context(), page.Items[0].ID)
		}
		return errors.Join(errs[:]...) == nil
	})
	fail := func(what string) {
		w.Helper()
		w.Errorf("%s, killed at call %d (%s): %s\n%s", v.serial, v.n, v.at, what, stepsOf(&run))
	}
	if run.Outcome != provision.Completed || run.Round != 1 {
		fail(fmt.Sprintf("its run ended as %q in round %d", run.Outcome, run.Round))
	}
	if n := len(slices.DeleteFunc(slices.Clone(run.Steps), func(s provision.Step) bool { return s.Outcome != "ended" })); n != 1 {
		fail(fmt.Sprintf("its run has ended %d times", n))
	}
	if len(made.Items) != 1 || made.Items[0].Ref != ref || made.Items[0].Generation != 1 || made.Items[0].State != api.CredentialActive {
		fail(fmt.Sprintf("its certificates are %+v, the bundle's is of %s", made.Items, ref))
	}
	if place.Twin != id || !place.Applied {
		fail(fmt.Sprintf("its place is %+v", place))
	}
	claim, err := w.Admin.GetClaim(w.Context(), v.claim)
	w.must(err, "claim")
	if claim.Used != 1 {
		fail(fmt.Sprintf("its claim has %d uses", claim.Used))
	}
}

// slowest is the log of the run that took longest.
func (k *killer) slowest() string {
	page, err := k.w.Admin.ListRuns(k.w.Context(), api.RunQuery{})
	k.w.must(err, "runs")
	r := slices.MaxFunc(page.Items, func(a, b provision.Run) int { return cmp.Compare(a.Updated.Sub(a.Created), b.Updated.Sub(b.Created)) })
	r, err = k.w.Admin.GetRun(k.w.Context(), r.ID)
	k.w.must(err, "run")
	return fmt.Sprintf("the slowest run, of %s:\n%s", r.Request.Serial, stepsOf(&r))
}

// stepsOf is a run's log, as text.
func stepsOf(r *provision.Run) string {
	var b strings.Builder
	for _, s := range r.Steps {
		fmt.Fprintf(&b, "%s %s %s %s %s %s\n", s.At.Format("15:04:05.000"), s.State, s.Action, s.Actor, s.Outcome, s.Reason)
	}
	return b.String()
}
