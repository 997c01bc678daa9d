package declarative

import (
	"encoding/json"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Values are number, string, bool, nil, map[string]any or []any while they are worked on; a number becomes a float64 when it is
// done with.

// valueOf makes a value of what a decoder of JSON or CBOR gives.
func valueOf(v any) (any, bool) {
	switch v := v.(type) {
	case json.Number:
		return decimal(string(v))
	case float64:
		if f := float32(v); float64(f) == v {
			return ofFloat(v, 32)
		}
		return ofFloat(v, 64)
	case int64:
		return whole(v), true
	case uint64:
		return wholeUnsigned(v), true
	case int:
		return whole(int64(v)), true
	case big.Int:
		return rational(new(big.Rat).SetInt(&v)), v.BitLen() <= 1024 // no float64 is larger
	case nil, string, bool, map[string]any, []any, number:
		return v, true
	}
	return nil, false
}

// done makes of a value what encoding/json has; numbers that are none become nil.
func done(v any) any { return leaves(v, doneLeaf) }

func doneLeaf(v any) any {
	switch v := v.(type) {
	case number:
		if f := v.float(); !math.IsInf(f, 0) {
			return f
		}
		return nil
	case nil, string, bool:
		return v
	}
	if plain, ok := valueOf(v); ok {
		return doneLeaf(plain)
	}
	return nil
}

// leaves is a copy of a value in which f says what becomes of all that is neither a map nor a list.
func leaves(v any, f func(any) any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = leaves(e, f)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = leaves(e, f)
		}
		return out
	}
	return f(v)
}

// sizeOf is about how long a value is in JSON.
func sizeOf(v any) int {
	n := 8
	switch v := v.(type) {
	case string:
		n += len(v)
	case map[string]any:
		for k, e := range v {
			n += len(k) + sizeOf(e)
		}
	case []any:
		for _, e := range v {
			n += sizeOf(e)
		}
	}
	return n
}

// isFlat tells whether a value has so many levels at most.
func isFlat(v any, levels int) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			if levels == 0 || !isFlat(e, levels-1) {
				return false
			}
		}
	case []any:
		for _, e := range v {
			if levels == 0 || !isFlat(e, levels-1) {
				return false
			}
		}
	}
	return true
}

// keyOf is a value as text, by which it is compared: 1, 1.0 and "1" are the same.
func keyOf(v any) string {
	switch v := v.(type) {
	case number:
		return v.text()
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case map[string]any, []any:
		return "\x00" // equal to nothing that a document can say
	}
	return ""
}

// asNumber reads a number, also out of a text.
func asNumber(v any) (number, bool) {
	switch v := v.(type) {
	case number:
		return v, true
	case string:
		return decimal(strings.TrimSpace(v))
	case bool:
		if v {
			return whole(1), true
		}
		return whole(0), true
	}
	return number{}, false
}

// asBool reads a truth as devices write it.
func asBool(v any) (b, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case number:
		return v.float() != 0, true
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true", "on", "yes", "1":
			return true, true
		case "false", "off", "no", "0":
			return false, true
		}
	}
	return false, false
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
