package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/castor-iot/castor/shared/driver"
)

// misread says what encoding/json found wrong with a document in the words of whoever wrote it: by the file's fields, not by Go's types.
func misread(document any, err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		path := strings.Split(wrong.Field, ".")
		path = slices.DeleteFunc(path, func(s string) bool { return s != "" && 'A' <= s[0] && s[0] <= 'Z' }) // embedded types; fields begin small
		return fmt.Errorf("%s must be %s, not %s", strings.Join(path, "."), wanted(wrong.Type), given(wrong.Value))
	}
	err = errors.New(strings.TrimPrefix(err.Error(), "json: "))
	if of, ok := document.(map[string]any); ok {
		switch kind, _ := of["kind"].(string); driver.Kind(kind) {
		case driver.Declarative, driver.JavaScript, driver.WASM:
			return fmt.Errorf("%w: this is a driver, which is published with its folder: castor driver publish DIR", err)
		}
	}
	return err
}

// wanted is a Go type as those who write YAML call what it takes.
func wanted(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a text"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "fields with values"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

// given is what encoding/json calls a value, in the words of wanted. A number that does not fit is named.
func given(value string) string {
	switch value {
	case "bool":
		return "true or false"
	case "string":
		return "a text"
	case "array":
		return "a list"
	case "object":
		return "fields with values"
	case "number":
		return "a number"
	}
	return strings.TrimPrefix(value, "number ")
}
