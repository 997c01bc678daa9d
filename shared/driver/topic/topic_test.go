package topic

import (
	"fmt"
	"strings"
	"testing"
)

func parse(t testing.TB, s string) *Pattern {
	t.Helper()
	p, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMatch(t *testing.T) {
	for _, c := range []struct{ pattern, topic, want string }{
		{"tele/{device}/SENSOR", "tele/plug/SENSOR", "map[device:plug]"},
		{"tele/{device}/SENSOR", "tele/plug/STATE", "no"},
		{"tele/{device}/SENSOR", "tele//SENSOR", "no"},
		{"stat/{device}/POWER{n}", "stat/plug/POWER2", "map[device:plug n:2]"},
		{"stat/{device}/POWER{n}", "stat/plug/POWER", "no"},
		{"tele/{device}/#", "tele/plug", "map[device:plug]"},
		{"tele/{device}/#", "tele/plug/a/b", "map[device:plug]"},
		{"z/{device...}/set", "z/kitchen/lamp/set", "map[device:kitchen/lamp]"},
		{"z/{device...}/set", "z/set", "no"},
		{"z/{device...}", "z", "no"},
		{"z/+/set", "z/x/set", "map[]"},
		{"a", strings.Repeat("a/", 40), "no"},
	} {
		named := map[string]string{}
		got := "no"
		if parse(t, c.pattern).Match(c.topic, func(name, value string) { named[name] = value }) {
			got = fmt.Sprint(named)
		}
		if got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.topic, c.pattern, got, c.want)
		}
	}
}

func TestWhatIsNoPattern(t *testing.T) {
	for _, s := range []string{"", "a/#/b", "a/{b", "a/b}", "a/{b}{c}", "{b}/{b}", "a+", "{a...}/#", "x{a...}", "{1}", "\x00", strings.Repeat("a", 257), strings.Repeat("a/", 40)} {
		if p, err := Parse(s); err == nil {
			t.Errorf("%q is taken for %s", s, p)
		}
	}
}

// Devices subscribe to more than drivers name: a whole branch, or groups. What they are granted must have something in common with
// what is sent to them.
func TestMeets(t *testing.T) {
	for _, c := range []struct {
		pattern, device, filter string
		want                    bool
	}{
		{"cmnd/{device}/POWER{n}", "plug", "cmnd/plug/#", true},
		{"cmnd/{device}/POWER{n}", "plug", "cmnd/plug/+", true},
		{"cmnd/{device}/POWER{n}", "plug", "cmnd/plug/POWER1", true},
		{"cmnd/{device}/POWER{n}", "plug", "cmnd/plug/POWER", false},
		{"cmnd/{device}/POWER{n}", "plug", "cmnd/other/#", false},
		{"cmnd/{device}/POWER{n}", "plug", "cmnd/tasmotas/#", false},
		{"cmnd/{device}/POWER{n}", "plug", "cmnd/+/#", true},
		{"cmnd/{device}/POWER{n}", "", "cmnd/other/#", true},
		{"cmnd/{device}/POWER{n}", "plug", "#", true},
		{"cmnd/{device}/POWER{n}", "plug", "", false},
		{"cmnd/{device}/POWER{n}", "plug", "cmnd", false},
		{"{device}/rpc", "a/b", "a/b/rpc", true},
		{"{device}/rpc", "a/b", "a/+/rpc", true},
		{"{device}/rpc", "a/b", "a/rpc", false},
		{"z/{device...}/set", "", "z/#", true},
		{"z/{device...}/set", "", "z/+/set", true},
		{"z/{device...}/set", "", "z/+/+/set", true},
		{"z/{device...}/set", "", "z/set", false},
		{"z/{device...}/set", "", "z/+/get", false},
		{"z/{device...}/set", "", "z/a/#", true},
		{"z/{device...}/set", "", "y/#", false},
		{"z/#", "", "z", true},
		{"z/#", "", "z/a/b", true},
		{"z/a", "", "z/a/#", true},
		{"z/a", "", "z/a/+", false},
		{"z/{device...}/set", "", strings.Repeat("+/", 40) + "#", false},
	} {
		if got := parse(t, c.pattern).Meets(c.filter, c.device); got != c.want {
			t.Errorf("%s of %q and %q: %v", c.pattern, c.device, c.filter, got)
		}
	}
}

// Whatever a pattern and a topic are: what matches meets itself as a filter and the pattern's own filter, and is filled in to itself.
func FuzzPattern(f *testing.F) {
	f.Add("tele/{device}/SENSOR", "tele/plug/SENSOR")
	f.Add("z/{device...}/set", "z/a/b/set")
	f.Add("stat/{device}/POWER{n}", "stat/x/POWER1")
	f.Add("a/+/{x}/#", "a/b/c/d")
	f.Fuzz(func(t *testing.T, pattern, topic string) {
		p, err := Parse(pattern)
		if err != nil {
			return
		}
		named := map[string]string{}
		if !p.Match(topic, func(name, value string) { named[name] = value }) {
			return
		}
		if topic == "" || strings.ContainsAny(topic, "+#\x00") {
			return
		}
		if !p.Meets(topic, "") || !p.Meets("#", "") {
			t.Fatalf("%q matches %q and does not meet it", topic, pattern)
		}
		if d := named["device"]; d != "" && !p.Meets(topic, d) {
			t.Fatalf("%q of %q does not meet it", topic, d)
		}
		if !strings.ContainsAny(pattern, "+#") {
			got, err := p.Fill(func(name string) (string, bool) { v, ok := named[name]; return v, ok })
			if err == nil && got != topic {
				t.Fatalf("%q of %q is filled in to %q", topic, pattern, got)
			}
		}
	})
}
