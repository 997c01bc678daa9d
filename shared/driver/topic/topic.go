// Package topic is the patterns by which drivers name the MQTT topics of devices whose firmware uses its own: where a device's name
// is in a topic, what a broker's filter has to do with them, and the topic of one device.
package topic

import (
	"errors"
	"fmt"
	"strings"
)

// A Pattern stands for MQTT topics: levels as they are, "+" for any one level, "#" at the end for all that follow, "{name}" for
// a part of a level that gets a name, "{name...}" for one or more levels that get one.
type Pattern struct {
	text   string
	levels []level
}

// A level is before + the named part + after; name "" = before is all of it.
type level struct {
	before, name, after string
	any, rest           bool // "+" or "#"; rest with a name: {name...}
}

const (
	maxLevels = 32
	maxBytes  = 256
)

// Parse reads a pattern.
func Parse(s string) (*Pattern, error) {
	t := &Pattern{text: s}
	parts := strings.Split(s, "/")
	if s == "" || len(s) > maxBytes || len(parts) > maxLevels || strings.ContainsRune(s, 0) {
		return nil, fmt.Errorf("must be a topic of 1 to %d bytes and at most %d levels", maxBytes, maxLevels)
	}
	named := map[string]bool{}
	for i, p := range parts {
		l := level{before: p}
		switch {
		case p == "+":
			l.any = true
		case p == "#":
			l.rest = true
		case strings.Contains(p, "{"):
			before, more, _ := strings.Cut(p, "{")
			name, after, closed := strings.Cut(more, "}")
			name, l.rest = strings.CutSuffix(name, "...")
			if !closed || !IsName(name) || named[name] || strings.ContainsAny(before+after, "{}+#") || l.rest && before+after != "" {
				return nil, fmt.Errorf("level %q must hold one {name} of its own, like {device}, POWER{n} or {device...}", p)
			}
			named[name] = true
			l.before, l.name, l.after = before, name, after
		case strings.ContainsAny(p, "+#}"):
			return nil, fmt.Errorf("level %q must be + or # alone", p)
		}
		t.levels = append(t.levels, l)
		if i < len(parts)-1 && l.rest && l.name == "" {
			return nil, fmt.Errorf("# must be the last level")
		}
	}
	open := 0
	for _, l := range t.levels {
		if l.rest {
			open++
		}
	}
	if open > 1 {
		return nil, fmt.Errorf("must have one level at most that stands for many, # or {name...}")
	}
	return t, nil
}

// String is the pattern as it was written.
func (t *Pattern) String() string { return t.text }

// Names are those of the named parts.
func (t *Pattern) Names() (names []string) {
	for _, l := range t.levels {
		if l.name != "" {
			names = append(names, l.name)
		}
	}
	return names
}

// Match gives the named parts of a topic to set; false if it is another one, after parts that fitted were set.
func (t *Pattern) Match(s string, set func(name, value string)) bool {
	var buffer [maxLevels]string
	parts := buffer[:0]
	for p := range strings.SplitSeq(s, "/") {
		if len(parts) == maxLevels {
			return false
		}
		parts = append(parts, p)
	}
	j := 0
	for i, l := range t.levels {
		n := 1
		if l.rest {
			if n = len(parts) - j - (len(t.levels) - i - 1); n < 1 && (l.name != "" || n < 0) {
				return false
			}
		}
		if j+n > len(parts) {
			return false
		}
		here := strings.Join(parts[j:j+n], "/")
		switch j += n; {
		case l.any, l.rest && l.name == "":
		case l.name == "":
			if here != l.before {
				return false
			}
		case len(here) <= len(l.before)+len(l.after) || !strings.HasPrefix(here, l.before) || !strings.HasSuffix(here, l.after):
			return false
		default:
			set(l.name, here[len(l.before):len(here)-len(l.after)])
		}
	}
	return j == len(parts)
}

// Filter is the pattern as a broker knows it.
func (t *Pattern) Filter() string {
	var levels []string
	for _, l := range t.levels {
		switch {
		case l.rest:
			return strings.Join(append(levels, "#"), "/")
		case l.any, l.name != "":
			levels = append(levels, "+")
		default:
			levels = append(levels, l.before)
		}
	}
	return strings.Join(levels, "/")
}

// ErrMissing is wrapped by Fill where nobody knows what a named part is.
var ErrMissing = errors.New("is missing")

// Fill is the topic with the named parts put in. Where value does not know {device}, it stays for whoever sends the message.
func (t *Pattern) Fill(value func(name string) (string, bool)) (string, error) {
	levels := make([]string, len(t.levels))
	for i, l := range t.levels {
		levels[i] = l.before
		if l.name == "" {
			continue
		}
		v, ok := value(l.name)
		switch {
		case !ok && l.name == "device":
			v = "{device}"
		case !ok:
			return "", fmt.Errorf("%s %w: it is a part of the topic %s", l.name, ErrMissing, t.text)
		case v == "" || len(v) > 256 || strings.ContainsAny(v, "+#\x00") || !l.rest && strings.Contains(v, "/"):
			return "", fmt.Errorf("%s: %.80q cannot be a part of the topic %s", l.name, v, t.text)
		}
		levels[i] = l.before + v + l.after
	}
	return strings.Join(levels, "/"), nil
}

// IsName tells whether s may be the name of a part: a letter or _, then letters, digits and _.
func IsName(s string) bool {
	for i, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
