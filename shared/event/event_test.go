package event

import (
	"fmt"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)

func TestNumbersAreNeverUsedTwice(t *testing.T) {
	var o Outbox
	seen := map[string]bool{}
	for i := range 20 {
		if i%3 == 0 {
			o.Coalesce("d", TwinChanged, "d", noon, "live")
		} else {
			o.Add("d", AlarmRaised, "d", noon, i)
		}
		for _, e := range o.Pending[len(o.Pending)-1:] {
			if seen[e.ID] {
				t.Fatalf("%s is used twice", e.ID)
			}
			seen[e.ID] = true
		}
		if i%4 == 0 {
			o.Clear(o.Pending)
		}
	}
}

// A document is made, deleted, and made anew under its id: the bus keeps an event's id for a while, and drops what repeats one.
func TestLivesOfADocumentShareNoNumber(t *testing.T) {
	var first, second Outbox
	seen := map[string]bool{}
	for i := range 50 {
		first.Add("d", TwinChanged, "d", noon.Add(time.Duration(i)*time.Millisecond), i)
	}
	for _, e := range first.Pending {
		seen[e.ID] = true
	}
	for i := range 50 {
		second.Add("d", TwinChanged, "d", noon.Add(time.Second+time.Duration(i)*time.Millisecond), i)
	}
	for _, e := range second.Pending {
		if seen[e.ID] {
			t.Errorf("%s is of both", e.ID)
		}
	}
}

func TestCoalesceKeepsTheNewestOfWhatSaysTheSame(t *testing.T) {
	var o Outbox
	o.Coalesce("d", TwinChanged, "d", noon, "live")
	o.Add("d", AlarmRaised, "d", noon.Add(time.Second), 1)
	o.Coalesce("d", TwinChanged, "d", noon.Add(2*time.Second), "definition")
	before := o.Pending[0] // being published
	for i := range 100 {
		o.Coalesce("d", TwinChanged, "d", noon.Add(time.Duration(3+i)*time.Second), "live")
	}
	if len(o.Pending) != 3 || o.Full() || !o.Since.Equal(noon) {
		t.Errorf("%d are pending since %s, want 3 since noon", len(o.Pending), o.Since)
	}
	o.Clear([]Event{before})
	if len(o.Pending) != 3 {
		t.Error("what was published before the last change stands for that change too")
	}
	o.Clear(o.Pending[:1])
	if len(o.Pending) != 2 || !o.Since.Equal(o.Pending[0].At) {
		t.Errorf("after clearing one: %+v", o)
	}
	o.Clear(o.Pending)
	if len(o.Pending) != 0 || !o.Since.IsZero() || o.Next == 0 {
		t.Errorf("after clearing all: %+v", o)
	}
}

func TestFull(t *testing.T) {
	var o Outbox
	for i := range MaxPending {
		if o.Full() {
			t.Fatalf("full with %d", i)
		}
		o.Add("d", Topic(fmt.Sprint("t", i)), "", noon, nil)
	}
	if !o.Full() {
		t.Error("it is never full")
	}
}

func TestAnEventCarriesItsData(t *testing.T) {
	e := New("d#1", Audit, "d", time.Date(2026, 1, 1, 1, 0, 0, 1_999_999, time.FixedZone("", 3600)), map[string]int{"a": 1})
	var got map[string]int
	if err := e.Decode(&got); err != nil || got["a"] != 1 || e.At.Nanosecond() != 1_000_000 || e.At.Location() != time.UTC {
		t.Errorf("%+v %v, %v", e, got, err)
	}
	if err := e.Decode(new(string)); err == nil {
		t.Error("it was read as text")
	}
	defer func() {
		if recover() == nil {
			t.Error("a channel became JSON")
		}
	}()
	New("d#2", Audit, "d", noon, make(chan int))
}

// Who puts another event in place of the newest one gives it a number of its own: the one that was taken may be under way.
func TestAnEventInPlaceOfTheNewest(t *testing.T) {
	var o Outbox
	if o.Newest() != "" {
		t.Errorf("an empty outbox has %s", o.Newest())
	}
	o.Add("run-1", ProvisionStep, "run-1", noon, 1)
	o.Add("run-1", ProvisionStep, "run-1", noon, 2)
	first, second := o.Pending[0].ID, o.Newest()
	if e := o.Take(); e.ID != second || string(e.Data) != "2" || o.Newest() != first || o.Since != noon {
		t.Errorf("%+v was taken, %+v is left", e, o)
	}
	o.Add("run-1", ProvisionStep, "run-1", noon.Add(time.Second), 23)
	if o.Newest() == second || len(o.Pending) != 2 || o.Since != noon {
		t.Errorf("%+v", o)
	}
	o.Take()
	if o.Take(); !o.Since.IsZero() || len(o.Pending) != 0 {
		t.Errorf("an empty outbox is %+v", o)
	}
}
