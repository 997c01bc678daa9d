package telemetry

import "fmt"

// Plain gives what was decoded from JSON, CBOR or YAML the form that encoding/json has: maps have texts as keys. leaf says what
// becomes of everything that is neither a map nor a list; nil = it stays. Maps and lists are changed in place where they can be.
func Plain(v any, leaf func(any) any) any {
	switch v := v.(type) {
	case map[any]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[fmt.Sprint(k)] = Plain(e, leaf)
		}
		return out
	case map[string]any:
		for k, e := range v {
			v[k] = Plain(e, leaf)
		}
		return v
	case []any:
		for i, e := range v {
			v[i] = Plain(e, leaf)
		}
		return v
	}
	if leaf == nil {
		return v
	}
	return leaf(v)
}
