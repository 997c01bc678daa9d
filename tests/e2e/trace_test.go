package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/provision"
)

// lines are what a platform logs.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

// read returns the lines so far.
func (l *lines) read(t *testing.T) (all []map[string]any) {
	t.Helper()
	l.mu.Lock()
	s := bufio.NewScanner(strings.NewReader(l.all.String()))
	l.mu.Unlock()
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var line map[string]any
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			t.Fatalf("line %q: %v", s.Text(), err)
		}
		all = append(all, line)
	}
	return all
}

// A reading raises an alarm. Who has the reading in history, or the alarm, finds what every part did for it in the logs of all
// processes by one id.
func TestOneIDFollowsAMessage(t *testing.T) {
	hook, log := NewHook(t), &lines{}
	w := NewWorld(t, func(c *Settings) { c.Log = slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}) })
	w.Type("pump")
	owner := w.Owner("plant")
	pump := w.Provision("pump", "P-7", "plant")
	w.Rule(pump.Twin(), "temp > 80", monitor.Critical)
	_, err := owner.CreateRoute(w.Context(), api.Route{Owner: "plant", Webhook: hook.URL})
	w.must(err, "route")
	w.Measure(pump, "temp", 95)
	w.Eventually("somebody is told", func() bool { return len(hook.Calls()) == 1 })
	w.Drained(pump)

	history := w.History(pump.Twin(), "temp")
	if len(history) != 1 || len(history[0].Trace) != 32 {
		t.Fatalf("history: %+v", history)
	}
	id := history[0].Trace
	if a := w.Alarms(pump.Twin()); a[0].Trace != id {
		t.Errorf("the alarm is of %q, the reading that raised it of %q", a[0].Trace, id)
	}
	steps := []struct {
		what string
		is   func(line map[string]any) bool
	}{
		{"the connector sends the batch", func(l map[string]any) bool {
			devices, _ := l["devices"].([]any)
			return l["msg"] == "batch" && l["gateway"] != nil && len(devices) == 1
		}},
		{"twin-ingest stores it", func(l map[string]any) bool {
			return l["msg"] == "call" && l["function"] == "twin-ingest" && l["path"] == "/batches"
		}},
		{"alerts is called with the event", func(l map[string]any) bool {
			return l["msg"] == "call" && l["function"] == "alerts" && l["path"] == "/events"
		}},
		{"alerts keeps the alarm", func(l map[string]any) bool { return l["msg"] == "alarm kept" && l["twin"] == string(pump.Twin()) }},
		{"somebody is told", func(l map[string]any) bool { return l["msg"] == "people told" }},
	}
	found := func() (missing string) {
		all := log.read(t)
	next:
		for _, s := range steps {
			for _, l := range all {
				if l["trace"] == id && s.is(l) {
					continue next
				}
			}
			return s.what
		}
		return ""
	}
	w.Eventually("every part has logged it", func() bool { return found() == "" })
	if m := found(); m != "" {
		t.Errorf("no line with trace %s says: %s", id, m)
	}
	for _, l := range log.read(t) {
		if (l["msg"] == "call" || l["msg"] == "batch" || l["msg"] == "alarm kept") && l["trace"] == nil {
			t.Errorf("a line without a trace: %v", l)
		}
		if l["msg"] == "alarm kept" && l["trace"] != id {
			t.Errorf("the alarm's line has another trace: %v", l)
		}
	}
}

// The log of a run says by which calls it went on, and the request of the device is found in the connector's log.
func TestOneIDFollowsAProvisioningRequest(t *testing.T) {
	log := &lines{}
	w := NewWorld(t, func(c *Settings) { c.Log = slog.NewJSONHandler(log, nil) })
	w.Type("pump")
	pump := w.Provision("pump", "P-7", "plant")
	page, err := w.Admin.ListRuns(w.Context(), api.RunQuery{Twin: pump.Twin()})
	w.must(err, "runs")
	run, err := w.Admin.GetRun(w.Context(), page.Items[0].ID)
	w.must(err, "run")
	if run.Outcome != provision.Completed || len(run.Trace) != 32 || run.Steps[0].Trace != run.Trace {
		t.Fatalf("the run is of %q, its first step of %q", run.Trace, run.Steps[0].Trace)
	}
	for _, s := range run.Steps {
		if s.Trace == "" {
			t.Errorf("a step without a trace: %+v", s)
		}
	}
	w.Eventually("connector and functions have logged it", func() bool {
		said := map[string]bool{}
		for _, l := range log.read(t) {
			if l["trace"] == run.Trace {
				said[l["msg"].(string)] = true
				if f, ok := l["function"].(string); ok {
					said[f] = true
				}
			}
		}
		return said["provisioning request answered"] && said["twin-provision"] && said["credentials"] && said["twins"] && said["gateways"]
	})
}
