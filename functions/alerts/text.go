package alerts

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/twin"
)

// subject is one line without control characters, whatever the names in it.
func subject(a *api.Alarm, raised bool) string {
	what := string(a.Severity)
	if !raised {
		what = "cleared"
	}
	return line(fmt.Sprintf("[%s] %s: %s", what, about(a), a.Title), 200)
}

// text is the message for people: what, how bad, when, where, and what happened before.
func text(a *api.Alarm, raised bool) string {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", name, line(fmt.Sprintf(format, args...), 500))
	}
	if raised {
		fmt.Fprintf(&b, "An alarm was raised.\n\n")
	} else {
		fmt.Fprintf(&b, "An alarm is over.\n\n")
	}
	if a.Twin != "" {
		row("Twin", "%s", twinOf(a))
	} else {
		row("About", "%s", about(a))
	}
	row("Alarm", "%s", a.Title)
	row("Severity", "%s", a.Severity)
	if a.Value != nil {
		row("Value", "%s = %v", a.Property, a.Value)
	}
	if !a.RaisedAt.IsZero() {
		row("Raised", "%s", a.RaisedAt.Format(time.RFC1123))
	}
	if !a.ClearedAt.IsZero() {
		row("Cleared", "%s", a.ClearedAt.Format(time.RFC1123))
		if d := a.ClearedAt.Sub(a.RaisedAt); !a.RaisedAt.IsZero() && d > 0 {
			row("Lasted", "%s", twin.Duration(d.Round(time.Second)))
		}
	}
	if where := a.Location.String(); where != "" {
		row("Where", "%s", where)
	}
	if len(a.Before) > 0 {
		b.WriteString("\nBefore it:\n")
		for _, o := range a.Before {
			fmt.Fprintf(&b, "  %s  %s\n", o.At.Format(time.DateTime), line(o.What, 200))
		}
	}
	fmt.Fprintf(&b, "\nTimes are UTC. Alarm %s\n", line(a.ID, 256))
	return b.String()
}

// about is what the alarm is about, for people.
func about(a *api.Alarm) string {
	switch {
	case a.Name != "":
		return a.Name
	case a.Twin != "":
		return string(a.Twin)
	}
	return "the platform"
}

func twinOf(a *api.Alarm) string {
	s := string(a.Twin)
	if a.Name != "" && a.Name != s {
		s += " (" + a.Name + ")"
	}
	if a.Type != "" {
		s += ", type " + string(a.Type)
	}
	return s
}

// line is s on one line of at most n characters: names come from devices and people, and must not be able to add a header.
func line(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if r := []rune(s); len(r) > n {
		s = string(r[:n-1]) + "…"
	}
	return s
}
