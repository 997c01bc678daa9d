package driver_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/fxamacker/cbor/v2"
)

// A test looks at the records that it names, at their times where it says one.
func TestRecordsAreCompared(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	got := driver.Result{Records: []driver.Record{{Time: at, Data: map[string]any{"t": 1.0}}, {Time: at.Add(time.Minute), Data: map[string]any{"t": 2.0}}}}
	for _, tt := range []struct {
		want []driver.Record
		told string
	}{
		{nil, "[]"},
		{got.Records, "[]"},
		{[]driver.Record{{Data: map[string]any{"t": 1}}, {Data: map[string]any{"t": 2}}}, "[]"},
		{got.Records[:1], "[records: want 1, got 2]"},
		{[]driver.Record{{Data: map[string]any{"t": 1.5}}, {Time: at, Data: map[string]any{"t": 2}}},
			"[records[0].data.t: want 1.5, got 1 records[1].time: want 2026-03-01T12:00:00Z, got 2026-03-01T12:01:00Z]"},
	} {
		test := driver.Test{Want: driver.Want{Records: tt.want}}
		if told := fmt.Sprint(test.Check(got)); told != tt.told {
			t.Errorf("%v: %s", tt.want, told)
		}
	}
}

// What an event brings is looked at where the test says something of it; an empty list wants no command.
func TestStateAndCommandsAreCompared(t *testing.T) {
	got := driver.Result{State: []byte{1}, Commands: []any{map[string]any{"name": "heat", "on": true}}}
	for _, tt := range []struct {
		want driver.Want
		told string
	}{
		{driver.Want{}, "[]"},
		{driver.Want{State: []byte{1}, Commands: []any{map[string]any{"name": "heat", "on": true}}}, "[]"},
		{driver.Want{State: []byte{2}}, "[state: want 02, got 01]"},
		{driver.Want{State: []byte{}}, "[state: want nothing, got 01]"},
		{driver.Want{Commands: []any{}}, `[commands: want none, got [{"name":"heat","on":true}]]`},
		{driver.Want{Commands: []any{map[string]any{"name": "heat", "on": false}}}, "[commands[0].on: want false, got true]"},
	} {
		test := driver.Test{Want: tt.want}
		if told := fmt.Sprint(test.Check(got)); told != tt.told {
			t.Errorf("%+v: %s", tt.want, told)
		}
	}
}

// No errors and no warnings are "none" to people, wanted or had.
func TestNoneIsSaid(t *testing.T) {
	for _, tt := range []struct {
		want driver.Want
		got  driver.Result
		told string
	}{
		{driver.Want{Data: 1}, driver.Result{Errors: []string{"too short"}}, `[errors: want none, got ["too short"]]`},
		{driver.Want{Errors: []string{"too short"}}, driver.Result{Data: 1}, `[errors: want ["too short"], got none]`},
		{driver.Want{Warnings: []string{}}, driver.Result{Warnings: []string{"old"}}, `[warnings: want none, got ["old"]]`},
		{driver.Want{Commands: []any{"x"}}, driver.Result{}, `[commands: want ["x"], got none]`},
	} {
		if told := fmt.Sprint((&driver.Test{Want: tt.want}).Check(tt.got)); told != tt.told {
			t.Errorf("got %s, want %s", told, tt.told)
		}
	}
}

// A test that wants nothing of something is the same test once it has been published.
func TestEmptyWantsSurviveTheWire(t *testing.T) {
	want := driver.Want{Bytes: []byte{}, Records: []driver.Record{}, State: []byte{}, Commands: []any{}, Warnings: []string{}}
	asJSON, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	asCBOR, err := cbor.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var fromJSON, fromCBOR driver.Want
	if err := errors.Join(json.Unmarshal(asJSON, &fromJSON), cbor.Unmarshal(asCBOR, &fromCBOR)); err != nil {
		t.Fatal(err)
	}
	for form, got := range map[string]driver.Want{"JSON": fromJSON, "CBOR": fromCBOR} {
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v", form, got)
		}
	}
}
