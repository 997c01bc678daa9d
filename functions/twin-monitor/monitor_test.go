package twinmonitor_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	twiningest "github.com/castor-iot/castor/functions/twin-ingest"
	twinmonitor "github.com/castor-iot/castor/functions/twin-monitor"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
	handler "github.com/openfaas/templates-sdk/go-http"
)

var ctx = context.Background()

// A world is functions twin-monitor and twin-ingest, with a type and its instances.
type world struct {
	*functiontest.World
	t     *testing.T
	twins *store.Collection[twin.Twin]
	seq   int64
}

func newWorld(t *testing.T) *world {
	w := &world{World: functiontest.New(t, functiontest.Functions{"twin-monitor": twinmonitor.New, "twin-ingest": twiningest.New}), t: t}
	var err error
	if w.twins, err = platform.OpenTwins(ctx, w.Base.DB); err != nil {
		t.Fatal(err)
	}
	w.SetTime(time.Date(2026, 3, 21, 10, 0, 0, 0, time.UTC))
	w.put(twin.Twin{ID: "pump", Kind: twin.Type, Definition: twin.Definition{Version: 1, Owner: "smiths", Model: &twin.Model{}}})
	w.instance("pump-1", "press")
	return w
}

func (w *world) put(x twin.Twin) {
	w.t.Helper()
	if err := w.twins.Insert(ctx, x); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) instance(id twin.ID, owner string) {
	w.t.Helper()
	w.put(twin.Twin{ID: id, Kind: twin.Instance, Definition: twin.Definition{Version: 1, Type: "pump", Owner: owner, Phase: twin.Operational}})
	w.Enrol("op-1", 1, id)
}

// report has a twin report a value of property cpu now.
func (w *world) report(id twin.ID, value float64) {
	w.t.Helper()
	w.seq++
	now := w.Now()
	res, err := w.Part("connector", "op-1").Ingest(ctx, telemetry.Batch{Gateway: "op-1", Messages: []telemetry.Message{{Twin: id, Kind: telemetry.Telemetry,
		Time: now, Received: now, Order: twin.Order{Epoch: 1, Seq: w.seq}, Gateway: "op-1", Samples: []telemetry.Sample{{Property: "cpu", Value: value}}}}})
	if err != nil {
		w.t.Fatal(err)
	}
	if res.Outcomes[0] != telemetry.Stored {
		w.t.Fatalf("the message of %s became %s", id, res.Outcomes[0])
	}
}

func (w *world) pass(d time.Duration) { w.SetTime(w.Now().Add(d)) }

// active tells whether an alarm of the rule is raised on the twin.
func (w *world) active(id twin.ID, rule string) bool {
	w.t.Helper()
	x, err := w.twins.Get(ctx, string(id))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range x.Live.Rules {
		if s.Rule == rule {
			return s.Active
		}
	}
	return false
}

func condition(t *testing.T, s string) monitor.Condition {
	t.Helper()
	c, err := monitor.ParseCondition(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// "for 1m" must fire without a further message, once, and a tick that is fired twice must act once.
func TestDurationEndsWithoutAMessage(t *testing.T) {
	w := newWorld(t)
	raised := w.Collect(event.AlarmRaised)
	if _, err := w.Admin().CreateRule(ctx, api.NewRule{ID: "hot", Target: "pump", Condition: condition(t, "cpu > 80 for 1m"), Severity: monitor.Critical}); err != nil {
		t.Fatal(err)
	}
	w.report("pump-1", 90)
	w.pass(59 * time.Second)
	if err := w.Tick("twin-monitor", w.Now()); err != nil {
		t.Fatal(err)
	}
	if w.active("pump-1", "hot") {
		t.Fatal("the alarm was raised after 59 s of 60")
	}
	w.pass(time.Second)
	w.Add("twin-monitor", twinmonitor.New) // another instance, or a restart
	for range 3 {
		if err := w.Tick("twin-monitor", w.Now()); err != nil {
			t.Fatal(err)
		}
	}
	functiontest.Eventually(t, "the alarm is raised", func() bool { return len(raised()) > 0 })
	w.pass(5 * time.Second)
	if err := w.Tick("twin-monitor", w.Now()); err != nil {
		t.Fatal(err)
	}
	if got := raised(); len(got) != 1 || !w.active("pump-1", "hot") {
		t.Errorf("%d events tell that the alarm was raised, want 1", len(got))
	}
}

// A run that is fired twice, also by two connectors at once, hands the twins over once; the next one hands over what is left.
func TestATickFiredTwiceHandsOverOnce(t *testing.T) {
	w := newWorld(t)
	var ticks atomic.Int64
	w.Add("twin-ingest", func(*platform.Platform) faas.Func {
		return func(handler.Request) (handler.Response, error) {
			ticks.Add(1)
			return handler.Response{StatusCode: http.StatusInternalServerError}, nil
		}
	})
	w.put(twin.Twin{ID: "due", Kind: twin.Instance, Live: twin.Live{Due: w.Now()}})
	for want := range int64(3) {
		var g sync.WaitGroup
		for range 4 {
			g.Go(func() { _ = w.Tick("twin-monitor", w.Now()) }) // who hands over is told that twin-ingest failed
		}
		g.Wait()
		if got := ticks.Load(); got != want+1 {
			t.Fatalf("after %d planned times the twin was handed over %d times", want+1, got)
		}
		w.pass(5 * time.Second)
	}
}

// More twins than one batch holds become due in the same moment.
func TestEveryDueTwinIsLookedAt(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Admin().CreateRule(ctx, api.NewRule{ID: "hot", Target: "pump", Condition: condition(t, "cpu > 80 for 1m")}); err != nil {
		t.Fatal(err)
	}
	const n = 1100
	due := w.Platform("x").Time().Add(30 * time.Second)
	var all []twin.Twin
	for i := range n {
		all = append(all, twin.Twin{ID: twin.ID(fmt.Sprintf("many-%d", i)), Kind: twin.Instance, Definition: twin.Definition{Version: 1, Type: "pump"},
			Live: twin.Live{Due: due, Rules: []twin.RuleState{{Rule: "hot", Version: 1, Breached: true, Since: due.Add(-time.Minute), SinceReceived: due.Add(-time.Minute), Due: due}}}})
	}
	if err := w.twins.PutMany(ctx, all); err != nil {
		t.Fatal(err)
	}
	w.pass(30 * time.Second)
	if err := w.Tick("twin-monitor", w.Now()); err != nil {
		t.Fatal(err)
	}
	left, err := w.twins.Count(ctx, store.Gt("live.due", time.UnixMilli(0)), "by-due")
	if err != nil {
		t.Fatal(err)
	}
	if left != 0 || !w.active("many-0", "hot") || !w.active("many-1099", "hot") {
		t.Errorf("%d of %d twins are still due after the tick", left, n)
	}
}

// A rule that watches no longer must not leave its alarm standing, though the device is silent.
func TestEndOfARuleEndsItsAlarm(t *testing.T) {
	for name, end := range map[string]func(*api.Client) error{
		"deleting": func(c *api.Client) error { return c.DeleteRule(ctx, "hot") },
		"disabling": func(c *api.Client) error {
			_, err := c.UpdateRule(ctx, "hot", 1, map[string]any{"disabled": true})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			cleared := w.Collect(event.AlarmCleared)
			if _, err := w.Admin().CreateRule(ctx, api.NewRule{ID: "hot", Target: "pump", Condition: condition(t, "cpu > 80")}); err != nil {
				t.Fatal(err)
			}
			w.report("pump-1", 90)
			if !w.active("pump-1", "hot") {
				t.Fatal("the alarm is not raised")
			}
			if err := end(w.Admin()); err != nil {
				t.Fatal(err)
			}
			functiontest.Eventually(t, "the alarm is over", func() bool {
				w.pass(5 * time.Second)
				if err := w.Tick("twin-monitor", w.Now()); err != nil {
					t.Fatal(err)
				}
				return !w.active("pump-1", "hot") && len(cleared()) == 1
			})
		})
	}
}

// twin-ingest is away while a rule is deleted: the alarm ends when it is back, and only then is the rule purged.
func TestEndOfARuleWaitsForTwinIngest(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Admin().CreateRule(ctx, api.NewRule{ID: "hot", Target: "pump-1", Condition: condition(t, "cpu > 80")}); err != nil {
		t.Fatal(err)
	}
	w.report("pump-1", 90)
	w.Add("twin-ingest", func(*platform.Platform) faas.Func {
		return func(handler.Request) (handler.Response, error) {
			return handler.Response{StatusCode: http.StatusBadGateway}, nil
		}
	})
	if err := w.Admin().DeleteRule(ctx, "hot"); err != nil {
		t.Fatalf("the rule could not be deleted while twin-ingest is away: %v", err)
	}
	if _, err := w.Admin().GetRule(ctx, "hot"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("the deleted rule is still shown: %v", err)
	}
	if !w.active("pump-1", "hot") {
		t.Fatal("the alarm ended by itself")
	}
	w.Add("twin-ingest", twiningest.New)
	w.pass(5 * time.Second)
	if swept, err := w.Part("twin-watchdog", "").Sweep(ctx, "twin-monitor"); err != nil || swept.Repaired != 1 {
		t.Errorf("the sweep repaired %d, %v, want the 1 rule", swept.Repaired, err)
	}
	if w.active("pump-1", "hot") {
		t.Error("the alarm stands after the sweep")
	}
	rules, err := platform.OpenRules(ctx, w.Base.DB)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rules.Get(ctx, "hot"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the rule is still stored: %v", err)
	}
}

func TestANewRuleLooksAtWhatIsReportedAlready(t *testing.T) {
	w := newWorld(t)
	w.report("pump-1", 90)
	if _, err := w.Admin().CreateRule(ctx, api.NewRule{ID: "hot", Target: "pump", Condition: condition(t, "cpu > 80")}); err != nil {
		t.Fatal(err)
	}
	functiontest.Eventually(t, "the alarm is raised", func() bool {
		w.pass(5 * time.Second)
		return w.Tick("twin-monitor", w.Now()) == nil && w.active("pump-1", "hot")
	})
}

func TestRulesOfADeletedTwinGo(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Admin().CreateRule(ctx, api.NewRule{ID: "hot", Target: "pump-1", Condition: condition(t, "cpu > 80")}); err != nil {
		t.Fatal(err)
	}
	gone := event.New("pump-1#9", event.TwinDeleted, "pump-1", w.Now(), api.TwinChanged{Twin: "pump-1", Kind: twin.Instance})
	if err := w.Event("twin-monitor", gone); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Admin().GetRule(ctx, "hot"); err != nil {
		t.Errorf("the rule went although its twin is there: %v", err)
	}
	if err := w.twins.Delete(ctx, "pump-1"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Event("twin-monitor", gone); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Admin().GetRule(ctx, "hot"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("the rule of a deleted twin: %v, want not found", err)
	}
}

func TestRuleLife(t *testing.T) {
	w := newWorld(t)
	changes := w.Collect(event.RuleChanged)
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	r, err := ada.CreateRule(ctx, api.NewRule{Target: "pump-1", Condition: condition(t, "cpu > 80 for 1m clear 70")})
	if err != nil {
		t.Fatal(err)
	}
	if r.Version != 1 || r.Severity != monitor.Warning || r.By != "user:ada" || !strings.HasPrefix(r.ID, "rule-") {
		t.Errorf("the new rule is %+v", r)
	}
	r, err = ada.UpdateRule(ctx, r.ID, 1, map[string]any{"condition": "cpu > 85", "name": "too hot"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Version != 2 || r.Condition.String() != "cpu > 85" || r.Title() != "too hot" {
		t.Errorf("the changed rule is %+v", r)
	}
	if _, err := ada.UpdateRule(ctx, r.ID, 1, map[string]any{"name": "other"}); !errors.Is(err, api.ErrStale) {
		t.Errorf("a change of version 1 of a rule of version 2: %v, want ErrStale", err)
	}
	same, err := ada.UpdateRule(ctx, r.ID, 2, map[string]any{"name": "too hot"})
	if err != nil || same.Version != 2 {
		t.Errorf("a change that changes nothing makes version %d, %v; want 2", same.Version, err)
	}
	if err := ada.DeleteRule(ctx, r.ID); err != nil {
		t.Fatal(err)
	}
	if err := ada.DeleteRule(ctx, r.ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("deleting it again: %v, want ErrNotFound", err)
	}
	functiontest.Eventually(t, "three changes are told", func() bool { return len(changes()) == 3 })

	w.pass(time.Second)
	again, err := ada.CreateRule(ctx, api.NewRule{ID: r.ID, Target: "pump-1", Condition: condition(t, "cpu > 1")})
	if err != nil {
		t.Fatalf("the id of a deleted rule cannot be used again: %v", err)
	}
	functiontest.Eventually(t, "the new rule is told, though its id was used before", func() bool { return len(changes()) == 4 })
	if _, err := ada.CreateRule(ctx, api.NewRule{ID: again.ID, Target: "pump-1", Condition: condition(t, "cpu > 1")}); !errors.Is(err, api.ErrExists) {
		t.Errorf("a second rule of the same id: %v, want ErrExists", err)
	}
}

func TestRulesAreSeenByThoseWhoSeeTheirTarget(t *testing.T) {
	w := newWorld(t)
	w.instance("pump-2", "paint")
	admin := w.Admin()
	for i, target := range []twin.ID{"pump", "pump-1", "pump-1", "pump-2"} {
		if _, err := admin.CreateRule(ctx, api.NewRule{ID: fmt.Sprintf("r%d", i), Target: target, Condition: condition(t, "cpu > 80")}); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		as   *api.Client
		want string
	}{
		"a maintainer sees all":               {admin, "r0 r1 r2 r3"},
		"an owner sees those of own twins":    {w.User("ada", []access.Role{access.Owner}, "press"), "r1 r2"},
		"a viewer of the group sees the same": {w.User("vic", []access.Role{access.Viewer}, "press"), "r1 r2"},
		"a stranger sees nothing":             {w.User("sam", []access.Role{access.Owner}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for cursor := ""; ; {
				page, err := listBy(c.as, cursor)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range page.Items {
					got = append(got, r.ID)
				}
				if cursor = page.Next; cursor == "" {
					break
				}
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("sees %q, want %q", s, c.want)
			}
		})
	}
	sam, vic := w.Login("sam", functiontest.Password), w.Login("vic", functiontest.Password)
	_, hidden := sam.GetRule(ctx, "r1")
	_, missing := sam.GetRule(ctx, "r9")
	if hidden == nil || missing == nil || strings.ReplaceAll(hidden.Error(), "r1", "X") != strings.ReplaceAll(missing.Error(), "r9", "X") {
		t.Errorf("a hidden rule (%v) is told of in other words than a missing one (%v)", hidden, missing)
	}
	if err := vic.DeleteRule(ctx, "r1"); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a viewer deletes a rule: %v, want ErrDenied", err)
	}
	if _, err := sam.CreateRule(ctx, api.NewRule{Target: "pump-1", Condition: condition(t, "cpu > 1")}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a stranger makes a rule: %v, want not found", err)
	}
}

func listBy(c *api.Client, cursor string) (page api.Page[monitor.Rule], err error) {
	path := "/rules?limit=1"
	if cursor != "" {
		path += "&cursor=" + cursor
	}
	return page, c.Call(ctx, "GET", "twin-monitor", path, nil, &page)
}

func TestHostileRulesAreRefused(t *testing.T) {
	w := newWorld(t)
	admin := w.Admin()
	if _, err := admin.CreateRule(ctx, api.NewRule{ID: "hot", Target: "pump", Condition: condition(t, "cpu > 80")}); err != nil {
		t.Fatal(err)
	}
	deep := strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)
	for name, c := range map[string]struct{ method, path, body, want string }{
		"no body":                       {"POST", "/rules", "", "empty"},
		"not JSON":                      {"POST", "/rules", "{", "JSON"},
		"a list":                        {"POST", "/rules", "[]", ""},
		"an unknown field":              {"POST", "/rules", `{"target":"pump","condition":"cpu > 1","colour":"red"}`, "colour"},
		"no condition":                  {"POST", "/rules", `{"target":"pump"}`, "condition"},
		"a condition of another type":   {"POST", "/rules", `{"target":"pump","condition":7}`, "condition"},
		"a condition without a number":  {"POST", "/rules", `{"target":"pump","condition":"cpu > hot"}`, "number"},
		"a condition with a control":    {"POST", "/rules", `{"target":"pump","condition":"c\u0000u > 1"}`, "control"},
		"an unknown severity":           {"POST", "/rules", `{"target":"pump","condition":"cpu > 1","severity":"awful"}`, "severity"},
		"a name with a control":         {"POST", "/rules", `{"target":"pump","condition":"cpu > 1","name":"a\r\nb"}`, "name"},
		"a long name":                   {"POST", "/rules", `{"target":"pump","condition":"cpu > 1","name":"` + strings.Repeat("a", 129) + `"}`, "name"},
		"an id that is a path":          {"POST", "/rules", `{"id":"../x","target":"pump","condition":"cpu > 1"}`, "id"},
		"the platform's id":             {"POST", "/rules", `{"id":"offline","target":"pump","condition":"cpu > 1"}`, "offline"},
		"a target that is not there":    {"POST", "/rules", `{"target":"nope","condition":"cpu > 1"}`, "nope"},
		"a target that is no id":        {"POST", "/rules", `{"target":"a/b c","condition":"cpu > 1"}`, "no twin"},
		"a deep patch":                  {"PATCH", "/rules/hot", deep, ""},
		"a patch that is a list":        {"PATCH", "/rules/hot", `[1]`, ""},
		"a patch that is null":          {"PATCH", "/rules/hot", `null`, "object"},
		"a patch of the target":         {"PATCH", "/rules/hot", `{"target":"pump-1"}`, "target"},
		"a patch of the version":        {"PATCH", "/rules/hot", `{"version":9}`, "version"},
		"a patch removes the condition": {"PATCH", "/rules/hot", `{"condition":null}`, "condition"},
		"a limit of letters":            {"GET", "/rules?limit=many", "", "limit"},
		"a limit too high":              {"GET", "/rules?limit=100000", "", "limit"},
		"a made-up cursor":              {"GET", "/rules?cursor=%00%ff", "", "cursor"},
		"a rule that is a path":         {"GET", "/rules/..%2f..%2fetc", "", "no rule"},
		"a rule that is not UTF-8":      {"GET", "/rules/%ff%fe", "", "no rule"},
		"a target to list of bad form":  {"GET", "/rules?target=%00", "", "no twin"},
	} {
		t.Run(name, func(t *testing.T) {
			var in any
			if c.body != "" {
				in = api.Raw{ContentType: "application/json", Body: []byte(c.body)}
			}
			err := admin.Call(ctx, c.method, "twin-monitor", c.path, in, nil)
			var p *api.Problem
			if !errors.As(err, &p) || p.Status < 400 || p.Status >= 500 {
				t.Fatalf("answered %v, want a problem of the caller's", err)
			}
			if !strings.Contains(p.Detail, c.want) {
				t.Errorf("the problem %q does not name %q", p.Detail, c.want)
			}
		})
	}
	if _, err := w.Nobody().GetRule(ctx, "hot"); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("without a token: %v", err)
	}
	if err := w.Admin().Call(ctx, http.MethodPost, "twin-monitor", "/schedule", nil, nil); !errors.Is(err, access.ErrDenied) {
		t.Errorf("a person fires the schedule: %v, want ErrDenied", err)
	}
}

// Whoever may read a twin may read the rules that decide about it, also those of a type and an aggregate that are others'.
func TestRulesThatWatchATwin(t *testing.T) {
	w := newWorld(t)
	w.put(twin.Twin{ID: "line", Kind: twin.Aggregate, Definition: twin.Definition{Version: 1, Owner: "hall"}})
	if _, err := w.twins.Update(ctx, "pump-1", func(t *twin.Twin) error { t.Definition.Aggregates = []twin.ID{"line"}; return nil }); err != nil {
		t.Fatal(err)
	}
	w.instance("pump-2", "press")
	admin := w.Admin()
	for id, target := range map[string]twin.ID{"own": "pump-1", "of-type": "pump", "of-line": "line", "of-another": "pump-2", "gone": "pump-1"} {
		c, err := monitor.ParseCondition("cpu > 80")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := admin.CreateRule(ctx, api.NewRule{ID: id, Target: target, Condition: c}); err != nil {
			t.Fatal(err)
		}
	}
	if err := admin.DeleteRule(ctx, "gone"); err != nil {
		t.Fatal(err)
	}
	ada := w.User("ada", []access.Role{access.Owner}, "press")
	eve := w.User("eve", []access.Role{access.Owner}, "others")
	page, err := ada.RulesOf(ctx, "pump-1")
	var got []string
	for _, r := range page.Items {
		got = append(got, r.Rule.ID+" "+r.From)
	}
	if want := "own twin, of-type type, of-line aggregate"; err != nil || strings.Join(got, ", ") != want {
		t.Errorf("the rules are %v, %v; want %s", got, err, want)
	}
	if _, err := eve.RulesOf(ctx, "pump-1"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
}
