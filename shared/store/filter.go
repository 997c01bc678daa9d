package store

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A Filter says which documents are meant, with MongoDB's meaning: an array matches when one of its elements does,
// numbers compare by value whatever their width, values of different classes never compare as less or greater, and a
// missing field differs from null for Exists alone. The zero Filter matches every document.
//
// Values may be of a string, bool, integer or float kind, time.Time (cut to milliseconds), []byte or nil. A filter made
// from anything else is refused with ErrInvalid when it is used.
type Filter struct {
	op     Op
	path   string
	values []bson.RawValue
	keys   [][]byte // of values
	subs   []Filter
	err    error
}

// An Op is what a Filter does.
type Op byte

// The operators. OpAll is the zero Filter's.
const (
	OpAll Op = iota
	OpEq
	OpLt
	OpLte
	OpGt
	OpGte
	OpIn
	OpExists
	OpPrefix
	OpAnd
	OpOr
	OpNot
)

const (
	maxFilterValues = 10_000 // in one In
	maxFilterDepth  = 16
	maxPath         = 256 // bytes
)

// Eq matches where the value, or an element of the array, at path equals v. Nil matches a missing field as well.
func Eq(path string, v any) Filter { return compare(OpEq, path, v) }

// Ne matches where Eq does not.
func Ne(path string, v any) Filter { return Not(Eq(path, v)) }

// Lt matches values less than v, of v's class.
func Lt(path string, v any) Filter { return compare(OpLt, path, v) }

// Lte matches values less than or equal to v, of v's class.
func Lte(path string, v any) Filter { return compare(OpLte, path, v) }

// Gt matches values greater than v, of v's class.
func Gt(path string, v any) Filter { return compare(OpGt, path, v) }

// Gte matches values greater than or equal to v, of v's class.
func Gte(path string, v any) Filter { return compare(OpGte, path, v) }

// In matches where Eq does for one of vs, of which there may be 10,000. Without vs it matches nothing.
func In[V any](path string, vs ...V) Filter {
	f := Filter{op: OpIn, path: path}
	if len(vs) > maxFilterValues {
		f.err = fmt.Errorf("%w: filter on %q has %d values, at most %d are allowed", ErrInvalid, path, len(vs), maxFilterValues)
		return f
	}
	for _, v := range vs {
		f.add(v)
	}
	return f.check()
}

// Exists matches where there is a value at path, null included; with yes false, where there is none.
func Exists(path string, yes bool) Filter {
	f := Filter{op: OpExists, path: path}.check()
	if !yes {
		return Not(f)
	}
	return f
}

// Prefix matches strings that begin with s.
func Prefix(path, s string) Filter {
	f := Filter{op: OpPrefix, path: path}
	f.add(s)
	if strings.ContainsRune(s, 0) && f.err == nil {
		f.err = fmt.Errorf("%w: prefix for %q has a zero character", ErrInvalid, path)
	}
	return f.check()
}

// And matches what all fs match; without fs, everything.
func And(fs ...Filter) Filter {
	var subs []Filter
	for _, f := range fs {
		switch f.op {
		case OpAll:
		case OpAnd:
			subs = append(subs, f.subs...)
		default:
			subs = append(subs, f)
		}
	}
	switch len(subs) {
	case 0:
		return Filter{}
	case 1:
		return subs[0]
	}
	return Filter{op: OpAnd, subs: subs}
}

// Or matches what one of fs matches; without fs, nothing.
func Or(fs ...Filter) Filter { return Filter{op: OpOr, subs: fs} }

// Not matches what f does not.
func Not(f Filter) Filter {
	if f.op == OpNot {
		return f.subs[0]
	}
	return Filter{op: OpNot, subs: []Filter{f}}
}

// Op is what the filter does. Together with Path, Values and Subs it is what a Driver translates.
func (f Filter) Op() Op { return f.op }

// Path is the dotted path compared; "" for OpAll, OpAnd, OpOr and OpNot.
func (f Filter) Path() string { return f.path }

// Values are what is compared with: one value, none for OpExists, any number for OpIn.
func (f Filter) Values() []bson.RawValue { return f.values }

// Subs are the filters combined by OpAnd and OpOr, or the one negated by OpNot.
func (f Filter) Subs() []Filter { return f.subs }

// Err tells why the filter cannot be used: ErrInvalid or nil.
func (f Filter) Err() error { return f.validate(0) }

func (f Filter) validate(depth int) error {
	if f.err != nil {
		return f.err
	}
	if depth > maxFilterDepth {
		return fmt.Errorf("%w: filter is nested more than %d deep", ErrInvalid, maxFilterDepth)
	}
	for _, sub := range f.subs {
		if err := sub.validate(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

func compare(op Op, path string, v any) Filter {
	f := Filter{op: op, path: path}
	f.add(v)
	if f.err == nil && op != OpEq && ClassOf(f.values[0].Type) == ClassNull {
		f.err = fmt.Errorf("%w: filter on %q asks for less or greater than nothing", ErrInvalid, path)
	}
	return f.check()
}

func (f *Filter) add(v any) {
	raw, err := rawValue(v)
	if err != nil {
		if f.err == nil {
			f.err = fmt.Errorf("%w: filter on %q: %w", ErrInvalid, f.path, err)
		}
		return
	}
	f.values = append(f.values, raw)
	f.keys = append(f.keys, AppendKey(nil, raw))
}

func (f Filter) check() Filter {
	if err := checkPath(f.path); err != nil && f.err == nil {
		f.err = err
	}
	return f
}

func checkPath(path string) error {
	if path == "" || len(path) > maxPath || strings.HasPrefix(path, "$") || strings.Contains(path, ".$") ||
		strings.HasPrefix(path, ".") || strings.HasSuffix(path, ".") || strings.Contains(path, "..") ||
		strings.ContainsRune(path, 0) || !utf8.ValidString(path) {
		return fmt.Errorf("%w: %q is not a dotted path", ErrInvalid, path)
	}
	return nil
}

// rawValue encodes a value that a filter may hold.
func rawValue(v any) (bson.RawValue, error) {
	var plain any
	switch v := v.(type) {
	case nil:
		return bson.RawValue{Type: bson.TypeNull}, nil
	case time.Time:
		plain = v
	case []byte:
		plain = bson.Binary{Data: v}
	default:
		r := reflect.ValueOf(v)
		switch {
		case r.Kind() == reflect.Pointer && r.IsNil():
			return bson.RawValue{Type: bson.TypeNull}, nil
		case r.Kind() == reflect.Pointer:
			return rawValue(r.Elem().Interface())
		case r.Kind() == reflect.String:
			if !utf8.ValidString(r.String()) {
				return bson.RawValue{}, fmt.Errorf("text is not valid UTF-8")
			}
			plain = r.String()
		case r.Kind() == reflect.Bool:
			plain = r.Bool()
		case r.CanInt():
			plain = r.Int()
		case r.CanUint() && r.Uint() <= math.MaxInt64:
			plain = int64(r.Uint())
		case r.CanFloat() && !math.IsNaN(r.Float()):
			plain = r.Float()
		default:
			return bson.RawValue{}, fmt.Errorf("a value of type %T cannot be compared", v)
		}
	}
	t, b, err := bson.MarshalValue(plain)
	return bson.RawValue{Type: t, Value: b}, err
}
