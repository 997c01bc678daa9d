package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// stranger says where in a document the field is that err calls unknown, and which there are in its place; another err stays.
func stranger(document []byte, t reflect.Type, err error) error {
	if !strings.Contains(err.Error(), "unknown field ") {
		return err
	}
	var v any
	if json.Unmarshal(document, &v) != nil {
		return err
	}
	path, known, inside := strange("", v, t)
	if path == "" {
		return err
	}
	return fmt.Errorf("%w: %s is not known here%s; there are %s", err, path, inside, strings.Join(known, ", "))
}

// strange is the first field of a value that its type does not have, those that it has, and which of them has such a field; "" = none is.
func strange(at string, v any, t reflect.Type) (path string, known []string, inside string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := v.(type) {
	case []any:
		for i := 0; i < len(v) && t.Kind() == reflect.Slice && path == ""; i++ {
			path, known, inside = strange(fmt.Sprintf("%s[%d]", at, i), v[i], t.Elem())
		}
	case map[string]any:
		fields := map[string]reflect.Type{}
		switch t.Kind() {
		case reflect.Struct:
			fieldsOf(t, fields)
		case reflect.Map:
			for name := range v {
				fields[name] = t.Elem()
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			below := strings.TrimPrefix(at+"."+name, ".")
			of, ok := fields[name]
			if !ok && len(fields) > 0 {
				return below, slices.Sorted(maps.Keys(fields)), within(fields, name)
			}
			if ok && path == "" {
				path, known, inside = strange(below, v[name], of)
			}
		}
	}
	return path, known, inside
}

// within says which of some fields has one that was looked for beside it.
func within(fields map[string]reflect.Type, name string) string {
	for _, outer := range slices.Sorted(maps.Keys(fields)) {
		t := fields[outer]
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		inner := map[string]reflect.Type{}
		if t.Kind() == reflect.Struct {
			fieldsOf(t, inner)
		}
		if _, ok := inner[name]; ok {
			return ", it stands in " + outer
		}
	}
	return ""
}

// fieldsOf are the fields of a struct by their names in JSON, those of what is embedded too.
func fieldsOf(t reflect.Type, into map[string]reflect.Type) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			fieldsOf(f.Type, into)
		case f.IsExported() && name != "-" && name != "":
			into[name] = f.Type
		}
	}
}
