package layout

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/telemetry"
	"go.yaml.in/yaml/v3"
)

// data is a value of driver.yaml as JSON has it. What YAML takes for a time without quotes is text as it was written, so that a
// test means here what it means once it was published.
type data struct{ value any }

// UnmarshalYAML reads a value.
func (d *data) UnmarshalYAML(n *yaml.Node) error {
	untimed(n, make(map[*yaml.Node]bool))
	var v any
	if err := n.Decode(&v); err != nil {
		return err
	}
	d.value = value(v)
	return nil
}

// MarshalYAML writes it.
func (d data) MarshalYAML() (any, error) { return d.value, nil }

// IsZero is yaml's.
func (d data) IsZero() bool { return d.value == nil }

func untimed(n *yaml.Node, seen map[*yaml.Node]bool) {
	if n == nil || seen[n] {
		return
	}
	seen[n] = true
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!timestamp" {
		n.Tag = "!!str"
	}
	untimed(n.Alias, seen)
	for _, e := range n.Content {
		untimed(e, seen)
	}
}

// value makes of YAML what encoding/json makes of JSON, but that times stay times.
func value(v any) any { return telemetry.Plain(v, leaf) }

func leaf(v any) any {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil // as JSON.stringify has it
		}
	}
	return v
}

// octets reads the bytes of an example: a list of numbers, or hexadecimal text.
type octets []byte

// UnmarshalYAML reads a list or text.
func (o *octets) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		text := strings.NewReplacer(" ", "", "\n", "", "\t", "", ":", "", "-", "", "0x", "", ",", "").Replace(n.Value)
		if len(text)%2 != 0 {
			return fmt.Errorf("line %d: bytes %.40q must be pairs of hexadecimal digits", n.Line, n.Value)
		}
		*o = make(octets, 0, len(text)/2)
		for i := 0; i < len(text); i += 2 {
			b, err := strconv.ParseUint(text[i:i+2], 16, 8)
			if err != nil {
				return fmt.Errorf("line %d: bytes %.40q must be hexadecimal digits", n.Line, n.Value)
			}
			*o = append(*o, byte(b))
		}
		return nil
	}
	var list []float64
	if err := n.Decode(&list); err != nil {
		return err
	}
	*o = make(octets, len(list))
	for i, f := range list {
		if f != math.Trunc(f) || f < -128 || f > 255 {
			return fmt.Errorf("line %d: bytes[%d] is %v, it must be 0 to 255", n.Line, i, f)
		}
		(*o)[i] = byte(int(f))
	}
	return nil
}

// MarshalYAML writes hexadecimal text, an octet apart from the next.
func (o octets) MarshalYAML() (any, error) { return fmt.Sprintf("% x", []byte(o)), nil }

// bytes is nil where there are none, not where they are empty.
func (o *octets) bytes() []byte {
	if o == nil {
		return nil
	}
	return append([]byte{}, *o...)
}

// moment reads a time: RFC 3339 text, or what YAML takes for one.
type moment struct{ time.Time }

// UnmarshalYAML reads a timestamp or text.
func (m *moment) UnmarshalYAML(n *yaml.Node) error {
	if n.Value == "" {
		return nil
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(form, strings.TrimSpace(n.Value)); err == nil {
			m.Time = t
			return nil
		}
	}
	if ms, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
		m.Time = time.UnixMilli(ms)
		return nil
	}
	return fmt.Errorf("line %d: time %.40q must be like 2026-03-21T10:00:00Z", n.Line, n.Value)
}

// MarshalYAML writes RFC 3339 text.
func (m moment) MarshalYAML() (any, error) { return m.Format(time.RFC3339Nano), nil }
