package monitor

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/castor-iot/castor/shared/twin"
)

func TestParseCondition(t *testing.T) {
	for text, want := range map[string]string{ // "" = refused
		"cpu.percent > 80":                "cpu.percent > 80",
		"cpu.percent>80":                  "cpu.percent > 80",
		"a>=5":                            "a >= 5",
		"  a  <=  -1.5e3  ":               "a <= -1500",
		"a == 1":                          "a == 1",
		"a != 0 for 5m":                   "a != 0 for 5m",
		"a > 80 for 1m clear 70":          "a > 80 for 1m clear 70",
		"a > 80 clear < 70":               "a > 80 clear 70",
		"a < 10 for 1h30m clear > 12":     "a < 10 for 1h30m clear 12",
		"a > 80 for 0s":                   "a > 80",
		"température > 3":                 "température > 3",
		"":                                "",
		"a":                               "",
		"a >":                             "",
		"a > b":                           "",
		"a > NaN":                         "",
		"a > Inf":                         "",
		"a > 1e999":                       "",
		"a => 1":                          "",
		"a > 1 for":                       "",
		"a > 1 for 5":                     "",
		"a > 1 for -5s":                   "",
		"a > 1 for 1000h":                 "",
		"a > 1 clear":                     "",
		"a > 1 clear 2":                   "",
		"a < 1 clear 0":                   "",
		"a == 1 clear 0":                  "",
		"a > 1 clear > 0":                 "",
		"a > 1 or b > 2":                  "",
		"a> > 5":                          "",
		"\x00 > 1":                        "",
		"\xff > 1":                        "",
		strings.Repeat("a", 129) + " > 1": "",
	} {
		c, err := ParseCondition(text)
		switch {
		case want == "" && (!errors.Is(err, twin.ErrInvalid) || !strings.Contains(err.Error(), "example")):
			t.Errorf("%.40q: %v, %v; want it refused with an example", text, c, err)
		case want != "" && (err != nil || c.String() != want):
			t.Errorf("%q: %q, %v; want %q", text, c, err, want)
		}
	}
	var r Rule
	if err := json.Unmarshal([]byte(`{"condition":"a > 1 for 1m"}`), &r); err != nil || r.Condition.For.D() != time.Minute || r.Title() != "a > 1 for 1m" {
		t.Errorf("%+v, %v", r, err)
	}
}

// What is read is written so that it reads the same; nothing else is taken.
func FuzzParseCondition(f *testing.F) {
	for _, s := range []string{"cpu.percent > 80 for 1m clear 70", "a<=-1e-3", "a == 0x1p-2", "a > -0 clear -1", "b!=5 for 1h0m0.5s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCondition(s)
		if err != nil {
			if !errors.Is(err, twin.ErrInvalid) {
				t.Fatalf("the error is %v", err)
			}
			return
		}
		if c.Property == "" || !utf8.ValidString(c.Property) || c.For < 0 {
			t.Fatalf("%q was read as %+v", s, c)
		}
		again, err := ParseCondition(c.String())
		if err != nil || again.String() != c.String() {
			t.Fatalf("%q is written %q, which reads as %q, %v", s, c, again, err)
		}
		c.Breached(0, true)
	})
}

func TestBreached(t *testing.T) {
	for name, c := range map[string]struct {
		condition      string
		value          float64
		active, expect bool
	}{
		"above":                          {"a > 80", 80.1, false, true},
		"at the limit":                   {"a > 80", 80, false, false},
		"at or above":                    {"a >= 80", 80, false, true},
		"below":                          {"a < 5", 4, false, true},
		"at or below":                    {"a <= 5", 5, false, true},
		"equal":                          {"a == 1", 1, false, true},
		"different":                      {"a != 1", 1, false, false},
		"between, with the alarm raised": {"a > 80 clear 70", 75, true, true},
		"between, with no alarm":         {"a > 80 clear 70", 75, false, false},
		"past the clearing value":        {"a > 80 clear 70", 70, true, false},
		"between the other way, raised":  {"a < 5 clear 7", 6, true, true},
	} {
		r, err := ParseCondition(c.condition)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Breached(c.value, c.active); got != c.expect {
			t.Errorf("%s: %t, want %t", name, got, c.expect)
		}
	}
}

func TestARuleInTime(t *testing.T) {
	noon := time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)
	type step struct {
		measured, received int // seconds after noon; measured < 0: a tick at received
		value              float64
		want               Change
	}
	for name, c := range map[string]struct {
		condition string
		steps     []step
		episode   int64
	}{
		"at once, and once":                       {"a > 80", []step{{0, 0, 90, Raise}, {1, 1, 95, None}, {2, 2, 70, End}, {3, 3, 60, None}}, 1},
		"again":                                   {"a > 80", []step{{0, 0, 90, Raise}, {1, 1, 70, End}, {2, 2, 90, Raise}}, 2},
		"after a duration, by the next message":   {"a > 80 for 1m", []step{{0, 0, 90, None}, {59, 59, 90, None}, {60, 60, 90, Raise}}, 1},
		"after a duration, without a message":     {"a > 80 for 1m", []step{{0, 0, 90, None}, {-1, 59, 0, None}, {-1, 60, 0, Raise}, {-1, 61, 0, None}}, 1},
		"not when it ends too early":              {"a > 80 for 1m", []step{{0, 0, 90, None}, {30, 30, 70, None}, {-1, 60, 0, None}, {61, 61, 90, None}, {-1, 120, 0, None}, {-1, 121, 0, Raise}}, 1},
		"a backlog, by the device's clock":        {"a > 80 for 1m", []step{{0, 500, 90, None}, {61, 500, 90, Raise}, {100, 500, 1, End}}, 1},
		"a device whose clock stands":             {"a > 80 for 1m", []step{{0, 0, 90, None}, {0, 60, 90, Raise}}, 1},
		"hysteresis":                              {"a > 80 clear 70", []step{{0, 0, 90, Raise}, {1, 1, 75, None}, {2, 2, 85, None}, {3, 3, 70, End}, {4, 4, 75, None}}, 1},
		"a message after the tick that raised it": {"a > 80 for 1m", []step{{0, 0, 90, None}, {-1, 61, 0, Raise}, {70, 70, 90, None}, {80, 80, 1, End}}, 1},
	} {
		condition, err := ParseCondition(c.condition)
		if err != nil {
			t.Fatal(err)
		}
		r, s := Rule{ID: "r", Version: 1, Condition: condition}, twin.RuleState{Rule: "r", Version: 1}
		at := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) }
		for i, x := range c.steps {
			got := None
			if x.measured < 0 {
				got = r.Tick(&s, at(x.received))
			} else {
				got = r.Observe(&s, x.value, at(x.measured), at(x.received))
			}
			if got != x.want {
				t.Errorf("%s: step %d is %d, want %d", name, i, got, x.want)
			}
		}
		if s.Episode != c.episode {
			t.Errorf("%s: episode %d, want %d", name, s.Episode, c.episode)
		}
	}
}

func TestDropEndsWhatIsRaised(t *testing.T) {
	s := twin.RuleState{Rule: "r", Breached: true, Active: true, Episode: 4, Due: time.Now()}
	if Drop(&s) != End || s.Active || s.Breached || !s.Due.IsZero() || s.Episode != 4 {
		t.Errorf("left is %+v", s)
	}
	if Drop(&s) != None {
		t.Error("it ended twice")
	}
}

func TestATransitionTellsItsContext(t *testing.T) {
	w := twin.Twin{ID: "p-1", Definition: twin.Definition{Name: "Pump", Type: "pump", Owner: "plant", Aggregates: []twin.ID{"line"}, Location: &twin.Location{Site: "hall"}}}
	w.Live.Happened(time.Now(), "connected")
	tr := NewTransition(&w, &twin.RuleState{Rule: "hot", Episode: 2}, true, time.Now())
	w.Live.Recent[0].What = "changed since"
	if tr.Alarm != "p-1:hot:2" || tr.Owner != "plant" || tr.Location.Site != "hall" || tr.Before[0].What != "connected" || tr.Severity.Rank() == 0 {
		t.Errorf("it tells %+v", tr)
	}
	for i, s := range []Severity{"", Info, Warning, Critical} {
		if s.Rank() != i {
			t.Errorf("%q ranks %d", s, s.Rank())
		}
	}
}
