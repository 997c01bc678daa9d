package faas

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/fxamacker/cbor/v2"
)

// jsonFault says what is wrong with a body in the caller's words: the field, and what it must be. Nothing of Go is in it.
func jsonFault(err error, body []byte, in any) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		if wrongType.Field != "" {
			return api.Invalid("field %.200s must be %s, not %.200s", wrongType.Field, wordFor(wrongType.Type), wrongType.Value)
		}
		return api.Invalid("the body must be %s, not %.200s", wordFor(wrongType.Type), wrongType.Value)
	}
	where := "the body"
	if name := culprit(body, in); name != "" {
		where = "field " + name
	}
	var noTime *time.ParseError
	if errors.As(err, &noTime) || strings.HasPrefix(err.Error(), "Time.UnmarshalJSON") {
		return api.Invalid("%.200s must be a time, like 2026-03-21T10:00:00Z", where)
	}
	if where == "the body" {
		return api.Invalid("the body is not the JSON expected here: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return api.Invalid("%.200s: %s", where, strings.TrimPrefix(err.Error(), "json: "))
}

// culprit names the field of an object that cannot be read into one like in; "" if there is none, or more than one can be it.
// Types that read themselves do not know where they stand.
func culprit(body []byte, in any) (name string) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil || reflect.TypeOf(in).Kind() != reflect.Pointer {
		return ""
	}
	for field, value := range fields {
		alone, err := json.Marshal(map[string]json.RawMessage{field: value})
		if err != nil || json.Unmarshal(alone, reflect.New(reflect.TypeOf(in).Elem()).Interface()) == nil {
			continue
		}
		if name != "" {
			return ""
		}
		name = field
	}
	return name
}

// cborFault is jsonFault for CBOR; nil for nil.
func cborFault(err error) error {
	var wrongType *cbor.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &wrongType):
		return api.Invalid("the body is not the CBOR expected here: %s", strings.TrimPrefix(err.Error(), "cbor: "))
	case wrongType.StructFieldName == "":
		return api.Invalid("the body is not the CBOR expected here: it, or something in it, cannot be of type %s", wrongType.CBORType)
	}
	field := wrongType.StructFieldName
	return api.Invalid("field %.200s of the CBOR body cannot be of type %s", field[strings.LastIndexByte(field, '.')+1:], wrongType.CBORType)
}

// wordFor says in words what JSON a Go type is read from.
func wordFor(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return wordFor(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a whole number within its bounds"
	}
}
