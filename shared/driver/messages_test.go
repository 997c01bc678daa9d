package driver_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/telemetry"
)

func TestMessages(t *testing.T) {
	at := time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)
	object := func(v any) map[string]any { return map[string]any{"t": v} }
	message := func(at time.Time, v any) telemetry.Message {
		return telemetry.Message{Kind: telemetry.State, Time: at, Samples: []telemetry.Sample{{Property: "t", Value: v}}}
	}
	for name, c := range map[string]struct {
		result driver.Result
		want   []telemetry.Message
		err    string
	}{
		"data":               {driver.Result{Data: object(1.0), Time: at}, []telemetry.Message{message(at, 1.0)}, ""},
		"records come first": {driver.Result{Data: object(3.0), Records: []driver.Record{{Time: at, Data: object(1.0)}, {Data: object(2.0)}}}, []telemetry.Message{message(at, 1.0), message(time.Time{}, 2.0), message(time.Time{}, 3.0)}, ""},
		"nothing":            {driver.Result{}, nil, ""},
		"nothing in it":      {driver.Result{Data: map[string]any{"a": map[string]any{}}, Records: []driver.Record{{}}}, nil, ""},
		"a failure":          {driver.Result{Failure: driver.Timeout, Reason: "over 100 ms"}, nil, "timeout: over 100 ms"},
		"no reason":          {driver.Result{Failure: driver.Crash}, nil, "crash"},
		"its own words":      {driver.Result{Errors: []string{"bad CRC", "short"}, Data: object(1.0)}, nil, "bad CRC; short"},
		"a list":             {driver.Result{Data: []any{1.0}}, nil, "the driver returned [1], not an object"},
		"a name too long":    {driver.Result{Data: map[string]any{strings.Repeat("x", 200): 1.0}}, nil, "what the driver made of it cannot be taken"},
		"a bad record":       {driver.Result{Records: []driver.Record{{Data: object(1.0)}, {Data: map[string]any{"": 1.0}}}}, nil, "record 2 that the driver made"},
		"a year far off":     {driver.Result{Data: object(1.0), Time: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)}, nil, "its time is in the year 12000"},
		"too many records":   {driver.Result{Records: make([]driver.Record, 500)}, nil, "500 records of it, at most 499"},
	} {
		got, err := c.result.Messages(telemetry.State, nil)
		if !reflect.DeepEqual(got, c.want) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(fmt.Sprint(err), c.err) {
			t.Errorf("%s: %+v, %v; want %+v, %q", name, got, err, c.want, c.err)
		}
	}
}

// Numbers come in the unit that the type has them in, whatever the device's own.
func TestUnitsOfMessages(t *testing.T) {
	r := driver.Result{
		Data:  map[string]any{"t": 70.7, "air": map[string]any{"p": 1013.25}, "state": "ok", "same": 1.5, "untold": 3.0, "odd": 4.0, "unasked": 5.0},
		Units: map[string]string{"t": "[degF]", "air.p": "hPa", "state": "hPa", "same": "m", "odd": "m", "unasked": "m"},
		Records: []driver.Record{
			{Data: map[string]any{"t": 32.0}},
			{Data: map[string]any{"t": 273.15, "odd": 1.0}, Units: map[string]string{"t": "K", "odd": "s"}},
		},
	}
	messages, err := r.Messages(telemetry.State, map[string]string{"t": "Cel", "air.p": "kPa", "state": "kPa", "same": "m", "untold": "m", "odd": "s"})
	if err != nil || len(messages) != 3 {
		t.Fatal(messages, err)
	}
	got := map[string]any{}
	for i, m := range messages {
		for _, s := range m.Samples {
			got[fmt.Sprint(i, " ", s.Property)] = s.Value
		}
	}
	if want := map[string]any{"0 t": 0.0, "1 t": 0.0, "1 odd": 1.0, "2 t": 21.5, "2 air.p": 101.325, "2 state": "ok", "2 same": 1.5, "2 untold": 3.0, "2 odd": 4.0, "2 unasked": 5.0}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if len(r.Warnings) != 1 || !strings.HasPrefix(r.Warnings[0], "odd is in m and stays so, although the type has it in s: m is a length") {
		t.Errorf("warnings %q", r.Warnings)
	}
}
