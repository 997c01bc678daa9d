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
		got, err := c.result.Messages(telemetry.State)
		if !reflect.DeepEqual(got, c.want) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(fmt.Sprint(err), c.err) {
			t.Errorf("%s: %+v, %v; want %+v, %q", name, got, err, c.want, c.err)
		}
	}
}
