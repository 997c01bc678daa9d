package twiningest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	twiningest "github.com/castor-iot/castor/functions/twin-ingest"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/event"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
	"github.com/castor-iot/castor/tests/functiontest"
)

// As much as is allowed is taken in one call, and one more is not.
func TestHowMuchIsReadAgainAtOnce(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	var raw []telemetry.Message
	for i := range 201 {
		raw = append(raw, unread("pump-1", i+1, "a"))
	}
	w.say(raw...)
	parked := map[int64]string{}
	for cursor := ""; ; {
		page, err := w.Admin().ListParked(context.Background(), "pump-1", cursor)
		must(t, err)
		for _, m := range page.Items {
			parked[m.Order.Seq/512] = m.ID
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	var items []api.RedrivenItem
	for i := range 201 {
		items = append(items, became(parked[int64(i+1)], "temp", i))
	}
	values := make([]any, 501)
	for i := range values {
		values[i] = i
	}
	whole := []api.RedrivenItem{became(items[0].ID, "temp", values[:500]...), became(items[1].ID, "temp", values[:500]...)}
	for says, c := range map[string][]api.RedrivenItem{
		"items has 201 entries, 1 to 200 are taken":                items,
		"items[0].messages has 501 entries":                        {became(items[0].ID, "temp", values...)},
		"items[2].messages has 1 entries and all until there 1001": append(whole[:2:2], items[2]),
	} {
		if err := w.redriven("pump-1", c...); !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	must(t, w.redriven("pump-1", whole...))
	if got := len(w.records("pump-1")); got != 1000 {
		t.Errorf("history has %d records, want 1000", got)
	}
	must(t, w.redriven("pump-1", items[1:]...))
	if n := w.live("pump-1").Parked; n != 0 {
		t.Errorf("%d are still parked", n)
	}
	page, err := w.Admin().ListParked(context.Background(), "pump-1", "")
	if must(t, err); len(page.Items) != 0 {
		t.Errorf("%d are still listed", len(page.Items))
	}
}

// Messages of one moment are in the order in which the device said them, whatever order they are told in: what was hot before it was cold
// raises its alarm.
func TestTheOrderOfOneMoment(t *testing.T) {
	for name, order := range map[string][2]twin.Order{
		"later in the session": {{Epoch: 7, Seq: 512, Assigned: true}, {Epoch: 7, Seq: 1024, Assigned: true}},
		"in a later session":   {{Epoch: 7, Seq: 1024, Assigned: true}, {Epoch: 8, Seq: 512, Assigned: true}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, twin.Model{}, "pump-1")
			w.rule("hot", "pump", "temp > 80")
			ended := w.Collect(event.AlarmCleared)
			first, second := unread("pump-1", 1, "a"), unread("pump-1", 1, "b")
			first.Order, second.Order = order[0], order[1]
			ids := map[twin.Order]string{}
			for _, m := range w.park(first, second) {
				ids[m.Order] = m.ID
			}
			must(t, w.redriven("pump-1", became(ids[second.Order], "temp", 10), became(ids[first.Order], "temp", 90)))
			functiontest.Eventually(t, "the alarm has been and is over", func() bool { return len(ended()) == 1 })
			if got := w.value("pump-1", "temp"); got != 10.0 {
				t.Errorf("temp is %v", got)
			}
		})
	}
}

// Of one message that is told twice in a call the first counts, and it is one less that is parked.
func TestOneMessageTwiceInACall(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	parked := w.park(unread("pump-1", 1, "a"), unread("pump-1", 2, "b"), unread("pump-1", 3, "c"))
	must(t, w.redriven("pump-1", became(parked[0].ID, "temp", 1), became(parked[0].ID, "hum", 2)))
	if n := w.live("pump-1").Parked; n != 2 || w.value("pump-1", "hum") != nil || len(w.records("pump-1")) != 1 {
		t.Errorf("%d are parked, hum is %v, history %+v", n, w.value("pump-1", "hum"), w.records("pump-1"))
	}
}

// What the twin has no room for stays parked, and the call is to be made again.
func TestReadAgainWithoutRoom(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	w.rule("hot", "pump", "temp > 80")
	alarms := w.Collect(event.AlarmRaised, event.AlarmCleared)
	parked := w.park(unread("pump-1", 1, "a"))
	c := w.Crash(-1, functiontest.Before)
	c.Run(w.World, "twin-ingest", twiningest.New)
	c.Base.Bus.Close()
	var values []any
	for i := range 2 * event.MaxPending {
		values = append(values, 90-80*(i%2))
	}
	item := became(parked[0].ID, "temp", values...)
	if err := w.redriven("pump-1", item); !errors.Is(err, api.ErrUnavailable) || !strings.Contains(err.Error(), "were not all taken") {
		t.Errorf("%v, want that not all were taken", err)
	}
	page, err := w.Admin().ListParked(context.Background(), "pump-1", "")
	if must(t, err); len(page.Items) != 1 {
		t.Fatalf("parked are %+v", page.Items)
	}
	w.Add("twin-ingest", twiningest.New)
	must(t, sweep(w))
	must(t, w.redriven("pump-1", item))
	functiontest.Eventually(t, "all is told", func() bool { return len(alarms()) >= len(values) })
	if n := w.live("pump-1").Parked; n != 0 {
		t.Errorf("%d are still parked", n)
	}
}

// A twin that was deleted takes nothing any more, however its messages can be read now.
func TestADeletedTwinReadsNothingAgain(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	parked := w.park(unread("pump-1", 1, "a"))
	_, err := w.twins.Update(context.Background(), "pump-1", func(t *twin.Twin) error { t.Deleted = noon; return nil })
	must(t, err)
	if err := w.redriven("pump-1", became(parked[0].ID, "temp", 1)); !errors.Is(err, api.ErrNotFound) || len(w.records("pump-1")) != 0 {
		t.Errorf("%v, history %+v", err, w.records("pump-1"))
	}
}

// A device's own number, and the time that the driver has found in a message, count as if it had been read when it came.
func TestWhatIsReadAgainKeepsItsNumberAndTime(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	numbered := unread("pump-1", 1, "a")
	numbered.Order = twin.Order{Epoch: 1, Seq: 2}
	item := became(w.park(numbered)[0].ID, "temp", 1)
	item.Messages[0].Time = noon.Add(-time.Hour)
	must(t, w.redriven("pump-1", item))
	got := w.records("pump-1")
	if len(got) != 1 || !got[0].At.Equal(noon.Add(-time.Hour)) || got[0].Order != numbered.Order || w.value("pump-1", "temp") != 1.0 {
		t.Errorf("history is %+v", got)
	}
}
