package store

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A shape is what is known of a Go type's document: which keys it has, and where arrays are. It is what tells fields of
// newer code, which an update must keep, from fields that this code took away.
type shape struct {
	kind   shapeKind
	fields map[string]reflect.Type // of a struct
	elem   reflect.Type            // of a map or array
}

type shapeKind byte

const (
	scalarShape shapeKind = iota
	structShape
	mapShape
	arrayShape
	anyShape // an interface, or a type that encodes itself
)

var (
	shapes       sync.Map // reflect.Type → *shape
	marshalers   = []reflect.Type{reflect.TypeFor[bson.Marshaler](), reflect.TypeFor[bson.ValueMarshaler]()}
	plainStructs = map[reflect.Type]bool{reflect.TypeFor[time.Time](): true, reflect.TypeFor[bson.Decimal128](): true}
)

func shapeOf(t reflect.Type) *shape {
	if s, ok := shapes.Load(t); ok {
		return s.(*shape)
	}
	s, _ := shapes.LoadOrStore(t, newShape(t))
	return s.(*shape)
}

func newShape(t reflect.Type) *shape {
	for _, m := range marshalers {
		if t.Implements(m) || reflect.PointerTo(t).Implements(m) {
			return &shape{kind: anyShape}
		}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return shapeOf(t.Elem())
	case reflect.Interface:
		return &shape{kind: anyShape}
	case reflect.Map:
		return &shape{kind: mapShape, elem: t.Elem()}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return &shape{kind: scalarShape}
		}
		return &shape{kind: arrayShape, elem: t.Elem()}
	case reflect.Struct:
		if plainStructs[t] {
			return &shape{kind: scalarShape}
		}
		s := &shape{kind: structShape, fields: map[string]reflect.Type{}}
		s.addFields(t)
		return s
	}
	return &shape{kind: scalarShape}
}

func (s *shape) addFields(t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("bson"), ",")
		if !f.IsExported() && !f.Anonymous || name == "-" {
			continue
		}
		if strings.Contains(","+options+",", ",inline,") {
			switch inner := shapeOf(f.Type); inner.kind {
			case structShape:
				for name, t := range inner.fields {
					s.fields[name] = t
				}
			default: // a map that takes all other keys: then nothing is unknown
				s.kind, s.elem = mapShape, reflect.TypeFor[any]()
			}
			continue
		}
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		s.fields[name] = f.Type
	}
}

// field returns the shape of a key, nil if the type does not know it.
func (s *shape) field(name string) *shape {
	if t, ok := s.fields[name]; ok {
		return shapeOf(t)
	}
	switch s.kind {
	case mapShape:
		return shapeOf(s.elem)
	case anyShape:
		return s
	}
	return nil
}

// at follows a dotted path and tells how many arrays are on the way and at the end; where the type is open, there may be
// one.
func (s *shape) at(path string) (arrays int, err error) {
	for name := range strings.SplitSeq(path, ".") {
		if s.kind == arrayShape {
			arrays++
			s = shapeOf(s.elem)
		}
		next := s.field(name)
		if next == nil {
			return 0, fmt.Errorf("%w: there is no field %q", ErrInvalid, path)
		}
		s = next
	}
	if s.kind == arrayShape || s.kind == anyShape {
		arrays++
	}
	return arrays, nil
}
