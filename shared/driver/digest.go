package driver

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// digested is what a maker's signature is about, in the order in which it is written.
type digested struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Kind     Kind   `json:"kind"`
	Title    string `json:"title"`
	Maker    string `json:"maker"`
	License  string `json:"license"`
	Note     string `json:"note"`
	Firmware string `json:"firmware"`
	Code     string `json:"code"`  // its SHA-256, hexadecimal
	Limit    int64  `json:"limit"` // nanoseconds
	Tests    []Test `json:"tests"`
	Port     int    `json:"port,omitempty"` // left out where there is none, so that signatures of before it was known are good
}

// Digest is what a maker signs of a driver: the SHA-256 of all that is said of it, its code and its tests, whatever they were sent in. The error names a test with a value that JSON does not have.
func Digest(d *Driver) ([]byte, error) {
	tests, err := PlainTests(d.Tests)
	if err != nil {
		return nil, err
	}
	code := sha256.Sum256(d.Code)
	text, err := json.Marshal(digested{d.Name, d.Version, d.Kind, d.Title, d.Maker, d.License, d.Note, d.Firmware,
		hex.EncodeToString(code[:]), int64(d.Limit), tests, d.Port})
	if err != nil {
		return nil, fmt.Errorf("tests: %w", err)
	}
	sum := sha256.Sum256(append([]byte("castor driver 2\n"), text...))
	return sum[:], nil
}

// PlainTests is a copy of tests whose values are what encoding/json makes of JSON: numbers are float64, times text. So tests that were
// read from YAML, JSON or CBOR are the same. The error names the test.
func PlainTests(tests []Test) ([]Test, error) {
	out := make([]Test, len(tests))
	for i, t := range tests {
		var err error
		if t.Data, err = Plain(t.Data); err == nil {
			t.Want.Data, err = Plain(t.Want.Data)
		}
		t.Want.Commands, err = plainList(t.Want.Commands, err)
		records := make([]Record, len(t.Want.Records))
		for j, r := range t.Want.Records {
			var v any
			if err == nil {
				v, err = Plain(r.Data)
			}
			data, _ := v.(map[string]any)
			records[j] = Record{Time: r.Time.UTC(), Data: data, Units: r.Units}
		}
		if err != nil {
			return nil, fmt.Errorf("tests[%d] %.80q: %w", i, t.Name, err)
		}
		if t.Want.Records != nil {
			t.Want.Records = records
		}
		t.Time, t.Want.Time = t.Time.UTC(), t.Want.Time.UTC()
		out[i] = t
	}
	return out, nil
}

func plainList(list []any, err error) ([]any, error) {
	if list == nil || err != nil {
		return nil, err
	}
	v, err := Plain(list)
	out, _ := v.([]any)
	return out, err
}

// Plain is a copy of a value as encoding/json makes it of JSON: numbers are float64, times RFC 3339 in UTC, maps have text for keys.
// The error says what JSON does not have.
func Plain(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, string:
		return v, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%v is no number that JSON has", v)
		}
		return v, nil
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			p, err := Plain(e)
			if err != nil {
				return nil, fmt.Errorf("%.40s: %w", k, err)
			}
			out[k] = p
		}
		return out, nil
	case map[any]any: // of CBOR
		out := make(map[string]any, len(v))
		for k, e := range v {
			name, ok := k.(string)
			p, err := Plain(e)
			if err != nil || !ok {
				return nil, fmt.Errorf("%.40v: names must be text, and values what JSON has", k)
			}
			out[name] = p
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			p, err := Plain(e)
			if err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
			out[i] = p
		}
		return out, nil
	}
	if n, ok := number(v); ok {
		return n, nil
	}
	return nil, fmt.Errorf("a value of kind %T is not what JSON has", v)
}
