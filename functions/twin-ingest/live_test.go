package twiningest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/castor-iot/castor/shared/twin"
)

// hear returns what is told live from now on.
func (w *world) hear() func() []api.LiveTwin {
	w.t.Helper()
	var mu sync.Mutex
	var got []api.LiveTwin
	filled := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- w.Base.Bus.Follow(ctx, bus.Follow{Live: true, Begin: func(time.Time) {}, Filled: func() { filled <- struct{}{} }, Each: func(m bus.Followed) {
			var b api.LiveBatch
			if err := json.Unmarshal(m.Data, &b); err != nil || len(m.Data) > bus.MaxLive {
				w.t.Errorf("%d bytes: %v", len(m.Data), err)
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, b.Twins...)
		}})
	}()
	<-filled
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
	return func() []api.LiveTwin {
		mu.Lock()
		defer mu.Unlock()
		return append([]api.LiveTwin(nil), got...)
	}
}

// until waits for what is told to be so.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// What a batch has changed is told, with what decides who may see it; what changed nothing but the last contact, without readings.
func TestNewsOfABatchAreTold(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1", "pump-2")
	told := w.hear()
	first := measured("pump-1", 1, "rpm", 1450.0)
	w.stored(first, measured("pump-2", 1, "rpm", nil))
	until(t, "two twins are told of", func() bool { return len(told()) == 2 })
	one := told()[0]
	var s api.LiveState
	must(t, json.Unmarshal(one.State, &s))
	if one.Twin != "pump-1" || one.Scope.Owner != "plant" || one.Scope.Type != "pump" || s.Twin != "pump-1" || s.Messages != 1 || !s.Online ||
		len(s.Reported) != 1 || s.Reported[0].Property != "rpm" || s.Reported[0].Value != 1450.0 || s.Reported[0].At.IsZero() {
		t.Errorf("%+v %+v", one, s)
	}
	if !strings.Contains(string(told()[1].State), `"reported":[]`) {
		t.Errorf("%s", told()[1].State)
	}
	w.pass(time.Minute)
	w.stored(first) // again: nothing is new
	<-time.After(100 * time.Millisecond)
	for _, n := range told()[2:] {
		if !strings.Contains(string(n.State), `"reported":[]`) {
			t.Errorf("a repetition is told as news: %s", n.State)
		}
	}
}

// Devices that exaggerate make several messages, none too large.
func TestManyLargeReadingsAreToldInParts(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	told := w.hear()
	m := measured("pump-1", 1, "p", 1.0)
	m.Samples = nil
	for i := range telemetry.MaxSamples {
		m.Samples = append(m.Samples, telemetry.Sample{Property: fmt.Sprintf("p%d", i), Value: strings.Repeat("\"", 1000)})
	}
	w.stored(m)
	until(t, "all readings are told of", func() bool {
		n := 0
		for _, x := range told() {
			var s api.LiveState
			must(t, json.Unmarshal(x.State, &s))
			n += len(s.Reported)
		}
		return n == telemetry.MaxSamples
	})
}

// The bus is no condition for a batch.
func TestABatchIsStoredThoughNobodyCanBeTold(t *testing.T) {
	w := newWorld(t, twin.Model{}, "pump-1")
	w.stored(measured("pump-1", 1, "rpm", 1.0))
	must(t, w.Base.Bus.Close())
	for i := range 200 {
		if got := w.say(measured("pump-1", i+2, "rpm", float64(i))); got[0] != telemetry.Stored {
			t.Fatalf("%v", got)
		}
	}
}
