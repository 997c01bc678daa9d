package store

import (
	"bytes"
	"encoding/binary"
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A Class is a group of BSON types whose values are compared with each other. Values of different classes are ordered by
// class, with MongoDB's numbers.
type Class byte

// The classes in their order. A missing field counts as null.
const (
	ClassMin       Class = 1
	ClassNull      Class = 5
	ClassNumber    Class = 10
	ClassString    Class = 15
	ClassObject    Class = 20
	ClassArray     Class = 25
	ClassBinary    Class = 30
	ClassObjectID  Class = 35
	ClassBool      Class = 40
	ClassDate      Class = 45
	ClassTimestamp Class = 47
	ClassOther     Class = 50
	ClassMax       Class = 127
)

// Classes are those that stored values have beside null, in their order.
var Classes = []Class{ClassNumber, ClassString, ClassObject, ClassArray, ClassBinary, ClassObjectID, ClassBool, ClassDate, ClassTimestamp, ClassOther}

// ClassOf tells the class of a BSON type.
func ClassOf(t bson.Type) Class {
	switch t {
	case bson.TypeMinKey:
		return ClassMin
	case bson.TypeNull, bson.TypeUndefined, 0:
		return ClassNull
	case bson.TypeDouble, bson.TypeInt32, bson.TypeInt64:
		return ClassNumber
	case bson.TypeString, bson.TypeSymbol:
		return ClassString
	case bson.TypeEmbeddedDocument:
		return ClassObject
	case bson.TypeArray:
		return ClassArray
	case bson.TypeBinary:
		return ClassBinary
	case bson.TypeObjectID:
		return ClassObjectID
	case bson.TypeBoolean:
		return ClassBool
	case bson.TypeDateTime:
		return ClassDate
	case bson.TypeTimestamp:
		return ClassTimestamp
	case bson.TypeMaxKey:
		return ClassMax
	}
	return ClassOther
}

// AppendKey appends a key for v to dst such that keys compare, byte by byte, as MongoDB compares the values: numbers by
// value whatever their width, strings by their bytes. No key is a prefix of another one, so keys can be concatenated.
// The zero RawValue is a missing field and has the key of null.
func AppendKey(dst []byte, v bson.RawValue) []byte {
	class := ClassOf(v.Type)
	dst = append(dst, byte(class))
	switch class {
	case ClassNumber:
		return appendNumber(dst, v)
	case ClassString:
		if len(v.Value) < 5 {
			return appendBytes(dst, nil)
		}
		return appendBytes(dst, v.Value[4:len(v.Value)-1])
	case ClassObject, ClassArray:
		return appendElements(dst, v)
	case ClassBinary:
		subtype, data, _ := v.BinaryOK()
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(data)))
		dst = append(dst, subtype)
		return append(dst, data...)
	case ClassObjectID:
		return append(dst, v.Value...)
	case ClassBool:
		return append(dst, v.Value...)
	case ClassDate:
		return binary.BigEndian.AppendUint64(dst, binary.LittleEndian.Uint64(v.Value)^(1<<63))
	case ClassTimestamp:
		return binary.BigEndian.AppendUint64(dst, binary.LittleEndian.Uint64(v.Value))
	case ClassOther:
		return appendBytes(append(dst, byte(v.Type)), v.Value)
	}
	return dst
}

// AppendKeyDescending appends a key that compares in the opposite order.
func AppendKeyDescending(dst []byte, v bson.RawValue) []byte {
	from := len(dst)
	dst = AppendKey(dst, v)
	for i := from; i < len(dst); i++ {
		dst[i] = ^dst[i]
	}
	return dst
}

// Compare orders two values as an ascending index does.
func Compare(a, b bson.RawValue) int {
	var x, y [64]byte
	return bytes.Compare(AppendKey(x[:0], a), AppendKey(y[:0], b))
}

// appendNumber writes the largest float64 that is not above the number, then what is missing to it. That keeps the order
// among int64 (whose larger values no float64 can tell apart) and floats alike. NaN is the smallest number.
func appendNumber(dst []byte, v bson.RawValue) []byte {
	var f float64
	var rest uint16
	switch v.Type {
	case bson.TypeDouble:
		f = v.Double()
	case bson.TypeInt32:
		f = float64(v.Int32())
	default:
		i := v.Int64()
		f = float64(i)
		if f >= 1<<63 || int64(f) > i { // rounded up
			f = math.Nextafter(f, math.Inf(-1))
		}
		rest = uint16(i - int64(f))
	}
	var b uint64
	switch {
	case math.IsNaN(f):
		b = 0
	case f == 0: // also the negative zero
		b = 1 << 63
	default:
		b = math.Float64bits(f)
		if b>>63 == 1 {
			b = ^b
		} else {
			b |= 1 << 63
		}
	}
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint64(dst, b), rest)
}

// appendBytes escapes zero bytes and ends with 0 1, so that a longer string is greater than its prefix.
func appendBytes(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, 0)
		if i < 0 {
			dst = append(dst, s...)
			return append(dst, 0, 1)
		}
		dst = append(dst, s[:i]...)
		dst = append(dst, 0, 0xff)
		s = s[i+1:]
	}
}

// appendElements writes a document or array element by element: class, name, value; documents are compared in that order.
func appendElements(dst []byte, v bson.RawValue) []byte {
	elements, err := bson.Raw(v.Value).Elements()
	if err != nil {
		return append(dst, 0)
	}
	for _, e := range elements {
		value := e.Value()
		if v.Type == bson.TypeEmbeddedDocument {
			dst = append(dst, byte(ClassOf(value.Type)))
			dst = appendBytes(dst, []byte(e.Key()))
		}
		dst = AppendKey(dst, value)
	}
	return append(dst, 0)
}
