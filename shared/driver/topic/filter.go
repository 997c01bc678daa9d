package topic

import "strings"

// Meets tells whether the topics of the pattern and those of a broker's filter have any in common; what the pattern names is taken to
// be anything, but {device} to be device unless that is "".
func (t *Pattern) Meets(filter, device string) bool {
	levels := t.levels
	if device != "" {
		levels = make([]level, 0, len(t.levels))
		for _, l := range t.levels {
			if l.name != "device" {
				levels = append(levels, l)
				continue
			}
			for p := range strings.SplitSeq(l.before+device+l.after, "/") {
				levels = append(levels, level{before: p})
			}
		}
	}
	parts := strings.Split(filter, "/")
	return filter != "" && len(parts) <= maxLevels && meet(levels, parts)
}

// meet compares level by level. Where one of the two has a level that stands for many, the other's are tried in turn; there is one at
// most in each, so that this ends soon.
func meet(levels []level, parts []string) bool {
	switch {
	case len(parts) > 0 && parts[0] == "#":
		return len(parts) == 1 // which also stands for nothing more: a/# is a, too
	case len(levels) == 0:
		return len(parts) == 0
	}
	if l := levels[0]; l.rest {
		least := 0
		if l.name != "" {
			least = 1
		}
		for n := least; n <= len(parts); n++ {
			if n > 0 && parts[n-1] == "#" {
				return true // it stands for as many as the pattern needs
			}
			if meet(levels[1:], parts[n:]) {
				return true
			}
		}
		return false
	}
	return len(parts) > 0 && levels[0].meets(parts[0]) && meet(levels[1:], parts[1:])
}

func (l level) meets(part string) bool {
	switch {
	case part == "+" || l.any:
		return true
	case l.name == "":
		return part == l.before
	}
	return len(part) > len(l.before)+len(l.after) && strings.HasPrefix(part, l.before) && strings.HasSuffix(part, l.after)
}
