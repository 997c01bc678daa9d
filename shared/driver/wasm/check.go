package wasm

import (
	"fmt"
	"slices"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/tetratelabs/wazero/api"
)

// exportOf is what a module exports for an operation.
var exportOf = map[driver.Op]string{
	driver.DecodeUplink:    "decode",
	driver.EncodeDownlink:  "encode",
	driver.DecodeDownlink:  "decode_downlink",
	driver.NormalizeUplink: "normalize",
	driver.OnEvent:         "on_event",
}

// check refuses a module that wants what is not there, or lacks what is needed.
func (b *outline) check(limit uint64) error {
	for _, i := range b.imports {
		if i.kind >= byte(len(kinds)) || i.kind != aFunction {
			return fmt.Errorf("the module imports the %s %.80q of %.80q: only functions may be imported", kinds[min(int(i.kind), len(kinds)-1)], i.name, i.module)
		}
		_, known := systemCalls[i.name]
		switch {
		case i.module == preview1 && (known || i.name == "proc_exit"), i.module == "castor" && i.name == "log":
		default:
			return fmt.Errorf("the module imports function %.80q of %.80q, which is not there: castor has log, %s the calls of WASI preview 1", i.name, i.module, preview1)
		}
	}
	if kind, ok := b.exports["memory"]; !ok || kind != aMemory {
		return fmt.Errorf("the module exports no memory named %q", "memory")
	}
	if b.pages > limit/page {
		return fmt.Errorf("the module begins with %d pages of memory (64 KiB each), it may have %d", b.pages, limit/page)
	}
	_, command := b.exports["_start"]
	if kind, ok := b.exports["alloc"]; !ok || kind != aFunction {
		if command {
			return fmt.Errorf("the module is a WASI command (it exports _start); a reactor is needed, which exports alloc and decode: build with -buildmode=c-shared in Go, -mexec-model=reactor or --no-entry in C")
		}
		return fmt.Errorf("the module exports no function alloc(i32) → i32")
	}
	for _, name := range exportOf {
		if kind, ok := b.exports[name]; ok && kind == aFunction {
			return nil
		}
	}
	return fmt.Errorf("the module exports none of the functions decode, encode, decode_downlink, normalize and on_event")
}

// checkTypes refuses exports of another type than the interface has, and finds those that are there.
func (e *Engine) checkTypes() error {
	have := e.module.ExportedFunctions()
	typed := func(name string, parameters, results []api.ValueType) error {
		if f := have[name]; f != nil && (!slices.Equal(f.ParamTypes(), parameters) || !slices.Equal(f.ResultTypes(), results)) {
			return fmt.Errorf("export %s is a function %s, it must be %s", name, signature(f.ParamTypes(), f.ResultTypes()), signature(parameters, results))
		}
		return nil
	}
	i32, i64 := api.ValueTypeI32, api.ValueTypeI64
	if err := typed("alloc", []api.ValueType{i32}, []api.ValueType{i32}); err != nil {
		return err
	}
	if err := typed("_initialize", nil, nil); err != nil {
		return err
	}
	e.exports = make(map[driver.Op]string)
	for op, name := range exportOf {
		if err := typed(name, []api.ValueType{i32, i32}, []api.ValueType{i64}); err != nil {
			return err
		}
		if have[name] != nil {
			e.exports[op] = name
		}
	}
	return nil
}

func signature(parameters, results []api.ValueType) string {
	names := func(types []api.ValueType) (s string) {
		for i, t := range types {
			if i > 0 {
				s += ", "
			}
			s += api.ValueTypeName(t)
		}
		return s
	}
	return "(" + names(parameters) + ") → (" + names(results) + ")"
}
