package twiningest_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	twiningest "github.com/castor-iot/castor/functions/twin-ingest"
	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/trace"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// unread is a message that the driver could not read, s seconds after noon, in the order that the connector gave it.
func unread(id twin.ID, s int, raw string) telemetry.Message {
	return telemetry.Message{Twin: id, Generation: 1, Kind: telemetry.Undecoded, Was: telemetry.Telemetry, Received: noon.Add(time.Duration(s) * time.Second),
		Order: twin.Order{Epoch: 7, Seq: int64(s) * 512, Assigned: true}, Session: "s1", Topic: "up", Port: 2, Raw: []byte(raw), Driver: "th@1.0.0", Reason: "it threw"}
}

// became is what a parked message became: a reading for each value, the last without a time of its own.
func became(id string, property string, values ...any) api.RedrivenItem {
	item := api.RedrivenItem{ID: id}
	for _, v := range values {
		item.Messages = append(item.Messages, telemetry.Message{Kind: telemetry.Telemetry, Samples: []telemetry.Sample{{Property: property, Value: v}}})
	}
	return item
}

// park has messages parked and returns them oldest first.
func (w *world) park(messages ...telemetry.Message) (all []api.ParkedMessage) {
	w.t.Helper()
	for i, o := range w.say(messages...) {
		if o != telemetry.Parked {
			w.t.Fatalf("message %d became %s, want parked", i, o)
		}
	}
	page, err := w.Admin().ListParked(context.Background(), messages[0].Twin, "")
	must(w.t, err)
	for _, m := range page.Items {
		all = append([]api.ParkedMessage{m}, all...)
	}
	return all
}

func (w *world) redriven(id twin.ID, items ...api.RedrivenItem) error {
	return w.Part("drivers", "").Redriven(trace.With(context.Background(), "again"), api.Redriven{Twin: id, Items: items})
}

func TestWhatIsKeptOfAParkedMessage(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	timed := unread("pump-1", 1, "ab")
	timed.Time = noon.Add(-time.Hour)
	got := w.park(timed)
	if len(got) != 1 || !got[0].Time.Equal(timed.Time) || got[0].Port != 2 || got[0].Was != telemetry.Telemetry || got[0].Driver != "th@1.0.0" || got[0].Topic != "up" || got[0].Reason != "it threw" {
		t.Errorf("kept is %+v", got)
	}
	if again := w.park(unread("pump-1", 1, "ab")); len(again) != 1 || again[0].ID != got[0].ID {
		t.Errorf("the same message sent again is parked as %+v", again)
	}
	if later := w.park(unread("pump-1", 2, "ab")); len(later) != 2 {
		t.Errorf("%d are parked of two readings that are alike, want 2", len(later))
	}
	hostile := unread("pump-1", 3, "x")
	hostile.Was, hostile.Port, hostile.Driver = telemetry.Presence, -4, strings.Repeat("d", 1000)
	if all := w.park(hostile); len(all) != 3 || all[2].Was != "" || all[2].Port != 0 || len(all[2].Driver) != 200 {
		t.Errorf("of nonsense is kept %+v", all[len(all)-1])
	}
}

// What no version could read is found by the driver's name as well, page by page, whatever lies between in the index.
func TestParkedMessagesOfADriverWithoutAVersion(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	for i, driver := range []string{"th@1.0.0", "th", "th@2.0.0-rc.1", "th", "th-2@1.0.0", "th2", "tha@1.0.0", "t"} {
		m := unread("pump-1", i, fmt.Sprint(i))
		m.Driver = driver
		w.park(m)
	}
	for _, id := range []twin.ID{"", "pump-1"} {
		for limit := 1; limit <= 5; limit++ {
			var got []string
			for cursor, more := "", true; more; {
				var page api.Page[api.ParkedMessage]
				q := url.Values{"driver": {"th"}, "twin": {string(id)}, "limit": {fmt.Sprint(limit)}, "cursor": {cursor}}
				if err := w.Admin().Call(context.Background(), "GET", "twin-ingest", "/parked?"+q.Encode(), nil, &page); err != nil || len(page.Items) > limit {
					t.Fatalf("%d messages, %v", len(page.Items), err)
				}
				for _, m := range page.Items {
					got = append(got, string(m.Raw))
				}
				cursor, more = page.Next, page.Next != ""
			}
			want := "3 1 0 2" // those without a version first, then version by version
			if id != "" {
				want = "3 2 1 0"
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%d a page of twin %q: %v, want %s", limit, id, got, want)
			}
		}
	}
}

func TestParkedMessagesByDriver(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1", "pump-2")
	ctx := context.Background()
	other := unread("pump-2", 3, "c")
	other.Driver = "th@2.0.0"
	alike := unread("pump-2", 4, "d")
	alike.Driver = "th2@1.0.0"
	w.park(unread("pump-1", 1, "a"), unread("pump-1", 2, "b"))
	w.park(other, alike)
	owner := w.User("olga", []access.Role{access.Owner}, "plant")
	stranger := w.User("stan", []access.Role{access.Owner}, "elsewhere")
	for _, c := range []struct {
		who    *api.Client
		driver string
		twin   twin.ID
		want   string
	}{
		{w.Admin(), "th", "", "b a c"}, {w.Admin(), "th@1.0.0", "", "b a"}, {w.Admin(), "th@2.0.0", "pump-1", ""}, {w.Admin(), "th", "pump-2", "c"},
		{w.Admin(), "t", "", ""}, {owner, "th", "", "b a c"}, {stranger, "th", "", ""},
	} {
		page, err := c.who.ListParkedBy(ctx, c.driver, c.twin, "")
		var got []string
		for _, m := range page.Items {
			got = append(got, string(m.Raw))
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("parked by %s of twin %q: %v, %v; want %s", c.driver, c.twin, got, err, c.want)
		}
	}
	if _, err := stranger.ListParkedBy(ctx, "th", "pump-1", ""); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a stranger gets %v, want not found", err)
	}
	if _, err := w.Admin().ListParkedBy(ctx, strings.Repeat("x", 201), "", ""); !errors.Is(err, twin.ErrInvalid) {
		t.Errorf("a name that is too long: %v", err)
	}
}

// What could be read after all is in history at its time, moves the twin if nothing newer has, and raises alarms; where the device is,
// and when it was heard, it does not tell.
func TestReadAgain(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	w.rule("hot", "pump", "temp > 80")
	alarms := w.Collect(event.AlarmRaised)
	parked := w.park(unread("pump-1", 1, "a"), unread("pump-1", 2, "b"), unread("pump-1", 3, "c"))
	newer := measured("pump-1", 60, "hum", 5)
	newer.Order = twin.Order{Epoch: 7, Seq: 60 * 512, Assigned: true}
	w.stored(newer)
	seen := w.live("pump-1").Presence
	w.pass(time.Hour)

	// They come in another order than they were said in.
	must(t, w.redriven("pump-1", became(parked[1].ID, "temp", 90), became(parked[0].ID, "temp", 10, 20), api.RedrivenItem{ID: parked[2].ID, Reason: "still not"},
		became("pump-1|never", "temp", 1000)))
	if got := w.value("pump-1", "temp"); got != 90.0 {
		t.Errorf("temp is %v, want 90", got)
	}
	live := w.live("pump-1")
	if live.Presence != seen || live.Parked != 1 || live.Messages != 4 {
		t.Errorf("live part is %+v, presence was %+v", live, seen)
	}
	got := w.records("pump-1")
	if len(got) != 4 || got[0].Samples[0].Value != 10.0 || got[1].Samples[0].Value != 20.0 || got[0].Order.Seq != 512 || got[1].Order.Seq != 513 || got[2].At != noon.Add(2*time.Second) {
		t.Errorf("history is %+v", got)
	}
	if got[0].Trace != "test" {
		t.Errorf("the record's trace is %q, want that of the call that brought it", got[0].Trace)
	}
	functiontest.Eventually(t, "the alarm is told", func() bool { return len(alarms()) == 1 })
	page, err := w.Admin().ListParked(context.Background(), "pump-1", "")
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != parked[2].ID || page.Items[0].Reason != "still not" {
		t.Errorf("parked are %+v, %v", page.Items, err)
	}
	// A second time nothing happens.
	before := w.twin("pump-1")
	must(t, w.redriven("pump-1", became(parked[1].ID, "temp", 95), became(parked[0].ID, "temp", 10, 20)))
	if after := w.twin("pump-1"); after.Live.Version != before.Live.Version || len(w.records("pump-1")) != 4 {
		t.Errorf("a second time changed the twin: %+v", after.Live)
	}
}

func TestReadAgainIsLate(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	parked := w.park(unread("pump-1", 1, "a"))
	newer := measured("pump-1", 60, "temp", 5)
	newer.Order = twin.Order{Epoch: 7, Seq: 60 * 512, Assigned: true}
	w.stored(newer)
	must(t, w.redriven("pump-1", became(parked[0].ID, "temp", 90)))
	if got := w.value("pump-1", "temp"); got != 5.0 {
		t.Errorf("temp went back to %v", got)
	}
	if got := w.records("pump-1"); len(got) != 2 {
		t.Errorf("history has %d records, want 2", len(got))
	}
}

// What came before the device was enrolled anew belongs into history; the twin goes by the new mapping.
func TestReadAgainOfAnOldMapping(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	parked := w.park(unread("pump-1", 1, "a"))
	w.Enrol("gw-1", 2, "pump-1")
	w.pass(time.Minute)
	w.stored(withGeneration(measured("pump-1", 60, "hum", 5), 2))
	must(t, w.redriven("pump-1", became(parked[0].ID, "temp", 90)))
	if got := w.value("pump-1", "temp"); got != nil {
		t.Errorf("temp is %v by a mapping that is over", got)
	}
	if got := w.records("pump-1"); len(got) != 2 || got[0].Samples[0].Value != 90.0 {
		t.Errorf("history is %+v", got)
	}
	if got := w.live("pump-1"); got.Parked != 0 || got.Generation != 2 {
		t.Errorf("live part is %+v", got)
	}
}

func TestWhatCannotBeReadAgain(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1", "pump-2")
	numbered := unread("pump-1", 2, "b")
	numbered.Order = twin.Order{Epoch: 1, Seq: 2}
	parked := w.park(unread("pump-1", 1, "a"), numbered)
	ctx := context.Background()
	many := make([]any, 501)
	for i := range many {
		many[i] = i
	}
	event := became(parked[0].ID, "event", "opened")
	event.Messages[0].Kind = telemetry.Event
	for name, c := range map[string]struct {
		item   api.RedrivenItem
		reason string
	}{
		"a list for a value":            {became(parked[0].ID, "temp", 1, []any{1}), `message 2 of what it became cannot be taken: invalid: property "temp" must be a number`},
		"a kind that no driver reads":   {event, `kind "event" of what it became must be telemetry or state`},
		"two of one number":             {became(parked[1].ID, "temp", 1, 2), "its device has given it one number, and it became 2 messages"},
		"another twin's, and no reason": {api.RedrivenItem{ID: parked[0].ID}, ""},
	} {
		must(t, w.redriven("pump-1", c.item))
		page, err := w.Admin().ListParked(ctx, "pump-1", "")
		must(t, err)
		found := c.reason == ""
		for _, m := range page.Items {
			found = found || m.ID == c.item.ID && strings.Contains(m.Reason, c.reason)
		}
		if len(page.Items) != 2 || !found || len(w.records("pump-1")) != 0 {
			t.Errorf("%s: parked are %+v", name, page.Items)
		}
	}
	must(t, w.redriven("pump-2", became(parked[0].ID, "temp", 1)))
	if got := w.records("pump-2"); len(got) != 0 {
		t.Errorf("another twin took the message: %+v", got)
	}
	for name, c := range map[string]struct {
		id    twin.ID
		items []api.RedrivenItem
		want  error
	}{
		"nothing":                  {"pump-1", nil, twin.ErrInvalid},
		"too many of one":          {"pump-1", []api.RedrivenItem{became(parked[0].ID, "temp", many...)}, twin.ErrInvalid},
		"too many items":           {"pump-1", make([]api.RedrivenItem, 201), twin.ErrInvalid},
		"a twin that is not there": {"nobody", []api.RedrivenItem{became("nobody|1", "temp", 1)}, api.ErrNotFound},
		"a type":                   {"pump", []api.RedrivenItem{became("pump|1", "temp", 1)}, api.ErrNotFound},
		"no id":                    {"../x", []api.RedrivenItem{became("x", "temp", 1)}, twin.ErrInvalid},
	} {
		if err := w.redriven(c.id, c.items...); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if err := w.Admin().Redriven(ctx, api.Redriven{Twin: "pump-1", Items: []api.RedrivenItem{became(parked[0].ID, "temp", 1)}}); err == nil {
		t.Error("people may say what parked messages became")
	}
	_, err := w.twins.Update(ctx, "pump-1", func(t *twin.Twin) error { t.Definition.Phase = twin.Retired; return nil })
	must(t, err)
	if err := w.redriven("pump-1", became(parked[0].ID, "temp", 1)); !errors.Is(err, api.ErrConflict) || len(w.records("pump-1")) != 0 {
		t.Errorf("a retired twin: %v", err)
	}
}

// A crash between any two writes, in each way there is, and the call made again: all is there once, nothing is parked.
func TestACrashWhileReadingAgain(t *testing.T) {
	w := newWorld(t, twin.Model{})
	w.rule("hot", "pump", "temp > 80 clear 70")
	all := w.Collect(event.AlarmRaised, event.AlarmCleared)
	run := func(n int, how functiontest.How) (left []string, writes int64) {
		w.SetTime(noon)
		name := fmt.Sprintf("r%d-%d", n, how)
		one, two := twin.ID(name+"-1"), twin.ID(name+"-2")
		w.add(one, two)
		w.Add("twin-ingest", twiningest.New)
		parked := w.park(unread(one, 1, "a"), unread(one, 2, "b"), unread(one, 3, "c"), unread(one, 4, "d"))
		items := []api.RedrivenItem{became(parked[0].ID, "temp", 60, 90), became(parked[1].ID, "temp", 50), became(parked[2].ID, "temp", 99), {ID: parked[3].ID, Reason: "still not"}}
		c := w.Crash(n, how)
		c.Run(w.World, "twin-ingest", twiningest.New)
		if err := w.redriven(one, items...); n < 0 {
			must(t, err)
		} else if err != nil && !errors.Is(err, api.ErrUnavailable) {
			t.Errorf("the crash shows as %v, want unavailable", err)
		}
		writes = c.Writes.Load()
		w.Add("twin-ingest", twiningest.New)
		must(t, w.redriven(one, items...))
		w.SetTime(noon.Add(30 * time.Second))
		must(t, sweep(w))
		if got := w.live(one).Parked; got != 1 {
			t.Errorf("a crash at write %d, way %d: the twin counts %d parked messages, want 1", n, how, got)
		}
		mine := func() (mine []event.Event) {
			for _, e := range all() {
				if strings.HasPrefix(e.Subject, name) {
					mine = append(mine, e)
				}
			}
			return mine
		}
		functiontest.Eventually(t, "all alarms are told", func() bool { return len(mine()) >= 3 })
		return w.left(w.Admin(), name, mine()), writes
	}
	want, writes := run(-1, functiontest.Before)
	if writes < 4 {
		t.Fatalf("only %d writes", writes)
	}
	for n := range int(writes) {
		for _, how := range functiontest.Ways {
			got, _ := run(n, how)
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || got[i] != want[i] {
					t.Errorf("a crash at write %d, way %d, left\n%s\nwant\n%s", n, how, around(got, i), around(want, i))
					break
				}
			}
		}
	}
}
