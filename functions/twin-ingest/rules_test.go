package twiningest_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/monitor"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// alarms returns the transitions that come from now on, as "raised pump-1:hot:1"; between topics there is no order.
func (w *world) alarms() func() []string {
	events := w.Collect(event.AlarmRaised, event.AlarmCleared)
	return func() (all []string) {
		for _, e := range events() {
			var tr monitor.Transition
			must(w.t, e.Decode(&tr))
			all = append(all, fmt.Sprintf("%s %s", map[bool]string{true: "raised", false: "cleared"}[tr.Raised], tr.Alarm))
		}
		return all
	}
}

func (w *world) want(alarms func() []string, want ...string) {
	w.t.Helper()
	functiontest.Eventually(w.t, fmt.Sprint("alarms ", want), func() bool { return len(alarms()) >= len(want) })
	got := alarms()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.t.Errorf("alarms are %v, want %v", got, want)
	}
}

func TestAThresholdWithDurationAndHysteresis(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	w.rule("hot", "pump", "temp > 80 for 1m clear 70")
	w.SetTime(noon)
	alarms := w.alarms()
	w.stored(measured("pump-1", 1, "temp", 85))
	if got := w.twin("pump-1").Live.Due; !got.Equal(noon.Add(61 * time.Second)) {
		t.Fatalf("due is %s, want a minute after the breach", got)
	}
	w.SetTime(noon.Add(50 * time.Second))
	w.tick("pump-1")
	w.SetTime(noon.Add(62 * time.Second))
	w.tick("pump-1") // it fires without a further message
	w.tick("pump-1")
	w.want(alarms, "raised pump-1:hot:1")
	w.stored(measured("pump-1", 65, "temp", 75)) // within the hysteresis
	w.stored(measured("pump-1", 66, "temp", 69))
	w.want(alarms, "raised pump-1:hot:1", "cleared pump-1:hot:1")
	// A backlog is judged by the device's clock.
	w.SetTime(noon.Add(time.Hour))
	w.stored(measured("pump-1", 100, "temp", 90), measured("pump-1", 150, "temp", 91), measured("pump-1", 170, "temp", 92), measured("pump-1", 180, "temp", 1))
	w.want(alarms, "raised pump-1:hot:1", "cleared pump-1:hot:1", "raised pump-1:hot:2", "cleared pump-1:hot:2")
	// Late news is no news for rules.
	w.stored(measured("pump-1", 175, "temp", 99))
	w.want(alarms, "raised pump-1:hot:1", "cleared pump-1:hot:1", "raised pump-1:hot:2", "cleared pump-1:hot:2")
}

// Rules of the twin itself, its type and its aggregates all watch it; so do booleans.
func TestWhoseRulesWatchATwin(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1", "pump-2")
	_, err := w.twins.Update(context.Background(), "pump-1", func(t *twin.Twin) error { t.Definition.Aggregates = []twin.ID{"line-2"}; return nil })
	must(t, err)
	w.rule("own", "pump-1", "temp > 1")
	w.rule("type", "pump", "temp > 2")
	w.rule("line", "line-2", "open == 1")
	w.rule("other", "pump-2", "temp > 0")
	w.rule("off", "pump", "temp > 0", func(r *monitor.Rule) { r.Disabled = true })
	alarms := w.alarms()
	w.stored(measured("pump-1", 1, "temp", 3), measured("pump-1", 2, "open", true), measured("pump-1", 3, "temp", "text says nothing"))
	w.want(alarms, "raised pump-1:own:1", "raised pump-1:type:1", "raised pump-1:line:1")
}

func TestRulesThatChange(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		want   []string
	}{
		"removed":   {func(w *world) { must(w.t, w.rules.Delete(context.Background(), "hot")) }, []string{"cleared pump-1:hot:1"}},
		"disabled":  {func(w *world) { w.rule("hot", "pump", "temp > 80", func(r *monitor.Rule) { r.Disabled = true }) }, []string{"cleared pump-1:hot:1"}},
		"made mild": {func(w *world) { w.rule("hot", "pump", "temp > 95", func(r *monitor.Rule) { r.Version = 2 }) }, []string{"cleared pump-1:hot:1"}},
		"still breached in another form": {func(w *world) { w.rule("hot", "pump", "temp > 85", func(r *monitor.Rule) { r.Version = 2 }) },
			[]string{"cleared pump-1:hot:1", "raised pump-1:hot:2"}},
		"removed and made again under the same id": {func(w *world) {
			must(w.t, w.rules.Delete(context.Background(), "hot"))
			w.pass(6 * time.Second)
			w.tick("pump-1")
			w.rule("hot", "pump", "temp > 80")
		}, []string{"cleared pump-1:hot:1", "raised pump-1:hot:2"}},
		"another one looks at what is reported": {func(w *world) { w.rule("warm", "pump", "temp > 50") }, []string{"raised pump-1:warm:1"}},
		"the property is removed":               {func(w *world) { w.stored(stated(measured("pump-1", 5, "temp", nil))) }, []string{"cleared pump-1:hot:1"}},
		"nothing is measured":                   {func(w *world) { w.stored(measured("pump-1", 5, "temp", nil)) }, nil},
		"the twin is retired": {func(w *world) {
			_, err := w.twins.Update(context.Background(), "pump-1", func(t *twin.Twin) error { t.Definition.Phase = twin.Retired; return nil })
			must(w.t, err)
		}, []string{"cleared pump-1:hot:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, twin.Model{}, "pump-1")
			w.rule("hot", "pump", "temp > 80")
			alarms := w.alarms()
			w.stored(measured("pump-1", 1, "temp", 90))
			c.change(w)
			w.pass(6 * time.Second)
			w.tick("pump-1")
			w.tick("pump-1")
			w.want(alarms, append([]string{"raised pump-1:hot:1"}, c.want...)...)
		})
	}
}

// stated is m as reported state.
func stated(m telemetry.Message) telemetry.Message {
	m.Kind = telemetry.State
	return m
}

// What a message says beside a value that is none (a driver's NaN, a removal) counts, and rules hear of it: once, however often it comes.
func TestWhatComesBesideNoValueCounts(t *testing.T) {
	for name, c := range map[string]struct {
		kind func(telemetry.Message) telemetry.Message
		held bool // dewpoint is, afterwards
	}{
		"measured": {func(m telemetry.Message) telemetry.Message { return m }, true},
		"stated":   {stated, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, twin.Model{}, "pump-1")
			w.rule("hot", "pump", "temp > 80")
			alarms := w.alarms()
			w.stored(measured("pump-1", 1, "dewpoint", 9.0))
			m := c.kind(measured("pump-1", 2, "dewpoint", nil))
			m.Samples = append(m.Samples, telemetry.Sample{Property: "temp", Value: 90.0})
			w.stored(m)
			w.want(alarms, "raised pump-1:hot:1")
			live := w.twin("pump-1").Live
			if r, _ := live.Reading("temp"); r.Value != 90.0 {
				t.Errorf("temp is %v", r.Value)
			}
			if r, ok := live.Reading("dewpoint"); ok != c.held || ok && r.Value != 9.0 {
				t.Errorf("dewpoint is %v, held %t", r.Value, ok)
			}
			w.stored(m)
			if again := w.twin("pump-1").Live; again.Version != live.Version {
				t.Errorf("sent again it was a change: %+v", again.Reported)
			}
			w.want(alarms, "raised pump-1:hot:1")
		})
	}
}

// People read of the end what they read of the beginning, also when the rule is gone.
func TestTheEndKeepsTheTitle(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	w.rule("rule-1", "pump", "temp > 80", func(r *monitor.Rule) { r.Name = "too hot" })
	events := w.Collect(event.AlarmRaised, event.AlarmCleared)
	w.stored(measured("pump-1", 1, "temp", 90))
	must(t, w.rules.Delete(context.Background(), "rule-1"))
	w.pass(6 * time.Second)
	w.tick("pump-1")
	functiontest.Eventually(t, "both transitions", func() bool { return len(events()) == 2 })
	for _, e := range events() {
		var tr monitor.Transition
		must(t, e.Decode(&tr))
		if tr.Title != "too hot" {
			t.Errorf("raised %v is titled %q", tr.Raised, tr.Title)
		}
	}
	recent := w.twin("pump-1").Live.Recent
	if last := recent[len(recent)-1].What; last != "alarm cleared: too hot" {
		t.Errorf("the last that happened is %q", last)
	}
}

// A rule.changed event empties the cache at once; the clock stands still here.
func TestChangedRulesCountAtOnce(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	w.stored(measured("pump-1", 1, "temp", 10))
	now := w.Now()
	w.rule("hot", "pump", "temp > 80")
	w.SetTime(now)
	must(t, w.Base.Bus.Publish(context.Background(), event.New("hot#0", event.RuleChanged, "hot", now, nil)))
	alarms := w.alarms()
	s := 1
	functiontest.Eventually(t, "the rule is known", func() bool {
		s++
		w.stored(measured("pump-1", s, "temp", 90))
		return len(alarms()) > 0
	})
}

// More alarms in one batch than a twin's outbox holds: all are told, none twice.
func TestABatchWithMoreAlarmsThanTheOutboxHolds(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	w.rule("hot", "pump", "temp > 80")
	alarms := w.alarms()
	var want []string
	var all = messages(200, func(i int) any { return 90 - 80*(i%2) })
	for i := range 100 {
		want = append(want, fmt.Sprintf("raised pump-1:hot:%d", i+1), fmt.Sprintf("cleared pump-1:hot:%d", i+1))
	}
	w.stored(all...)
	w.want(alarms, want...)
}
