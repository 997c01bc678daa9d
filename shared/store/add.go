package store

import (
	"fmt"
	"math"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Add returns doc at its next revision with numbers added to, as MongoDB's $inc does it: an integer becomes an int64, a
// float stays one, and a missing field is made. It returns ErrInvalid where there is something else than a number, and
// where the sum is beyond int64.
func Add(doc bson.Raw, add []Increment) (bson.Raw, error) {
	var err error
	for _, a := range append([]Increment{{keyRevision, 1}}, add...) {
		if doc, err = addTo(doc, a.Path, a.By); err != nil {
			return nil, fmt.Errorf("%w: adding to %q: %w", ErrInvalid, a.Path, err)
		}
	}
	if len(doc) > MaxDocument {
		return nil, ErrTooLarge
	}
	return doc, nil
}

func addTo(doc bson.Raw, path string, by int64) (bson.Raw, error) {
	name, rest, deeper := strings.Cut(path, ".")
	out := make([]byte, 4, len(doc)+len(path)+24)
	var err error
	found := false
	eachElement(doc, func(key []byte, v bson.RawValue) bool {
		if string(key) == name {
			found = true
			if v, err = sum(v, rest, deeper, by); err != nil {
				return false
			}
		}
		out = append(append(append(out, byte(v.Type)), key...), 0)
		out = append(out, v.Value...)
		return true
	})
	if err != nil {
		return nil, err
	}
	if !found {
		v := int64Value(by)
		if deeper {
			inner, err := addTo(nil, rest, by)
			if err != nil {
				return nil, err
			}
			v = bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: inner}
		}
		out = appendElement(out, name, v)
	}
	return finish(out, 0), nil
}

func sum(v bson.RawValue, rest string, deeper bool, by int64) (bson.RawValue, error) {
	if deeper {
		if v.Type != bson.TypeEmbeddedDocument {
			return v, fmt.Errorf("there is a value of type %s on the way", v.Type)
		}
		inner, err := addTo(v.Value, rest, by)
		return bson.RawValue{Type: v.Type, Value: inner}, err
	}
	if f, ok := v.DoubleOK(); ok {
		t, b, err := bson.MarshalValue(f + float64(by))
		return bson.RawValue{Type: t, Value: b}, err
	}
	if ClassOf(v.Type) != ClassNumber {
		return v, fmt.Errorf("there is a value of type %s", v.Type)
	}
	n := v.AsInt64()
	if by > 0 && n > math.MaxInt64-by || by < 0 && n < math.MinInt64-by {
		return v, fmt.Errorf("the sum is too large")
	}
	return int64Value(n + by), nil
}
