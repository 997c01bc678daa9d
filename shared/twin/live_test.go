package twin

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)

func TestOrderAfter(t *testing.T) {
	for name, c := range map[string]struct {
		o, p Order
		want bool
	}{
		"the next of the same boot":            {Order{Epoch: 1, Seq: 2}, Order{Epoch: 1, Seq: 1}, true},
		"the same":                             {Order{Epoch: 1, Seq: 2}, Order{Epoch: 1, Seq: 2}, false},
		"the one before":                       {Order{Epoch: 1, Seq: 1}, Order{Epoch: 1, Seq: 2}, false},
		"the first of the next boot":           {Order{Epoch: 2, Seq: 0}, Order{Epoch: 1, Seq: 99}, true},
		"the last of the boot before":          {Order{Epoch: 1, Seq: 99}, Order{Epoch: 2, Seq: 0}, false},
		"any is after none":                    {Order{Seq: 1}, Order{}, true},
		"a device that begins to number":       {Order{Epoch: 1}, Order{Epoch: 1 << 40, Assigned: true}, true},
		"a device that ceases to":              {Order{Epoch: 1, Assigned: true}, Order{Epoch: 99}, true},
		"assigned ones go on among themselves": {Order{Epoch: 1, Assigned: true}, Order{Epoch: 2, Assigned: true}, false},
	} {
		if got := c.o.After(c.p); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

func TestReport(t *testing.T) {
	type r = Reading
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	num := func(seq int64) Order { return Order{Epoch: 1, Seq: seq} }
	ass := func(seq int64) Order { return Order{Epoch: 1, Seq: seq, Assigned: true} }
	for name, c := range map[string]struct {
		held    []r
		report  r
		changed bool
		want    any
	}{
		"the first reading":              {nil, r{Value: 1.0, Order: num(1)}, true, 1.0},
		"a newer one":                    {[]r{{Value: 1.0, Order: num(1)}}, r{Value: 2.0, Order: num(2)}, true, 2.0},
		"the same one again":             {[]r{{Value: 1.0, Order: num(1)}}, r{Value: 2.0, Order: num(1)}, false, 1.0},
		"an older one":                   {[]r{{Value: 1.0, Order: num(2)}}, r{Value: 2.0, Order: num(1)}, false, 1.0},
		"a newer one with an older time": {[]r{{Value: 1.0, Order: num(1), At: at(9)}}, r{Value: 2.0, Order: num(2), At: at(1)}, true, 2.0},
		"a later one by time where numbers are assigned":    {[]r{{Value: 1.0, Order: ass(1), At: at(1)}}, r{Value: 2.0, Order: ass(2), At: at(2)}, true, 2.0},
		"an earlier one by time where numbers are assigned": {[]r{{Value: 1.0, Order: ass(1), At: at(2)}}, r{Value: 2.0, Order: ass(2), At: at(1)}, false, 1.0},
		"another value of the same time, assigned":          {[]r{{Value: 1.0, Order: ass(1), At: at(2)}}, r{Value: 2.0, Order: ass(2), At: at(2)}, true, 2.0},
		"the same value of the same time, assigned":         {[]r{{Value: 1.0, Order: ass(1), At: at(2)}}, r{Value: 1.0, Order: ass(2), At: at(2)}, false, 1.0},
		"after one dated 2099, assigned":                    {[]r{{Value: 1.0, Order: ass(1), At: noon.AddDate(73, 0, 0), Flag: ClockAhead}}, r{Value: 2.0, Order: ass(2), At: at(1)}, true, 2.0},
		"one dated 1970 after a good one, assigned":         {[]r{{Value: 1.0, Order: ass(1), At: at(1)}}, r{Value: 2.0, Order: ass(2), At: time.Unix(5, 0), Flag: ClockUnset}, true, 2.0},
		"a removal":                                   {[]r{{Value: 1.0, Order: num(1)}}, r{Order: num(2)}, true, nil},
		"a removal that is late":                      {[]r{{Value: 1.0, Order: num(2)}}, r{Order: num(1)}, false, 1.0},
		"a removal of what is not there":              {nil, r{Order: num(2)}, false, nil},
		"what came before a removal":                  {[]r{{Value: 1.0, Order: num(1)}, {Order: num(5)}}, r{Value: 4.0, Order: num(4)}, false, nil},
		"what came after a removal":                   {[]r{{Value: 1.0, Order: num(1)}, {Order: num(5)}}, r{Value: 6.0, Order: num(6)}, true, 6.0},
		"what came before a removal that met nothing": {[]r{{Order: num(5)}}, r{Value: 4.0, Order: num(4)}, false, nil},
	} {
		var l Live
		for _, h := range c.held {
			h.Property = "p"
			l.Report(h)
		}
		c.report.Property = "p"
		if got := l.Report(c.report); got != c.changed {
			t.Errorf("%s: changed %t, want %t", name, got, c.changed)
		}
		if got, _ := l.Reading("p"); got.Value != c.want {
			t.Errorf("%s: %v is held, want %v", name, got.Value, c.want)
		}
	}
}

// A message that removes one property can bring others, in whatever order they stand in it; sent again it changes nothing.
func TestReportOfAMessageThatRemoves(t *testing.T) {
	var l Live
	l.Report(Reading{Property: "mode", Value: "eco", Order: Order{Epoch: 1, Seq: 1}})
	message := []Reading{{Property: "dewpoint"}, {Property: "mode"}, {Property: "temperature", Value: 22.0}}
	say := func(seq int64) (changed []bool) {
		for _, r := range message {
			r.Order = Order{Epoch: 1, Seq: seq}
			changed = append(changed, l.Report(r))
		}
		return changed
	}
	if got := say(2); !slices.Equal(got, []bool{false, true, true}) {
		t.Errorf("a message that removes changed %v", got)
	}
	if got := say(2); !slices.Equal(got, []bool{false, false, false}) {
		t.Errorf("sent again it changed %v", got)
	}
	if l.Report(Reading{Property: "mode", Value: "eco", Order: Order{Epoch: 1, Seq: 1}}) {
		t.Error("what came before brought back what it removed")
	}
	if l.Report(Reading{Property: "temperature", Order: Order{Epoch: 1, Seq: 3}}); say(2)[2] {
		t.Error("sent again it brought back what was removed since")
	}
}

func TestReportedIsSortedAndBounded(t *testing.T) {
	var l Live
	for i := range MaxProperties + 10 {
		l.Report(Reading{Property: fmt.Sprint((i * 7919) % (MaxProperties + 10)), Value: 1.0, Order: Order{Seq: 1}})
	}
	if len(l.Reported) != MaxProperties || !slices.IsSortedFunc(l.Reported, func(a, b Reading) int { return strings.Compare(a.Property, b.Property) }) {
		t.Errorf("%d properties, want %d in order", len(l.Reported), MaxProperties)
	}
	if !l.Report(Reading{Property: l.Reported[3].Property, Value: 2.0, Order: Order{Seq: 2}}) {
		t.Error("a twin that is full takes no news of what it has")
	}
}

// An alarm's number is never used twice: not by another version of its rule, nor by a rule made again under the same id.
func TestEpisodesGoOn(t *testing.T) {
	var l Live
	s := l.Rule("hot", 1)
	s.Episode, s.Breached = 3, true
	if s = l.Rule("hot", 2); s.Version != 2 || s.Episode != 3 || s.Breached {
		t.Errorf("another version begins as %+v", *s)
	}
	s.Active = true
	if s = l.Rule("hot", 3); s.Version != 2 {
		t.Errorf("a version with an alarm was given up: %+v", *s)
	}
	l.Rule("cold", 1).Episode = 7
	l.Forget(func(s *RuleState) bool { return s.Rule == "cold" })
	if s = l.Rule("cold", 1); s.Episode != 7 || len(l.Rules) != 2 {
		t.Errorf("a rule made again begins as %+v", *s)
	}
}

func TestHappened(t *testing.T) {
	var l Live
	for i := range MaxRecent + 3 {
		l.Happened(noon, fmt.Sprint(i))
	}
	l.Happened(noon, strings.Repeat("é", 500))
	if len(l.Recent) != MaxRecent || l.Recent[0].What != "4" {
		t.Errorf("%d occurrences from %q on", len(l.Recent), l.Recent[0].What)
	}
	if last := l.Recent[MaxRecent-1].What; len(last) > maxWhat || !strings.HasPrefix(last, "éé") || strings.Contains(last, "\uFFFD") {
		t.Errorf("a long one became %q", last)
	}
}

func TestOnline(t *testing.T) {
	for name, c := range map[string]struct {
		p    Presence
		want bool
	}{
		"never heard of":                    {Presence{}, false},
		"connected":                         {Presence{Connected: true, Session: "s"}, true},
		"connected and silent":              {Presence{Connected: true, Session: "s", Offline: true}, false},
		"its connection is lost":            {Presence{Session: "s", LastSeen: noon}, false},
		"heard without a connection":        {Presence{LastSeen: noon}, true},
		"silent, without a connection ever": {Presence{LastSeen: noon, Offline: true}, false},
	} {
		if got := c.p.Online(); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
