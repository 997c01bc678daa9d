package link

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/fxamacker/cbor/v2"
)

// An envelope is one object of a payload, taken apart.
type envelope struct {
	time       any // RFC 3339 text, Unix milliseconds or time.Time; nil if there is none
	epoch, seq any
	data       map[string]any
}

// split takes an array apart, and tells how its elements are parsed.
func split(payload []byte) (elements [][]byte, parse func([]byte) (envelope, error), err error) {
	text := bytes.TrimLeft(payload, " \t\r\n")
	switch {
	case len(text) == 0:
		return nil, nil, errors.New("the payload is empty")
	case text[0] == '{':
		return [][]byte{payload}, fromJSON, nil
	case text[0] == '[':
		var raw []json.RawMessage
		if err := json.Unmarshal(text, &raw); err != nil {
			return nil, nil, fmt.Errorf("the payload is not JSON: %w", err)
		}
		for _, r := range raw {
			elements = append(elements, r)
		}
		parse = fromJSON
	case text[0]>>5 == 4: // major type 4: array
		var raw []cbor.RawMessage
		if err := cborIn.Unmarshal(payload, &raw); err != nil {
			return nil, nil, fmt.Errorf("the payload is not CBOR: %w", err)
		}
		for _, r := range raw {
			elements = append(elements, r)
		}
		parse = fromCBOR
	default:
		if err := cborIn.Wellformed(payload); err != nil {
			return nil, nil, fmt.Errorf("the payload is neither JSON nor CBOR: %w", err)
		}
		return [][]byte{payload}, fromCBOR, nil
	}
	if n := len(elements); n == 0 || n > telemetry.MaxBatch {
		return nil, nil, fmt.Errorf("the payload is an array of %d, 1 to %d are taken", n, telemetry.MaxBatch)
	}
	return elements, parse, nil
}

// cborIn bounds what a device can make of memory.
var cborIn = func() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: 20, MaxArrayElements: 2 * telemetry.MaxBatch, MaxMapPairs: 2 * telemetry.MaxBatch,
		UTF8: cbor.UTF8RejectInvalid,
	}.DecMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return m
}()

func fromJSON(raw []byte) (envelope, error) {
	var e envelope
	v, err := readJSON(raw)
	if err != nil {
		return e, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return e, errors.New("the payload is not a JSON object")
	}
	return e, e.take(m)
}

// floats makes float64 of what readJSON left as text.
func floats(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return nil, fmt.Errorf("number %.40s is out of range", v)
		}
		return f, nil
	case map[string]any:
		for k, e := range v {
			var err error
			if v[k], err = floats(e); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, e := range v {
			var err error
			if v[i], err = floats(e); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func fromCBOR(raw []byte) (envelope, error) {
	var e envelope
	var m map[string]any
	var other *cbor.UnmarshalTypeError
	switch err := cborIn.Unmarshal(raw, &m); {
	case errors.As(err, &other) && len(raw) > 0 && raw[0]>>5 == 5: // major type 5: a map
		return e, errors.New("the payload is not a CBOR map with text keys: numbers for properties are read where the type's format is compact")
	case errors.As(err, &other):
		return e, errors.New("the payload is not a CBOR map with text keys")
	case err != nil:
		return e, fmt.Errorf("the payload is not a CBOR map with text keys: %w", err)
	}
	if m == nil {
		return e, errors.New("the payload is not a CBOR map")
	}
	return e, e.take(m)
}

// take finds time, epoch and seq; without data, what remains is the data.
func (e *envelope) take(m map[string]any) error {
	e.time, e.epoch, e.seq = m["time"], m["epoch"], m["seq"]
	data, ok := m["data"]
	if !ok {
		delete(m, "time")
		delete(m, "epoch")
		delete(m, "seq")
		e.data = m
		return nil
	}
	switch data := data.(type) {
	case map[string]any:
		e.data = data
	case map[any]any:
		e.data = make(map[string]any, len(data))
		for k, v := range data {
			e.data[fmt.Sprint(k)] = v
		}
	default:
		return errors.New("data must be an object of names and values")
	}
	return nil
}
