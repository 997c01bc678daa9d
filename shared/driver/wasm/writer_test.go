package wasm

import (
	"testing"

	"github.com/castor-iot/castor/shared/driver"
	"github.com/castor-iot/castor/shared/driver/wasm/wasmtest"
)

type (
	made   = wasmtest.Module
	object = map[string]any
)

var i32, i64, code, answer = wasmtest.I32, wasmtest.I64, wasmtest.Code, wasmtest.Answer

func text(s string) []byte { return append(leb(nil, len(s)), s...) }

func cborOf(t testing.TB, v any) []byte {
	t.Helper()
	b, err := deterministic.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// says is a module that answers decode with v, always.
func says(t testing.TB, v any) []byte {
	b := cborOf(t, v)
	return made{Pages: [2]int{8, 0}, Data: b, Exports: map[string][]byte{"decode": answer(len(b)), "encode": answer(len(b)), "on_event": answer(len(b))}}.Bytes()
}

func open(t testing.TB, module []byte, l Limits) *Engine {
	t.Helper()
	e, err := New(module, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func call(e *Engine, c driver.Call) driver.Result { return Read(c.Op, e.Call(c)) }

var up = driver.Call{Op: driver.DecodeUplink, Bytes: []byte{1, 2, 3}}
