package rule

import (
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// An openMap is a map in which every name is found: one that is not there is "". has() and "in" tell whether it is.
type openMap struct{ of traits.Mapper }

// open makes maps open, those in them too once they are got; other values stay as they are.
func open(v ref.Val) ref.Val {
	if m, ok := v.(traits.Mapper); ok {
		return openMap{m}
	}
	return v
}

// Get is the value of a name; "" if there is none.
func (m openMap) Get(name ref.Val) ref.Val {
	v, found := m.of.Find(name)
	if !found {
		if v != nil && types.IsError(v) {
			return v
		}
		return types.String("")
	}
	return open(v)
}

// IsSet tells whether the name is there.
func (m openMap) IsSet(name ref.Val) ref.Val { return m.of.Contains(name) }

// Contains tells whether the name is there.
func (m openMap) Contains(name ref.Val) ref.Val { return m.of.Contains(name) }

// Size is how many names there are.
func (m openMap) Size() ref.Val { return m.of.Size() }

// Iterator goes over the names.
func (m openMap) Iterator() traits.Iterator { return m.of.Iterator() }

// Type is a map's.
func (m openMap) Type() ref.Type { return m.of.Type() }

// Value is the Go value.
func (m openMap) Value() any { return m.of.Value() }

// ConvertToNative is the map's own.
func (m openMap) ConvertToNative(t reflect.Type) (any, error) { return m.of.ConvertToNative(t) }

// ConvertToType is the map's own.
func (m openMap) ConvertToType(t ref.Type) ref.Val { return m.of.ConvertToType(t) }

// Equal compares what is there.
func (m openMap) Equal(other ref.Val) ref.Val {
	if o, ok := other.(openMap); ok {
		other = o.of
	}
	return m.of.Equal(other)
}
