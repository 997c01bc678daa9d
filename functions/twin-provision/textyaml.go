package twinprovision

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	lineOf   = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)
	anchorOf = regexp.MustCompile(`unknown anchor '([^']*)'`)
	// parsed are the complaints of the parser behind the scanner: it counts lines from 0 on, and tells them as if from 1 on.
	parsed = regexp.MustCompile(`^did not find expected (',' or|key|'-' indicator|node content|<)`)
)

// notYAML is the YAML parser's error with its place, in the form of all other faults. The parser tells lines in its text only, and
// for some of its errors none: then the place is looked for.
func notYAML(body []byte, err error) error {
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 0
	if m := lineOf.FindStringSubmatch(err.Error()); m != nil {
		text = m[2]
		line, _ = strconv.Atoi(m[1])
		if parsed.MatchString(text) {
			line++
		}
	}
	if line == 0 {
		line = 1 + bytes.Count(body[:culprit(body, text)], []byte("\n"))
	}
	lines := strings.Split(strings.TrimRight(string(body), "\r\n"), "\n")
	line = min(line, len(lines))
	indent := len(lines[line-1]) - len(strings.TrimLeft(lines[line-1], " \t"))
	return &syntaxError{"this is not the YAML expected here: " + text, line, indent + 1}
}

// culprit is the offset of what an error without a line is about; 0 if that is not to be found.
func culprit(body []byte, text string) int {
	if m := anchorOf.FindStringSubmatch(text); m != nil {
		return max(bytes.Index(body, []byte("*"+m[1])), 0)
	}
	for i := 0; i < len(body); {
		r, size := utf8.DecodeRune(body[i:])
		if r == utf8.RuneError && size == 1 || unicode.IsControl(r) && !strings.ContainsRune("\n\r\t\u0085", r) {
			return i
		}
		i += size
	}
	return 0
}
