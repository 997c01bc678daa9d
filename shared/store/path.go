package store

import (
	"encoding/binary"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Values calls yield with every value that MongoDB would compare for a dotted path: arrays on the way are entered (the
// documents in them, and their elements by number), an array at the end yields its elements and itself. A field that is
// missing yields the zero RawValue. Values stops when yield returns false, and tells whether it went through.
func Values(doc bson.Raw, path string, yield func(bson.RawValue) bool) bool {
	name, rest, deeper := strings.Cut(path, ".")
	v, ok := lookup(doc, name)
	if !ok {
		return yield(bson.RawValue{})
	}
	if !deeper {
		if v.Type == bson.TypeArray && !eachElement(v.Value, func(_ []byte, e bson.RawValue) bool { return yield(e) }) {
			return false
		}
		return yield(v)
	}
	switch v.Type {
	case bson.TypeEmbeddedDocument:
		return Values(v.Value, rest, yield)
	case bson.TypeArray:
		return arrayValues(v.Value, rest, yield)
	}
	return yield(bson.RawValue{})
}

func arrayValues(array []byte, path string, yield func(bson.RawValue) bool) bool {
	ok := eachElement(array, func(_ []byte, e bson.RawValue) bool {
		if e.Type == bson.TypeEmbeddedDocument {
			return Values(e.Value, path, yield)
		}
		return true
	})
	if first, _, _ := strings.Cut(path, "."); ok && isNumber(first) {
		if _, there := lookup(array, first); there {
			return Values(array, path, yield)
		}
	}
	return ok
}

// Lookup returns the value at a dotted path that leads through documents only; the zero RawValue where there is none.
func Lookup(doc bson.Raw, path string) bson.RawValue {
	for {
		name, rest, deeper := strings.Cut(path, ".")
		v, ok := lookup(doc, name)
		if !ok || !deeper {
			return v
		}
		if v.Type != bson.TypeEmbeddedDocument {
			return bson.RawValue{}
		}
		doc, path = v.Value, rest
	}
}

// lookup finds one element without checking the document's other bytes again: what the store reads was checked when it
// was written.
func lookup(doc []byte, name string) (found bson.RawValue, ok bool) {
	eachElement(doc, func(key []byte, v bson.RawValue) bool {
		if string(key) == name {
			found, ok = v, true
		}
		return !ok
	})
	return found, ok
}

// eachElement walks the elements of a document or array until yield returns false. It ends early at bytes that are not
// BSON.
func eachElement(doc []byte, yield func(key []byte, v bson.RawValue) bool) bool {
	if len(doc) < 5 {
		return true
	}
	for b := doc[4:]; len(b) > 1; {
		t := bson.Type(b[0])
		end := 1
		for end < len(b) && b[end] != 0 {
			end++
		}
		if end >= len(b) {
			return true
		}
		size := valueSize(t, b[end+1:])
		if size < 0 || end+1+size > len(b) {
			return true
		}
		if !yield(b[1:end], bson.RawValue{Type: t, Value: b[end+1 : end+1+size : end+1+size]}) {
			return false
		}
		b = b[end+1+size:]
	}
	return true
}

// valueSize tells how many bytes the value of type t at the start of b takes; -1 when b is not BSON.
func valueSize(t bson.Type, b []byte) int {
	prefixed := func(extra int) int {
		if len(b) < 4 {
			return -1
		}
		n := int(int32(binary.LittleEndian.Uint32(b)))
		if n < 0 {
			return -1
		}
		return n + extra
	}
	switch t {
	case bson.TypeNull, bson.TypeUndefined, bson.TypeMinKey, bson.TypeMaxKey:
		return 0
	case bson.TypeBoolean:
		return 1
	case bson.TypeInt32:
		return 4
	case bson.TypeInt64, bson.TypeDouble, bson.TypeDateTime, bson.TypeTimestamp:
		return 8
	case bson.TypeObjectID:
		return 12
	case bson.TypeDecimal128:
		return 16
	case bson.TypeString, bson.TypeSymbol, bson.TypeJavaScript:
		return prefixed(4)
	case bson.TypeBinary:
		return prefixed(5)
	case bson.TypeDBPointer:
		return prefixed(16)
	case bson.TypeEmbeddedDocument, bson.TypeArray, bson.TypeCodeWithScope:
		return prefixed(0)
	case bson.TypeRegex:
		zeros := 0
		for i, c := range b {
			if c == 0 {
				if zeros++; zeros == 2 {
					return i + 1
				}
			}
		}
	}
	return -1
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 31)
	return err == nil
}

// Single returns the one value at a dotted path, the zero RawValue where there is none; ok is false when an array is on
// the way or at the end, so that there may be more.
func Single(doc bson.Raw, path string) (v bson.RawValue, ok bool) {
	for {
		name, rest, deeper := strings.Cut(path, ".")
		v, found := lookup(doc, name)
		switch {
		case v.Type == bson.TypeArray:
			return bson.RawValue{}, false
		case !found || !deeper:
			return v, true
		case v.Type != bson.TypeEmbeddedDocument:
			return bson.RawValue{}, true
		}
		doc, path = v.Value, rest
	}
}
