package format

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/telemetry"
	"github.com/fxamacker/cbor/v2"
)

// IDs are the numbers that a type's model gives its properties, from 1. They are for ever: a number that was given once never
// means another property.
type IDs map[int64]string

// TimeID is the number that stands for the time of a record: seconds since 1970, or, if not above 0, seconds before it was
// received.
const TimeID = 0

// maxCompactRecords bounds a payload that has several records.
const maxCompactRecords = 1_000

// DecodeCompact reads the compact form: a CBOR map {number: value}, or a list of such maps for several times. A value is a number,
// true or false, text, bytes (they become hexadecimal text) or null, which means that there is none. Numbers that ids does not know are told
// apart, each once and in order. Times that are not above 0 are relative to received.
func DecodeCompact(b []byte, ids IDs, received time.Time) (records []driver.Record, unknown []int64, err error) {
	v, err := decodeCBOR(b)
	if err != nil {
		return nil, nil, err
	}
	list, many := v.([]any)
	if !many {
		list = []any{v}
	}
	if len(list) == 0 || len(list) > maxCompactRecords {
		return nil, nil, fmt.Errorf("%w: must have 1 to %d records", ErrInvalid, maxCompactRecords)
	}
	strange := map[int64]bool{}
	for i, e := range list {
		fields, ok := e.(map[any]any)
		if !ok {
			return nil, nil, fmt.Errorf("%w: record %d must be a map of numbers to values", ErrInvalid, i+1)
		}
		r := driver.Record{Data: make(map[string]any, len(fields))}
		for k, v := range fields {
			id, ok := idOf(k)
			if !ok {
				return nil, nil, fmt.Errorf("%w: record %d: the key %.40v must be a whole number from 0", ErrInvalid, i+1, k)
			}
			if id == TimeID {
				if r.Time, ok = timeOf(v, received); !ok {
					return nil, nil, fmt.Errorf("%w: record %d: 0 must be a time in seconds", ErrInvalid, i+1)
				}
				continue
			}
			value, err := compactValue(v)
			if err != nil {
				return nil, nil, fmt.Errorf("%w: record %d: %d: %w", ErrInvalid, i+1, id, err)
			}
			if name, ok := ids[id]; !ok {
				strange[id] = true
			} else if value != nil {
				r.Data[name] = value
			}
		}
		records = append(records, r)
	}
	return records, slices.Sorted(maps.Keys(strange)), nil
}

func idOf(k any) (int64, bool) {
	switch k := k.(type) {
	case uint64:
		return int64(k & math.MaxInt64), k <= math.MaxInt64
	case int64:
		return k, k >= 0
	}
	return 0, false
}

func timeOf(v any, received time.Time) (t time.Time, ok bool) {
	f, ok := float(v)
	if !ok || f > 253402300799 || f < -1e10 {
		return t, false
	}
	whole := int64(f)
	fraction := time.Duration((f - float64(whole)) * 1e9).Round(time.Microsecond)
	if f <= 0 {
		if received.IsZero() {
			return t, f == 0
		}
		return received.Add(time.Duration(whole)*time.Second + fraction).UTC(), true
	}
	return time.Unix(whole, int64(fraction)).UTC(), true
}

func compactValue(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool:
		return v, nil
	case string:
		if len(v) > telemetry.MaxText {
			return nil, fmt.Errorf("has %d bytes of text, at most %d are kept", len(v), telemetry.MaxText)
		}
		return v, nil
	case []byte:
		return fmt.Sprintf("%x", v), nil
	}
	if f, ok := float(v); ok {
		return f, nil
	}
	return nil, fmt.Errorf("must be a finite number, true or false, text, bytes or null")
}

// encMode writes the core deterministic encoding (RFC 8949, 4.2.1): floats in the fewest bits that keep them.
var encMode = func() cbor.EncMode {
	o := cbor.CoreDetEncOptions()
	mode, err := o.EncMode()
	if err != nil {
		panic(err)
	}
	return mode
}()

// EncodeCompact writes records in the compact form, a single one as a map. Whole numbers become integers, which are shorter. The error
// names the first property that ids does not know or whose value has no compact form.
func EncodeCompact(records []driver.Record, ids IDs) ([]byte, error) {
	numbers := make(map[string]int64, len(ids))
	for id, name := range ids {
		numbers[name] = id
	}
	list := make([]map[int64]any, len(records))
	for i, r := range records {
		list[i] = map[int64]any{}
		if !r.Time.IsZero() {
			list[i][TimeID] = short(float64(r.Time.UnixMicro()) / 1e6)
		}
		for _, name := range slices.Sorted(maps.Keys(r.Data)) {
			id, ok := numbers[name]
			if !ok || id <= TimeID {
				return nil, fmt.Errorf("%s: the model gives it no number from 1", name)
			}
			v, err := compactValue(r.Data[name])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if f, isNumber := v.(float64); isNumber {
				v = short(f)
			}
			list[i][id] = v
		}
	}
	if len(list) == 1 {
		return encMode.Marshal(list[0])
	}
	return encMode.Marshal(list)
}

// short is a number as the integer that it is, if it is one.
func short(f float64) any {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 && !(f == 0 && math.Signbit(f)) {
		return int64(f)
	}
	return f
}
