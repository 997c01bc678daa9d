package telemetry

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/twin"
)

func TestFlatten(t *testing.T) {
	type m = map[string]any
	deep := any(1.0)
	for range 20 {
		deep = m{"a": deep}
	}
	many := m{}
	for i := range MaxSamples + 1 {
		many[fmt.Sprint(i)] = 1
	}
	for name, c := range map[string]struct {
		in   m
		want []Sample
		says string
	}{
		"nothing":                      {m{}, nil, ""},
		"values of each kind":          {m{"a": 1.5, "b": true, "c": "x", "d": nil}, []Sample{{"a", 1.5}, {"b", true}, {"c", "x"}, {"d", nil}}, ""},
		"numbers of each width":        {m{"a": 1, "b": int64(-2), "c": uint64(3), "d": float32(0.5), "e": int32(5)}, []Sample{{"a", 1.0}, {"b", -2.0}, {"c", 3.0}, {"d", 0.5}, {"e", 5.0}}, ""},
		"nested objects":               {m{"cpu": m{"percent": 5, "core": m{"0": 1}}}, []Sample{{"cpu.core.0", 1.0}, {"cpu.percent", 5.0}}, ""},
		"as CBOR nests them":           {m{"cpu": map[any]any{"percent": 5, 7: 8}}, []Sample{{"cpu.7", 8.0}, {"cpu.percent", 5.0}}, ""},
		"arrays":                       {m{"disks": []any{m{"used": 1}, m{"used": 2}}}, []Sample{{"disks.0.used", 1.0}, {"disks.1.used", 2.0}}, ""},
		"text that is not UTF-8":       {m{"a": "x\xffy"}, []Sample{{"a", "x\uFFFDy"}}, ""},
		"the same name in two ways":    {m{"a": m{"b": 1}, "a.b": 2}, nil, `"a.b" is given twice`},
		"a number that is none":        {m{"a": math.NaN()}, nil, "finite"},
		"an infinite number":           {m{"a": math.Inf(-1)}, nil, "finite"},
		"bytes":                        {m{"a": []byte{1}}, nil, `"a" must be a number`},
		"a name of nothing":            {m{"": 1}, nil, "must have a name"},
		"a name of control characters": {m{"a\nb": 1}, nil, "control"},
		"a name that is not UTF-8":     {m{"a\xff": 1}, nil, "control"},
		"a long name":                  {m{strings.Repeat("a", MaxProperty+1): 1}, nil, "name of 1 to"},
		"a long name of nothing":       {m{strings.Repeat("a", 1<<16): []any{m{}, m{}}}, nil, "name of 1 to"},
		"long text":                    {m{"a": strings.Repeat("a", MaxText+1)}, nil, "bytes of text"},
		"too deep":                     {m{"a": deep}, nil, "deeper"},
		"too many":                     {many, nil, "more than"},
	} {
		got, err := Flatten(c.in)
		switch {
		case c.says == "" && (err != nil || !slices.EqualFunc(got, c.want, func(a, b Sample) bool { return reflect.DeepEqual(a, b) })):
			t.Errorf("%s: %v, %v; want %v", name, got, err, c.want)
		case c.says != "" && (!errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v, want it to say %q", name, err, c.says)
		}
	}
}

// What comes out of Flatten is always in order, bounded and fit to be stored, whatever a device sends.
func FuzzFlatten(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":[true,null,{"c":"x"}]}`, `{"a":{"b":1},"a.b":2}`, `{"\u0000":1}`, `{"":{"":1}}`, `{"a":1e308,"b":-0}`, `{"a":[[[[[[[[]]]]]]]]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var in map[string]any
		if json.Unmarshal(b, &in) != nil {
			return
		}
		got, err := Flatten(in)
		if err != nil {
			if !errors.Is(err, twin.ErrInvalid) || len(err.Error()) > 1024 {
				t.Fatalf("the error is %v", err)
			}
			return
		}
		if len(got) > MaxSamples || Normalise(slices.Clone(got)) != nil {
			t.Fatalf("%d samples, %v", len(got), Normalise(got))
		}
		for i, s := range got {
			if i > 0 && got[i-1].Property >= s.Property {
				t.Fatalf("%q is not after %q", s.Property, got[i-1].Property)
			}
			switch s.Value.(type) {
			case nil, bool, string, float64:
			default:
				t.Fatalf("%q is a %T", s.Property, s.Value)
			}
		}
	})
}

func TestNormalise(t *testing.T) {
	good := []Sample{{"a", 1}, {"b", "x"}, {"c", nil}}
	if err := Normalise(good); err != nil || good[0].Value != 1.0 {
		t.Errorf("%v, %v", good, err)
	}
	for name, bad := range map[string][]Sample{"too many": make([]Sample, MaxSamples+1), "no name": {{"", 1}}, "an object": {{"a", map[string]any{}}}, "a list": {{"a", []any{}}},
		"a channel": {{"a", make(chan int)}}, "infinity": {{"a", float32(math.Inf(1))}}} {
		if err := Normalise(bad); !errors.Is(err, twin.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClock(t *testing.T) {
	now := time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		device time.Time
		flag   twin.Flag
		when   time.Time
	}{
		"right":                  {now, "", now},
		"a backlog of years":     {now.AddDate(-5, 0, 0), "", now.AddDate(-5, 0, 0)},
		"a little ahead":         {now.Add(Ahead), "", now.Add(Ahead)},
		"ahead":                  {now.Add(Ahead + time.Millisecond), twin.ClockAhead, now},
		"dated 2099":             {now.AddDate(73, 0, 0), twin.ClockAhead, now},
		"never set":              {time.Unix(0, 0), twin.ClockUnset, now},
		"set by an older fault":  {time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC), twin.ClockUnset, now},
		"the device has no time": {time.Time{}, twin.ClockUnset, now},
	} {
		if got := Clock(c.device, now); got != c.flag {
			t.Errorf("%s: flag %q, want %q", name, got, c.flag)
		}
		m := Message{Time: c.device, Received: now}
		if got := m.When(); !got.Equal(c.when) {
			t.Errorf("%s: counts for %s, want %s", name, got, c.when)
		}
	}
}
