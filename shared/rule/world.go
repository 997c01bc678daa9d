package rule

import (
	"fmt"
	"maps"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// objects are the variables that have fixed fields, with the fields' types. A field that is none is an error when the condition
// is compiled, one that is not known of a device is "".
var objects = map[string]map[string]*types.Type{
	"identity": {"id": types.StringType, "serial": types.StringType, "mac": types.StringType, "model": types.StringType,
		"maker": types.StringType, "type": types.StringType, "owner": types.StringType},
	"claim":    {"id": types.StringType, "owner": types.StringType, "type": types.StringType, "batch": types.StringType, "temporary": types.BoolType},
	"request":  {"serial": types.StringType, "mac": types.StringType, "model": types.StringType, "protocol": types.StringType},
	"location": {"region": types.StringType, "site": types.StringType, "latitude": types.DynType, "longitude": types.DynType},
	"decision": {"trigger": types.StringType, "by": types.StringType, "reason": types.StringType, "at": types.StringType},
}

// kind is the name of a variable's type.
func kind(variable string) string { return "castor." + variable }

// world are the variables that a condition may name.
func world() ([]cel.EnvOption, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("types of conditions: %w", err)
	}
	p := provider{registry}
	options := []cel.EnvOption{cel.CustomTypeProvider(p), cel.CustomTypeAdapter(registry),
		cel.Variable("facts", cel.MapType(cel.StringType, cel.StringType)), cel.Variable("answer", cel.MapType(cel.StringType, cel.DynType))}
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		options = append(options, cel.Variable(name, cel.ObjectType(kind(name))))
	}
	return options, nil
}

// vars are the values of the variables. What is not known is empty.
func vars(facts map[string]any) map[string]any {
	out := make(map[string]any, len(objects)+2)
	for name := range objects {
		o, _ := facts[name].(map[string]any)
		if o == nil {
			o = map[string]any{}
		}
		out[name] = o
	}
	for _, name := range []string{"facts", "answer"} {
		out[name] = open(types.DefaultTypeAdapter.NativeToValue(plain(facts[name])))
	}
	return out
}

// plain is a map that CEL takes, whatever came.
func plain(v any) any {
	switch m := v.(type) {
	case map[string]string:
		if m != nil {
			return m
		}
	case map[string]any:
		if m != nil {
			return m
		}
	}
	return map[string]string{}
}

// provider tells CEL the fields of the objects.
type provider struct{ *types.Registry }

// FindStructType is the type of an object.
func (p provider) FindStructType(name string) (*types.Type, bool) {
	for o := range objects {
		if kind(o) == name {
			return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
		}
	}
	return p.Registry.FindStructType(name)
}

// FindStructFieldNames are the fields of an object.
func (p provider) FindStructFieldNames(name string) ([]string, bool) {
	for o, fields := range objects {
		if kind(o) == name {
			return slices.Sorted(maps.Keys(fields)), true
		}
	}
	return p.Registry.FindStructFieldNames(name)
}

// FindStructFieldType is how a field of an object is read.
func (p provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	for o, fields := range objects {
		if kind(o) == name {
			t, ok := fields[field]
			return &types.FieldType{Type: t, IsSet: func(target any) bool { return get(target, field) != nil && get(target, field) != "" },
				GetFrom: func(target any) (any, error) { return valued(get(target, field), t), nil }}, ok
		}
	}
	return p.Registry.FindStructFieldType(name, field)
}

// NewValue makes no objects: there are those that there are.
func (p provider) NewValue(name string, _ map[string]ref.Val) ref.Val {
	return types.NewErr("conditions cannot make %s", name)
}

func get(target any, field string) any {
	m, _ := target.(map[string]any)
	return m[field]
}

// valued is a field's value, in its type.
func valued(v any, t *types.Type) any {
	switch v := v.(type) {
	case string, bool, float64:
		if t == types.BoolType {
			b, _ := v.(bool)
			return b
		}
		return v
	}
	if t == types.BoolType {
		return false
	}
	return ""
}
