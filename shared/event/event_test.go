package event

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 21, 12, 0, 0, 123456789, time.FixedZone("CET", 3600))

func TestEvent(t *testing.T) {
	e := New("pump-7#0", AlarmRaised, "pump-7", noon, map[string]int{"n": 1})
	if e.At.Location() != time.UTC || e.At.Nanosecond() != 123000000 {
		t.Errorf("made at %v, want UTC cut to milliseconds", e.At)
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var back Event
	var data map[string]int
	if err := json.Unmarshal(b, &back); err != nil || back.ID != e.ID || !back.At.Equal(e.At) {
		t.Errorf("%+v, %v", back, err)
	}
	if err := back.Decode(&data); err != nil || data["n"] != 1 {
		t.Errorf("%v, %v", data, err)
	}
	if err := back.Decode(&struct{ N string }{}); err == nil {
		t.Error("data of another shape is taken")
	}
	defer func() {
		if recover() == nil {
			t.Error("data that cannot be JSON is taken")
		}
	}()
	New("x", AlarmRaised, "", noon, func() {})
}

func ids(o Outbox) (s []string) {
	for _, e := range o.Pending {
		s = append(s, e.ID[strings.IndexByte(e.ID, ':')+1:])
	}
	return s
}

// A number must never be used again: consumers drop what they have seen.
func TestOutboxNumbersOnlyGrow(t *testing.T) {
	var o Outbox
	seen := map[string]bool{}
	for i := range 10 {
		o.Add("pump-7", TwinChanged, "pump-7", noon, i)
		o.Coalesce("pump-7", TwinChanged, "pump-7", noon, "same")
		for _, id := range ids(o)[len(o.Pending)-1:] {
			if seen[id] {
				t.Fatalf("id %s again", id)
			}
			seen[id] = true
		}
		if i%3 == 0 {
			o.Clear(o.Pending)
		}
	}
	if o.Next != 20 {
		t.Errorf("the next number is %d, want 20", o.Next)
	}
}

func TestOutboxClear(t *testing.T) {
	var o Outbox
	o.Add("p", TwinChanged, "p", noon, 1)
	o.Add("p", TwinChanged, "p", noon.Add(time.Second), 2)
	published := append([]Event(nil), o.Pending...)
	o.Add("p", TwinChanged, "p", noon.Add(2*time.Second), 3) // comes while the others are published
	o.Clear(published)
	if got := fmt.Sprint(ids(o)); got != "[p#2]" || !o.Since.Equal(o.Pending[0].At) {
		t.Errorf("left are %s since %v", got, o.Since)
	}
	o.Clear(published) // by the sweep, at the same time
	if len(o.Pending) != 1 {
		t.Error("clearing twice takes what is not published")
	}
	o.Clear(o.Pending)
	if len(o.Pending) != 0 || !o.Since.IsZero() {
		t.Errorf("empty it is %+v; the sweep would find it for ever", o)
	}
}

func TestOutboxCoalesce(t *testing.T) {
	var o Outbox
	o.Add("p", AlarmRaised, "p", noon, "alarm")
	for i := range 200 {
		o.Coalesce("p", TwinChanged, "p", noon.Add(time.Duration(i)*time.Second), "live")
	}
	o.Coalesce("p", TwinChanged, "p", noon, "definition")
	if got := fmt.Sprint(ids(o)); got != "[p#0 p#200 p#201]" {
		t.Errorf("pending are %s", got)
	}
	if !o.Since.Equal(o.Pending[0].At) {
		t.Errorf("since %v; the oldest is of %v", o.Since, o.Pending[0].At)
	}
	if o.Full() {
		t.Error("what repeats fills the outbox")
	}
}

func TestOutboxFull(t *testing.T) {
	var o Outbox
	for i := range MaxPending {
		if o.Full() {
			t.Fatalf("full with %d", i)
		}
		o.Add("p", TwinChanged, "p", noon, i)
	}
	if !o.Full() {
		t.Errorf("not full with %d", len(o.Pending))
	}
}
