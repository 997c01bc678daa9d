package store

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Rows is an array of documents as it is stored, for who reads little of very many documents. It can be read only.
type Rows struct{ raw []byte }

// UnmarshalBSONValue takes the array as it is.
func (r *Rows) UnmarshalBSONValue(kind byte, data []byte) error {
	if bson.Type(kind) == bson.TypeArray {
		r.raw = slices.Clone(data)
	}
	return nil
}

// Each calls yield with what the documents have at two keys, a text and any value. Documents that lack one are left out.
// What yield gets is valid until it returns.
func (r Rows) Each(text, value string, yield func(text []byte, value Value)) {
	eachElement(r.raw, func(_ []byte, row bson.RawValue) bool {
		var t []byte
		var v bson.RawValue
		eachElement(row.Value, func(key []byte, x bson.RawValue) bool {
			switch {
			case string(key) == text && x.Type == bson.TypeString && len(x.Value) > 5:
				t = x.Value[4 : len(x.Value)-1]
			case string(key) == value:
				v = x
			}
			return true
		})
		if t != nil && v.Type != 0 {
			yield(t, Value{v})
		}
		return true
	})
}

// A Value is one value as it is stored.
type Value struct{ raw bson.RawValue }

// Plain is the value as float64, bool or string; nil for any other.
func (x Value) Plain() any {
	v := x.raw
	switch v.Type {
	case bson.TypeDouble:
		return v.Double()
	case bson.TypeBoolean:
		return v.Boolean()
	case bson.TypeString:
		return v.StringValue()
	case bson.TypeInt32:
		return float64(v.Int32())
	case bson.TypeInt64:
		return float64(v.Int64())
	}
	return nil
}
