package driver_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
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
