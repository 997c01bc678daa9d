package embedded

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/castor-iot/castor/shared/store"
)

// bounds returns the first key of a segment and the first one after it. Where no key can be in the segment, lo is not
// less than hi.
func (t *table) bounds(x *index, s store.Segment) (lo, hi []byte) {
	prefix, fields := t.prefix, []store.Field(nil)
	if x != nil {
		prefix, fields = x.prefix, x.fields
	}
	key := slices.Clone(prefix)
	for i, v := range s.Eq {
		if i < len(fields) {
			key = appendField(key, fields[i], v)
			continue
		}
		id, ok := v.StringValueOK() // the _id ends the key as it is
		if !ok {
			return key, key
		}
		key = append(key, id...)
		return key, append(slices.Clone(key), 0)
	}
	lo, hi = key, successor(key)
	switch n := len(s.Eq); {
	case n < len(fields):
		return fieldBounds(key, lo, hi, fields[n], s.Range)
	case x == nil || !x.record.Unique:
		return idBounds(key, lo, hi, s.Range)
	}
	return lo, hi
}

// fieldBounds narrows lo and hi to the range of a field whose values come after key.
func fieldBounds(key, lo, hi []byte, f store.Field, r store.Range) ([]byte, []byte) {
	// edge puts the bytes of the field after key; for a descending field they are inverted, and so is their order.
	edge := func(b []byte, least, open bool) {
		b = slices.Concat(key, b)
		if f.Descending {
			for i := len(key); i < len(b); i++ {
				b[i] = ^b[i]
			}
			least = !least
		}
		if least == open {
			b = successor(b)
		}
		switch {
		case least && string(b) > string(lo):
			lo = b
		case !least && string(b) < string(hi):
			hi = b
		}
	}
	if r.From > 0 {
		edge([]byte{byte(r.From)}, true, false)
	}
	if r.To > 0 {
		edge([]byte{byte(r.To)}, false, false)
	}
	if r.Lo.Type != 0 {
		edge(store.AppendKey(nil, r.Lo), true, r.LoOpen)
	}
	if r.Hi.Type != 0 {
		edge(store.AppendKey(nil, r.Hi), false, r.HiOpen)
	}
	if r.Prefix != "" {
		t, b, _ := bson.MarshalValue(r.Prefix)
		p := store.AppendKey(nil, bson.RawValue{Type: t, Value: b})
		p = p[:len(p)-2] // without its end, so that longer strings follow
		edge(p, true, false)
		edge(p, false, false)
	}
	return lo, hi
}

// idBounds narrows lo and hi to the range of the _id, which ends the key as it is.
func idBounds(key, lo, hi []byte, r store.Range) ([]byte, []byte) {
	if r.From > store.ClassString || r.To > 0 && r.To < store.ClassString {
		return lo, lo
	}
	after := func(id string, next bool) []byte {
		b := append(slices.Clone(key), id...)
		if next {
			b = append(b, 0)
		}
		return b
	}
	larger := func(a, b []byte) []byte {
		if string(a) > string(b) {
			return a
		}
		return b
	}
	smaller := func(a, b []byte) []byte {
		if string(a) < string(b) {
			return a
		}
		return b
	}
	if id, ok := r.Lo.StringValueOK(); ok {
		lo = larger(lo, after(id, r.LoOpen))
	}
	if id, ok := r.Hi.StringValueOK(); ok {
		hi = smaller(hi, after(id, !r.HiOpen))
	}
	if r.Prefix != "" {
		lo, hi = larger(lo, after(r.Prefix, false)), smaller(hi, successor(after(r.Prefix, false)))
	}
	return lo, hi
}

// successor returns the first key after all keys that begin with prefix.
func successor(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			next := slices.Clone(prefix[:i+1])
			next[i]++
			return next
		}
	}
	return nil
}
