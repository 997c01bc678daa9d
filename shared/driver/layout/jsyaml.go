package layout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

var (
	decimal   = regexp.MustCompile(`^[-+]?0[0-9]+$`)
	otherBase = regexp.MustCompile(`^[-+]?0[XBO]`)
	signDot   = regexp.MustCompile(`^[-+]\.[0-9]`)
	day       = regexp.MustCompile(`^([0-9]{4})-([0-9]{2})-([0-9]{2})$`)
	dayTime   = regexp.MustCompile(`^([0-9]{4})-([0-9][0-9]?)-([0-9][0-9]?)(?:[Tt]|[ \t]+)([0-9][0-9]?):([0-9]{2}):([0-9]{2})(?:\.([0-9]*))?(?:[ \t]*(?:Z|([-+])([0-9][0-9]?)(?::?([0-9]{2}))?))?$`)
)

// asJSYAML gives plain scalars the meaning that they have in js-yaml, with which the makers of the public collections read them,
// where this program's reader has another: 010 is ten, and a time is what JSON.stringify makes of a Date.
func asJSYAML(n *yaml.Node, seen map[*yaml.Node]bool) {
	if n == nil || seen[n] {
		return
	}
	seen[n] = true
	const written = yaml.TaggedStyle | yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	if n.Kind == yaml.ScalarNode && n.Style&written == 0 {
		plainScalar(n)
	}
	asJSYAML(n.Alias, seen)
	for i, e := range n.Content {
		key := n.Kind == yaml.MappingNode && i%2 == 0
		switch value := n.Kind == yaml.MappingNode && !key; {
		case key && e.ShortTag() == "!!null":
			e.Value, e.Tag = "null", "!!str"
		case value && n.Content[i-1].Value == "bytes" && e.Kind == yaml.ScalarNode: // hexadecimal, as it was written
		default:
			asJSYAML(e, seen)
		}
	}
}

// readYAML reads what js-yaml reads: also \/ between quotes, which JSON has.
func readYAML(text []byte, to any) error {
	if err := bounded(text); err != nil {
		return err
	}
	err := yaml.Unmarshal(text, to)
	if err != nil && bytes.Contains(text, []byte(`\/`)) && yaml.Unmarshal(bytes.ReplaceAll(text, []byte(`\/`), []byte("/")), to) == nil {
		return nil
	}
	return err
}

// texts are warnings or errors: a list, or one text. What is no text is as a codec's answer has it, as JSON.
type texts []string

// UnmarshalYAML reads a list or a scalar.
func (t *texts) UnmarshalYAML(n *yaml.Node) error {
	list := n.Content
	if n.Kind != yaml.SequenceNode {
		list = []*yaml.Node{n}
	}
	*t = make(texts, len(list))
	for i, e := range list {
		var v any
		if err := e.Decode(&v); err != nil {
			return err
		}
		if text, ok := v.(string); ok {
			(*t)[i] = text
			continue
		}
		text, err := json.Marshal(value(v))
		if err != nil {
			return fmt.Errorf("line %d: %w", e.Line, err)
		}
		(*t)[i] = string(text)
	}
	return nil
}

func plainScalar(n *yaml.Node) {
	v := n.Value
	switch {
	case decimal.MatchString(v):
		digits := strings.TrimLeft(strings.TrimLeft(v, "+-"), "0")
		n.Value, n.Tag = "0"+digits, "!!int"
		if digits != "" {
			n.Value = digits
		}
		if v[0] == '-' {
			n.Value = "-" + n.Value
		}
	case otherBase.MatchString(v), signDot.MatchString(v):
		n.Tag = "!!str"
	default:
		if iso, ok := isoTime(v); ok {
			n.Value, n.Tag = iso, "!!str"
		} else if n.ShortTag() == "!!timestamp" {
			n.Tag = "!!str"
		}
	}
}

// isoTime is a YAML time as JavaScript says it. Fields beyond their range go on into the next, as they do in Date.UTC.
func isoTime(v string) (string, bool) {
	m := day.FindStringSubmatch(v)
	if m == nil {
		if m = dayTime.FindStringSubmatch(v); m == nil {
			return "", false
		}
	}
	m = append(m, make([]string, 11-len(m))...)
	number := func(i int) int {
		f, _ := strconv.Atoi(m[i])
		return f
	}
	fraction := (m[7] + "000")[:3]
	ms, _ := strconv.Atoi(fraction)
	at := time.Date(number(1), time.Month(number(2)), number(3), number(4), number(5), number(6), ms*int(time.Millisecond), time.UTC)
	offset := time.Duration(number(9))*time.Hour + time.Duration(number(10))*time.Minute
	if m[8] == "-" {
		offset = -offset
	}
	return at.Add(-offset).UTC().Format("2006-01-02T15:04:05.000Z07:00"), true
}
