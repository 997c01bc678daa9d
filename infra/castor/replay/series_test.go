package replay

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		csv  string
		rows int
		bad  string // what the error must name
	}{
		"a recording as the benchmark has them":            {"timestamp,value\n2013-12-02 21:15:00,73.9\n2013-12-02 21:20:00,74.9\n", 2, ""},
		"stamps that step back and repeat are kept":        {"t,v\n2014-01-01 00:05:00,1\n2014-01-01 00:00:00,2\n2014-01-01 00:00:00,3\n", 3, ""},
		"Unix seconds, text, truth values and empty cells": {"t,a,b,c\n1400000000.5,on,true,\n", 1, ""},
		"no rows":                                {"t,v\n", 0, "no rows"},
		"no properties":                          {"t\n1\n", 0, "line 1"},
		"a time that is none names its line":     {"t,v\n2014-01-01,1\nyesterday,2\n", 0, "line 3"},
		"a row that is too short names its line": {"t,v\n2014-01-01\n", 0, "line 2"},
		"nothing at all":                         {"", 0, "header"},
	} {
		t.Run(name, func(t *testing.T) {
			rows, err := Read(strings.NewReader(c.csv))
			if c.bad != "" {
				if !errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), c.bad) {
					t.Fatalf("got %v, want an error that names %q", err, c.bad)
				}
				return
			}
			if err != nil || len(rows) != c.rows {
				t.Fatalf("got %d rows, %v; want %d", len(rows), err, c.rows)
			}
		})
	}
}

func TestReadValues(t *testing.T) {
	rows, err := Read(strings.NewReader("t,a,b,c,d\n1400000000.5,on,true,,-1e3\n"))
	if err != nil {
		t.Fatal(err)
	}
	d := rows[0].Data
	if d["a"] != "on" || d["b"] != true || d["d"] != -1000.0 || len(d) != 3 {
		t.Errorf("got %v", d)
	}
	if got := rows[0].At.UnixMilli(); got != 1400000000500 {
		t.Errorf("time is %d", got)
	}
}

// A recording that is moved ends at the moment it is played, whether it is of the past or of the future.
func TestMoved(t *testing.T) {
	now := time.Date(2026, 3, 21, 10, 0, 0, 0, time.UTC)
	for _, last := range []time.Time{now.AddDate(-12, 0, 0), now.Add(time.Hour)} {
		c := Config{Rows: []Row{{At: last.Add(-time.Hour)}, {At: last}}, Shift: true}
		if end := last.Add(c.Moved(now)); !end.Equal(now) {
			t.Errorf("a recording until %s ends at %s, want %s", last, end, now)
		}
	}
	c := Config{Rows: []Row{{At: now}}}
	if c.Moved(now.Add(time.Hour)) != 0 {
		t.Error("a recording is moved that shall not be")
	}
}
