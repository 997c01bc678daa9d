package e2e

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/infra/castor/replay"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// A device's clock is data. A reading dated 2099 or 1970 is kept and flagged, and freezes nothing.
func TestAWrongClockFreezesNothing(t *testing.T) {
	both(t, func(t *testing.T, stage Option) {
		w := NewWorld(t, stage)
		w.Type("pump")
		pump := w.Provision("pump", "P-7", "plant")
		for _, m := range []struct {
			at  time.Time
			rpm float64
		}{{time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), 1}, {time.Unix(0, 0), 2}, {time.Now(), 3}} {
			_, err := pump.Measure(m.at, map[string]any{"rpm": m.rpm})
			w.must(err, "measure")
		}
		w.Drained(pump)
		live := w.Twin(pump.Twin()).Live
		if r, _ := live.Reading("rpm"); r.Value != 3.0 || r.Flag != "" {
			t.Errorf("the twin reports %v (flag %q), want 3", r.Value, r.Flag)
		}
		flags := map[twin.Flag]int{}
		for _, r := range w.History(pump.Twin(), "rpm") {
			flags[r.Flag]++
		}
		if flags[twin.ClockAhead] != 1 || flags[twin.ClockUnset] != 1 || flags[""] != 1 {
			t.Errorf("history has flags %v", flags)
		}
	})
}

// A type says when silence means that a device is away; nobody has to ask.
func TestASilentDeviceIsOffline(t *testing.T) {
	both(t, func(t *testing.T, stage Option) {
		w := NewWorld(t, stage)
		w.Type("pump", func(m *twin.Model) {
			m.OfflineAfter, m.OfflineSeverity = twin.Duration(time.Second), "critical"
		})
		pump := w.Provision("pump", "P-7", "plant")
		w.Measure(pump, "rpm", 1)
		w.Drained(pump)
		pump.CutOff()
		w.Eventually("the alarm of its silence", func() bool {
			a := w.Alarms(pump.Twin())
			return len(a) > 0 && a[0].State == "raised" && a[0].Rule == "offline"
		})
		pump.Reconnect()
		w.Measure(pump, "rpm", 2)
		w.Drained(pump)
		w.Eventually("the alarm is over", func() bool { return w.Alarms(pump.Twin())[0].State == "cleared" })
	})
}

// Real data: every row of an industrial recording is in history, once, though the recording steps back in time and has two
// values for some stamps.
func TestReplayOfARecordedMachine(t *testing.T) {
	both(t, func(t *testing.T, stage Option) {
		file := filepath.Join("..", "..", "..", "shared", "vectors", "nab-dev", "data", "realKnownCause", "machine_temperature_system_failure.csv")
		rows := readRecording(t, file)
		w := NewWorld(t, stage)
		if w.Cluster != nil {
			rows = rows[:3000] // the MongoDB stand-in takes minutes for all
		}
		w.Type("machine", func(m *twin.Model) { m.Properties = []twin.Property{{Name: "value", Unit: "[degF]"}} })
		w.Group("plant")
		result, err := replay.Run(w.Context(), replay.Config{API: w.Admin, Rows: rows, Type: "machine", Owner: "plant", Devices: 1, Prefix: "nab"})
		w.must(err, "replay")
		if result.Devices != 1 || result.Messages != len(rows) {
			t.Errorf("replayed %+v, want %d messages", result, len(rows))
		}
		want := map[string]int{}
		for _, r := range rows {
			want[fmt.Sprintf("%s %v", r.At.Format(time.RFC3339), r.Data["value"])]++
		}
		records := w.History(result.Twins[0], "value")
		if len(records) != len(rows) {
			t.Errorf("history has %d records, the recording %d rows", len(records), len(rows))
		}
		for _, r := range records {
			want[fmt.Sprintf("%s %v", r.At.Format(time.RFC3339), r.Samples[0].Value)]--
		}
		for row, n := range want {
			if n != 0 {
				t.Errorf("%s: %d too few or too many", row, n)
				break
			}
		}
		first, last := rows[0].At, rows[0].At
		for _, r := range rows {
			if r.At.Before(first) {
				first = r.At
			}
			if r.At.After(last) {
				last = r.At
			}
		}
		buckets, err := w.Admin.Aggregate(w.Context(), api.HistoryQuery{Twin: result.Twins[0], Property: "value", From: first,
			To: last.Add(time.Second), Step: 24 * time.Hour, Agg: "min,max,avg,count,p95"})
		w.must(err, "aggregate")
		total := 0
		for _, b := range buckets.Items {
			total += b.Count
			if b.Values["min"] > b.Values["avg"] || b.Values["avg"] > b.Values["max"] || b.Values["p95"] > b.Values["max"] {
				t.Errorf("day %s: %v", b.At, b.Values)
			}
		}
		if total != len(rows) {
			t.Errorf("the days count %d readings, want %d", total, len(rows))
		}
	})
}

// readRecording reads the recording, or makes a shorter one with the same faults and says so.
func readRecording(t *testing.T, file string) []replay.Row {
	f, err := os.Open(file)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: the recording is not here (%v); a made one of 2,000 rows with the same faults stands in\n", t.Name(), err)
		var b strings.Builder
		b.WriteString("timestamp,value\n")
		at := time.Date(2014, 1, 1, 0, 0, 0, 0, time.UTC)
		for i := range 2000 {
			if i == 700 {
				at = at.Add(-2 * time.Hour)
			}
			at = at.Add(5 * time.Minute)
			fmt.Fprintf(&b, "%s,%g\n", at.Format(time.DateTime), 70+float64(i%97)/3)
		}
		rows, err := replay.Read(strings.NewReader(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	defer f.Close()
	rows, err := replay.Read(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
