package wasm

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
)

func TestAnswers(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	for name, c := range map[string]struct {
		op   driver.Op
		said any
		want driver.Result
	}{
		"data":       {driver.DecodeUplink, object{"version": 1, "data": object{"t": 21.5, "n": -3, "ok": true, "s": "x", "none": nil, "l": []any{1, object{}}}}, driver.Result{Data: object{"t": 21.5, "n": -3.0, "ok": true, "s": "x", "none": nil, "l": []any{1.0, object{}}}}},
		"time":       {driver.DecodeUplink, object{"version": 1, "data": object{}, "time": at.UnixMilli(), "warnings": []string{"old"}}, driver.Result{Data: object{}, Time: at, Warnings: []string{"old"}}},
		"records":    {driver.DecodeUplink, object{"version": 1, "records": []any{object{"time": at.UnixMilli(), "data": object{"a": 1}}, object{"data": object{}}}}, driver.Result{Records: []driver.Record{{Time: at, Data: object{"a": 1.0}}, {Data: object{}}}}},
		"errors":     {driver.DecodeUplink, object{"version": 1, "data": object{"a": 1}, "errors": []string{"no"}}, driver.Result{Errors: []string{"no"}}},
		"bytes":      {driver.EncodeDownlink, object{"version": 1, "bytes": []byte{1, 255}, "port": 2, "topic": "a/b"}, driver.Result{Bytes: []byte{1, 255}, Port: 2, Topic: "a/b"}},
		"state":      {driver.OnEvent, object{"version": 1, "state": []byte("s"), "commands": []any{object{"name": "off"}}}, driver.Result{State: []byte("s"), Commands: []any{object{"name": "off"}}}},
		"NaN":        {driver.DecodeUplink, object{"version": 1, "data": object{"a": []any{nan(), object{"b": inf()}}}}, driver.Result{Data: object{"a": []any{nil, object{"b": nil}}}, Warnings: []string{"data.a[0] is NaN", "data.a[1].b is +Inf"}}},
		"large":      {driver.DecodeUplink, object{"version": 1, "data": object{"a": uint64(1<<53 + 1)}}, driver.Result{Data: object{"a": 9007199254740992.0}, Warnings: []string{"data.a is beyond 2^53 and was rounded"}}},
		"no version": {driver.DecodeUplink, object{"data": object{}}, invalid("version is missing: it must be 1")},
		"version 2":  {driver.DecodeUplink, object{"version": 2, "data": object{}}, invalid("version must be a whole number from 1 to 1")},
		"no map":     {driver.DecodeUplink, []any{1}, invalid("what it returned cannot be read: cannot unmarshal array into Go value of type map[string]interface {}; a CBOR map is needed")},
		"unknown":    {driver.DecodeUplink, object{"version": 1, "date": object{}}, invalid(`"date" is not known; an answer has bytes, commands, data, errors, port, records, state, time, topic, version, warnings`)},
		"text":       {driver.DecodeUplink, object{"version": 1, "data": "x"}, invalid("data must be a map or a list")},
		"bytes in":   {driver.DecodeUplink, object{"version": 1, "data": object{"raw": []byte{1}}}, invalid("data.raw is bytes, which JSON does not have: give text, or a list of numbers")},
		"no bytes":   {driver.EncodeDownlink, object{"version": 1}, invalid("bytes is missing: encode returns bytes, or errors")},
		"port":       {driver.EncodeDownlink, object{"version": 1, "bytes": []byte{}, "port": 256}, invalid("port must be a whole number from 0 to 255")},
		"wildcard":   {driver.EncodeDownlink, object{"version": 1, "bytes": []byte{}, "topic": "a/#"}, invalid("topic must be a topic of MQTT without wildcards, of at most 1024 bytes")},
		"far off":    {driver.DecodeUplink, object{"version": 1, "time": uint64(1 << 62)}, invalid("time must be milliseconds since 1970, before the year 10000")},
		"not its":    {driver.DecodeUplink, object{"version": 1, "data": object{}, "state": []byte{1}}, invalid("state and commands are on_event's; decode returns neither")},
		"much state": {driver.OnEvent, object{"version": 1, "state": make([]byte, driver.MaxState+1)}, invalid("state has 65537 bytes, at most 65536 are taken")},
		"no command": {driver.OnEvent, object{"version": 1, "commands": []any{object{"name": "heat", "on": true}}}, invalid(`commands[0]: "on" is not known in a command: it has name, input and timeout`)},
		"commands":   {driver.OnEvent, object{"version": 1, "commands": make([]any, driver.MaxCommands+1)}, invalid("there are 21 commands, at most 20 are taken")},
		"JSON":       {driver.DecodeUplink, object{"version": 1, "data": object{"s": strings.Repeat("\x00", 100_000)}}, driver.Result{Failure: driver.Output, Reason: "the result has more than 262144 bytes as JSON"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, says(t, c.said), Limits{})
			for range 2 {
				if got := call(e, driver.Call{Op: c.op, Data: object{}}); !reflect.DeepEqual(got, c.want) {
					t.Errorf("got  %+v\nwant %+v", got, c.want)
				}
			}
		})
	}
}

func invalid(reason string) driver.Result {
	return driver.Result{Failure: driver.Invalid, Reason: reason}
}
func nan() float64 { return inf() - inf() }
func inf() float64 { var zero float64; return 1 / zero }

// What a module is given is what the interface says, bit for bit.
func TestQuestions(t *testing.T) {
	for name, c := range map[string]struct {
		call driver.Call
		want string
	}{
		"decode": {driver.Call{Op: driver.DecodeUplink, Bytes: []byte{1, 2}, Port: 7, Topic: "a", Time: time.UnixMilli(5), Variables: map[string]string{"k": "v"}},
			"\xa7\x62op\x6cdecodeUplink\x64port\x07\x64time\x05\x65bytes\x42\x01\x02\x65topic\x61a\x67version\x01\x69variables\xa1\x61k\x61v"},
		"nothing": {driver.Call{Op: driver.DecodeDownlink}, "\xa3\x62op\x6edecodeDownlink\x65bytes\x40\x67version\x01"},
		"encode":  {driver.Call{Op: driver.EncodeDownlink, Data: object{"b": 21.0, "a": 1.5}}, "\xa3\x62op\x6eencodeDownlink\x64data\xa2\x61a\xfb\x3f\xf8\x00\x00\x00\x00\x00\x00\x61b\x15\x67version\x01"},
		"event":   {driver.Call{Op: driver.OnEvent, Data: object{"e": []any{-1.0}}, State: []byte{9}}, "\xa5\x62op\x67onEvent\x64data\xa1\x61e\x81\x20\x64kind\x69telemetry\x65state\x41\x09\x67version\x01"},
	} {
		if got, err := question(c.call); err != nil || string(got) != c.want {
			t.Errorf("%s: %q %v\nwant %q", name, got, err, c.want)
		}
	}
}

func TestWhatIsNoDriver(t *testing.T) {
	good := says(t, object{"version": 1})
	missing := func(name string) []byte { return bytes.Replace(good, text(name), text("x"+name[1:]), 1) }
	for want, module := range map[string][]byte{
		"this is no WebAssembly module":      []byte("function decodeUplink() {}"),
		"a component of the component model": append([]byte("\x00asm\x0d\x00\x01\x00"), good[8:]...),
		"version 02 00 00 00":                append([]byte("\x00asm\x02\x00\x00\x00"), good[8:]...),
		"it is cut":                          good[:len(good)-3],
		"section 3 says that it has 1879048192 entries, and has 5 bytes": []byte("\x00asm\x01\x00\x00\x00\x03\x05\x80\x80\x80\x80\x07"),
		"section 11 says that it has 2 entries, and has 1 bytes":         append(good[:len(good):len(good)], 11, 1, 2),
		"at most 16777216":                                 append(good[:len(good):len(good)], make([]byte, driver.MaxModule)...),
		"exports no memory":                                missing("memory"),
		"exports no function alloc":                        missing("alloc"),
		"is a WASI command":                                bytes.Replace(missing("alloc"), text("decode"), text("_start"), 1),
		"none of the functions":                            made{}.Bytes(),
		`function "log" of "env"`:                          made{Imports: [][3]string{{"env", "log", "\x00\x03"}}}.Bytes(),
		`function "sock_open" of "wasi_snapshot_preview1"`: made{Imports: [][3]string{{preview1, "sock_open", "\x00\x03"}}}.Bytes(),
		`imports the memory "m" of "env"`:                  made{Imports: [][3]string{{"env", "m", "\x02\x00\x01"}}}.Bytes(),
		`imports the global "g" of "env"`:                  made{Imports: [][3]string{{"env", "g", "\x03\x7f\x00"}}}.Bytes(),
		`imports the table "t" of "env"`:                   made{Imports: [][3]string{{"env", "t", "\x01\x70\x00\x01"}}}.Bytes(),
		"513 pages":                                        made{Pages: [2]int{513, 600}, Exports: map[string][]byte{"decode": answer(1)}}.Bytes(),
		"export alloc is a function (i32, i32) → (i64), it must be (i32) → (i32)": bytes.Replace(good, append(text("alloc"), aFunction, 0), append(text("alloc"), aFunction, 1), 1),
		"not valid": made{Exports: map[string][]byte{"decode": {0x6a}}}.Bytes(),
	} {
		if e, err := New(module, Limits{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
			if err == nil {
				e.Close()
			}
		}
	}
}

func TestMissing(t *testing.T) {
	e := open(t, says(t, object{"version": 1}), Limits{})
	if r := call(e, driver.Call{Op: driver.NormalizeUplink}); r.Failure != driver.Missing || r.Reason != "the module exports no function normalize" {
		t.Errorf("%+v", r)
	}
}
