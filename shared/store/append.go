package store

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// An appender appends the value v of one Go type to dst as BSON and tells which BSON type it became: what bson.Marshal makes
// of it, byte for byte, in about a third of the time. That counts where every message of every device is written. What is rare is
// left to bson.
type appender func(dst []byte, v reflect.Value) ([]byte, bson.Type, error)

var appenders sync.Map // reflect.Type → appender

func appenderOf(t reflect.Type) appender {
	if a, ok := appenders.Load(t); ok {
		return a.(appender)
	}
	// It is made when it is first used, because a type may hold itself.
	made := sync.OnceValue(func() appender { return newAppender(t) })
	a, _ := appenders.LoadOrStore(t, appender(func(dst []byte, v reflect.Value) ([]byte, bson.Type, error) { return made()(dst, v) }))
	return a.(appender)
}

// appendDocument appends v, a struct.
func appendDocument(dst []byte, v any) ([]byte, error) {
	val := reflect.ValueOf(v)
	dst, _, err := appenderOf(val.Type())(dst, val)
	return dst, err
}

func newAppender(t reflect.Type) appender {
	if t == reflect.TypeFor[time.Time]() {
		return func(dst []byte, v reflect.Value) ([]byte, bson.Type, error) {
			return binary.LittleEndian.AppendUint64(dst, uint64(v.Interface().(time.Time).UnixMilli())), bson.TypeDateTime, nil
		}
	}
	if encodesItself(t) {
		return appendAny
	}
	switch t.Kind() {
	case reflect.String:
		return func(dst []byte, v reflect.Value) ([]byte, bson.Type, error) {
			return appendString(dst, v.String()), bson.TypeString, nil
		}
	case reflect.Int64:
		return func(dst []byte, v reflect.Value) ([]byte, bson.Type, error) {
			return binary.LittleEndian.AppendUint64(dst, uint64(v.Int())), bson.TypeInt64, nil
		}
	case reflect.Float64:
		return func(dst []byte, v reflect.Value) ([]byte, bson.Type, error) {
			return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Float())), bson.TypeDouble, nil
		}
	case reflect.Bool:
		return func(dst []byte, v reflect.Value) ([]byte, bson.Type, error) {
			if v.Bool() {
				return append(dst, 1), bson.TypeBoolean, nil
			}
			return append(dst, 0), bson.TypeBoolean, nil
		}
	case reflect.Pointer, reflect.Interface:
		return func(dst []byte, v reflect.Value) ([]byte, bson.Type, error) {
			if v.IsNil() {
				return dst, bson.TypeNull, nil
			}
			return appenderOf(v.Elem().Type())(dst, v.Elem())
		}
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 {
			return sliceAppender(appenderOf(t.Elem()))
		}
	case reflect.Struct:
		if a, ok := structAppender(t); ok {
			return a
		}
	}
	return appendAny
}

// encodesItself tells whether bson asks the type, or knows it by name.
func encodesItself(t reflect.Type) bool {
	for _, m := range marshalers {
		if t.Implements(m) || reflect.PointerTo(t).Implements(m) {
			return true
		}
	}
	return t.PkgPath() == "encoding/json" || t.PkgPath() == "net/url" || strings.HasPrefix(t.PkgPath(), "go.mongodb.org/")
}

func appendAny(dst []byte, v reflect.Value) ([]byte, bson.Type, error) {
	t, b, err := bson.MarshalValue(v.Interface())
	return append(dst, b...), t, err
}

func appendString(dst []byte, s string) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(s)+1))
	return append(append(dst, s...), 0)
}

func sliceAppender(elem appender) appender {
	return func(dst []byte, v reflect.Value) ([]byte, bson.Type, error) {
		if v.IsNil() {
			return dst, bson.TypeNull, nil
		}
		from := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		for i := range v.Len() {
			at := len(dst)
			dst = append(strconv.AppendInt(append(dst, 0), int64(i), 10), 0)
			var kind bson.Type
			var err error
			if dst, kind, err = elem(dst, v.Index(i)); err != nil {
				return dst, 0, err
			}
			dst[at] = byte(kind)
		}
		return finish(dst, from), bson.TypeArray, nil
	}
}

// A field of a struct as bson's tags describe it.
type structField struct {
	index     []int
	key       []byte // with the zero byte behind it
	omitEmpty bool
	zeroer    bool
	append    appender
}

// structAppender is false for structs with tags that are left to bson.
func structAppender(t reflect.Type) (appender, bool) {
	fields, ok := structFields(nil, t, nil)
	if !ok {
		return nil, false
	}
	return func(dst []byte, v reflect.Value) ([]byte, bson.Type, error) {
		from := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		for i := range fields {
			f := &fields[i]
			x := v.FieldByIndex(f.index)
			if f.omitEmpty && f.empty(x) {
				continue
			}
			at := len(dst)
			dst = append(append(dst, 0), f.key...)
			var kind bson.Type
			var err error
			if dst, kind, err = f.append(dst, x); err != nil {
				return dst, 0, fmt.Errorf("%s: %w", f.key[:len(f.key)-1], err)
			}
			dst[at] = byte(kind)
		}
		return finish(dst, from), bson.TypeEmbeddedDocument, nil
	}, true
}

func structFields(to []structField, t reflect.Type, index []int) ([]structField, bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("bson")
		name, options, _ := strings.Cut(tag, ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		if !tagged {
			return nil, false // bson has rules of its own for it
		}
		at := append(append([]int(nil), index...), i)
		switch options {
		case "inline":
			if f.Type.Kind() != reflect.Struct {
				return nil, false
			}
			var ok bool
			if to, ok = structFields(to, f.Type, at); !ok {
				return nil, false
			}
			continue
		case "", "omitempty":
		default:
			return nil, false
		}
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		for _, other := range to {
			if string(other.key) == name+"\x00" {
				return nil, false // one hides the other
			}
		}
		to = append(to, structField{index: at, key: append([]byte(name), 0), omitEmpty: options == "omitempty",
			zeroer: f.Type.Implements(reflect.TypeFor[bson.Zeroer]()), append: appenderOf(f.Type)})
	}
	return to, true
}

// empty tells whether omitempty leaves the field out.
func (f *structField) empty(v reflect.Value) bool {
	kind := v.Kind()
	if f.zeroer && (kind != reflect.Pointer && kind != reflect.Interface || !v.IsNil()) {
		return v.Interface().(bson.Zeroer).IsZero()
	}
	switch kind {
	case reflect.Slice, reflect.Map, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}
