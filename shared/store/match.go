package store

import (
	"bytes"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Match tells whether the filter matches doc. It is what MongoDB would say, and what the embedded driver says.
func (f Filter) Match(doc bson.Raw) bool {
	switch f.op {
	case OpAll:
		return true
	case OpAnd:
		for _, sub := range f.subs {
			if !sub.Match(doc) {
				return false
			}
		}
		return true
	case OpOr:
		for _, sub := range f.subs {
			if sub.Match(doc) {
				return true
			}
		}
		return false
	case OpNot:
		return !f.subs[0].Match(doc)
	}
	return !Values(doc, f.path, func(v bson.RawValue) bool { return !f.matchValue(v) })
}

func (f Filter) matchValue(v bson.RawValue) bool {
	if f.op == OpExists {
		return v.Type != 0
	}
	var buf [64]byte
	if f.op == OpPrefix {
		s, ok := v.StringValueOK()
		return ok && len(s) >= len(f.prefix()) && s[:len(f.prefix())] == f.prefix()
	}
	if v.Type == 0 && f.op != OpEq && f.op != OpIn {
		return false
	}
	key := AppendKey(buf[:0], v)
	for _, want := range f.keys {
		if want[0] != key[0] {
			continue // of another class
		}
		c := bytes.Compare(key, want)
		switch f.op {
		case OpEq, OpIn:
			if c == 0 {
				return true
			}
		case OpLt:
			return c < 0 && !isNaN(v)
		case OpLte:
			return c <= 0 && !isNaN(v)
		case OpGt:
			return c > 0
		case OpGte:
			return c >= 0
		}
	}
	return false
}

func (f Filter) prefix() string { return f.values[0].StringValue() }

// isNaN: a stored NaN sorts before all numbers but is not less than any.
func isNaN(v bson.RawValue) bool {
	return v.Type == bson.TypeDouble && v.Double() != v.Double()
}
