package javascript

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
)

func open(t testing.TB, source string, l Limits) *Engine {
	t.Helper()
	e, err := New([]byte(source), l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func call(e *Engine, c driver.Call) driver.Result { return Read(c.Op, e.Call(c)) }

func up(s string) driver.Call {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return driver.Call{Op: driver.DecodeUplink, Bytes: b, Port: 1, Time: time.UnixMilli(1_700_000_000_123)}
}

func TestDialects(t *testing.T) {
	for name, c := range map[string]struct {
		source string
		call   driver.Call
		want   driver.Result
	}{
		"TS013": {
			`function decodeUplink(input) { return { data: { t: input.bytes[0] / 10, port: input.fPort, at: input.recvTime.toISOString() }, warnings: ['w'] }; }`,
			up("d7"), driver.Result{Data: map[string]any{"t": 21.5, "port": 1.0, "at": "2023-11-14T22:13:20.123Z"}, Warnings: []string{"w"}},
		},
		"TTN v2":        {`function Decoder(bytes, port) { return { n: bytes.length, port: port }; }`, up("0102"), driver.Result{Data: map[string]any{"n": 2.0, "port": 1.0}}},
		"ChirpStack v3": {`function Decode(fPort, bytes, variables) { return { v: variables.k, n: bytes[1] }; }`, driver.Call{Op: driver.DecodeUplink, Bytes: []byte{1, 2}, Port: 7, Variables: map[string]string{"k": "x"}}, driver.Result{Data: map[string]any{"v": "x", "n": 2.0}}},
		"encode":        {`function encodeDownlink(input) { return { bytes: [input.data.led === 'green' ? 1 : 0, 255], fPort: 2 }; }`, driver.Call{Op: driver.EncodeDownlink, Data: map[string]any{"led": "green"}}, driver.Result{Bytes: []byte{1, 255}, Port: 2}},
		"command":       {`function encodeDownlink(i) { return {bytes: [['open', 'close'].indexOf(i.command), 'command' in i.data ? 1 : 0]}; }`, driver.Call{Op: driver.EncodeDownlink, Command: "close", Data: map[string]any{}}, driver.Result{Bytes: []byte{1, 0}}},
		"no command":    {`function encodeDownlink(i) { return {bytes: ['command' in i ? 1 : 0]}; }`, driver.Call{Op: driver.EncodeDownlink, Data: map[string]any{}}, driver.Result{Bytes: []byte{0}}},
		"Encoder":       {`function Encoder(data, port) { return [data.a]; }`, driver.Call{Op: driver.EncodeDownlink, Data: map[string]any{"a": 3}}, driver.Result{Bytes: []byte{3}}},
		"Encode, vars":  {`function Encode(fPort, obj, variables) { return [obj.a, 'command' in obj ? 1 : 0, Number(variables.k)]; }`, driver.Call{Op: driver.EncodeDownlink, Command: "set", Data: map[string]any{"a": 3}, Variables: map[string]string{"k": "7"}}, driver.Result{Bytes: []byte{3, 0, 7}}},
		"Encode alone":  {`function Encode(fPort, obj, variables) { return [Object.keys(obj).length, Object.keys(variables).length, fPort === undefined ? 1 : 0]; }`, driver.Call{Op: driver.EncodeDownlink, Command: "reboot", Data: map[string]any{}}, driver.Result{Bytes: []byte{0, 0, 1}}},
		"wrapped":       {`function Encoder(obj, port) { return [obj.a, port]; } function encodeDownlink(i) { return { bytes: Encoder(i.data, 10), fPort: 10 }; }`, driver.Call{Op: driver.EncodeDownlink, Command: "set", Data: map[string]any{"a": 3}}, driver.Result{Bytes: []byte{3, 10}, Port: 10}},
		"Encode":        {`function Encode(fPort, obj) { return new Uint8Array([obj.a, fPort]); }`, driver.Call{Op: driver.EncodeDownlink, Port: 9, Data: map[string]any{"a": 3}}, driver.Result{Bytes: []byte{3, 9}}},
		"downlink":      {`function decodeDownlink(i) { return {data: {led: i.bytes[0] ? 'on' : 'off'}}; }`, driver.Call{Op: driver.DecodeDownlink, Bytes: []byte{0}}, driver.Result{Data: map[string]any{"led": "off"}}},
		"normalize":     {`function normalizeUplink(i) { return {data: [{air: {temperature: i.data.t}}]}; }`, driver.Call{Op: driver.NormalizeUplink, Data: map[string]any{"t": 1.5}}, driver.Result{Data: []any{map[string]any{"air": map[string]any{"temperature": 1.5}}}}},
		"arrow":         {`const decodeUplink = ({ bytes }) => ({ data: { sum: bytes.reduce((a, b) => a + b, 0) } });`, up("0102ff"), driver.Result{Data: map[string]any{"sum": 258.0}}},
		"errors":        {`function decodeUplink() { return { data: {a: 1}, errors: ['unknown FPort'] }; }`, up(""), driver.Result{Errors: []string{"unknown FPort"}}},
		"undefined":     {`function decodeUplink() { return { data: {a: undefined, b: null, c: [undefined]} }; }`, up(""), driver.Result{Data: map[string]any{"b": nil, "c": []any{nil}}}},
		"NaN":           {`function decodeUplink() { return { data: {a: NaN, b: {c: [1, -Infinity]}} }; }`, up(""), driver.Result{Data: map[string]any{"a": nil, "b": map[string]any{"c": []any{1.0, nil}}}, Warnings: []string{"a is NaN", "b.c[1] is -Infinity"}}},
		"large numbers": {`function decodeUplink() { return { data: {a: 9007199254740993, b: 1e300} }; }`, up(""), driver.Result{Data: map[string]any{"a": 9007199254740992.0, "b": 1e300}}},
		"the clock":     {`function decodeUplink() { return { data: {now: Date.now(), new: new Date().getTime(), y: new Date(0).getUTCFullYear(), is: new Date() instanceof Date} }; }`, up(""), driver.Result{Data: map[string]any{"now": 1.700000000123e12, "new": 1.700000000123e12, "y": 1970.0, "is": true}}},
		"locale":        {`function decodeUplink() { return { data: {n: (1234567.891).toLocaleString()} }; }`, up(""), driver.Result{Data: map[string]any{"n": "1,234,567.891"}}},
		"missing":       {`var a = 1;`, up(""), driver.Result{Failure: driver.Missing, Reason: "the codec has no function decodeUplink, and none of the older names Decoder and Decode"}},
		"nothing":       {`function decodeUplink() {}`, up(""), driver.Result{Failure: driver.Invalid, Reason: "it returned nothing; an object with data, or with errors, is needed"}},
		"text":          {`function decodeUplink() { return 'x' }`, up(""), driver.Result{Failure: driver.Invalid, Reason: "it returned string, an object is needed"}},
		"bytes":         {`function encodeDownlink() { return {bytes: [256]} }`, driver.Call{Op: driver.EncodeDownlink}, driver.Result{Failure: driver.Invalid, Reason: "bytes[0] is 256, it must be a whole number from 0 to 255"}},
		"log":           {`function decodeUplink() { console.log('n', {a: 1}); return {data: {}} }`, up(""), driver.Result{Data: map[string]any{}, Log: []string{`n {"a":1}`}}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := call(open(t, c.source, Limits{}), c.call); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestNotAScript(t *testing.T) {
	for source, want := range map[string]string{
		"import x from 'y'; function decodeUplink() {}":  "SyntaxError: expecting '('; a codec is a script and no module: leave out import and export, and bundle what is imported into it",
		"export function decodeUplink() {}":              "a codec is a script and no module",
		"function decodeUplink( {":                       "line 1",
		"var a;\n\nvar b = ;":                            "line 3",
		"}); var leak = 1; (function () {":               "line 1",
		"\xff\xfe":                                       "line 1",
		"function f() {}\nreturn {};":                    "line 2",
		strings.Repeat("/* much */ ", driver.MaxCode/10): "at most",
		strings.Repeat("/* 10 MB */", 1<<20):             "at most",
	} {
		if _, err := New([]byte(source), Limits{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", source, err, want)
		}
	}
}

// What one call does, the next must not see: not in the codec's own names, not in the global object, not in the language.
func TestNothingStays(t *testing.T) {
	for name, source := range map[string]string{
		"own name":       `var n = 0; function decodeUplink() { return {data: {n: n++}}; }`,
		"global":         `function decodeUplink() { var was = typeof leak === 'undefined' ? 0 : leak; leak = 1; return {data: {n: was}}; }`,
		"this":           `function decodeUplink() { var was = this.leak || 0; this.leak = 1; return {data: {n: was}}; }`,
		"fixed global":   `var d = Object['define' + 'Property']; function decodeUplink() { var g = (0, eval)('this'), was = g.leak || 0; d(g, 'leak', {value: 1}); return {data: {n: was}}; }`,
		"prototype":      `function decodeUplink() { var was = [].leak || 0; try { Array.prototype.leak = 1; } catch (e) {} return {data: {n: was}}; }`,
		"hidden proto":   `function decodeUplink() { var p = [].constructor['proto' + 'type'], was = [].leak || 0; try { p.leak = 1; } catch (e) {} return {data: {n: was}}; }`,
		"proto chain":    `function decodeUplink() { var was = ({}).leak || 0; try { ({})['__pro' + 'to__'].leak = 1; } catch (e) {} return {data: {n: was}}; }`,
		"function":       `function decodeUplink() { var f = isNaN, was = f.leak || 0; try { f.leak = 1; } catch (e) {} return {data: {n: was}}; }`,
		"math":           `function decodeUplink() { var m = Math, was = m.leak || 0; try { m.leak = 1; } catch (e) {} return {data: {n: was}}; }`,
		"iterator":       `function decodeUplink() { var p = Object.getPrototypeOf([][Symbol.iterator]()), was = p.leak || 0; try { p.leak = 1; } catch (e) {} return {data: {n: was}}; }`,
		"generator":      `function* g() {} function decodeUplink() { var p = Object.getPrototypeOf(g), was = p.leak || 0; try { p.leak = 1; } catch (e) {} return {data: {n: was}}; }`,
		"typed array":    `function decodeUplink() { var p = Object.getPrototypeOf(Uint8Array), was = p.leak || 0; try { p.leak = 1; } catch (e) {} return {data: {n: was}}; }`,
		"console":        `function decodeUplink() { var was = console.leak || 0; try { console.leak = 1; } catch (e) {} return {data: {n: was}}; }`,
		"buffer":         `function decodeUplink() { var was = Buffer.leak || 0; try { Buffer.leak = 1; } catch (e) {} return {data: {n: was}}; }`,
		"regexp":         `function decodeUplink() { var was = RegExp.leak || 0; var r = RegExp; try { r.leak = 1; } catch (e) {} return {data: {n: was}}; }`,
		"setter":         `function decodeUplink() { var o = {}, was = o.toString === 5 ? 1 : 0; o.toString = 5; return {data: {n: was, own: o.toString}}; }`,
		"eval":           `function decodeUplink() { var was = (0, eval)('typeof leak === "undefined" ? 0 : leak'); (0, eval)('var leak = 1'); return {data: {n: was}}; }`,
		"eval let":       `var e = 'ev' + 'al'; function decodeUplink() { var f = (function () { return this; })()[e], was = f('typeof leak === "undefined" ? 0 : leak'); try { f('let leak = 1'); } catch (e) {} return {data: {n: was}}; }`,
		"new function":   `function decodeUplink() { var F = (function () {}).constructor, was = F('return typeof leak === "undefined" ? 0 : leak')(); F('leak = 1')(); return {data: {n: was}}; }`,
		"template":       "function tag(s) { return s; } function decodeUplink() { var s = tag`x`, was = s.leak || 0; try { s.leak = 1; } catch (e) {} return {data: {n: was}}; }",
		"symbol":         `function decodeUplink() { var g = (0, eval)('this'), s = Symbol.iterator, was = g[s] || 0; g[s] = 1; return {data: {n: was}}; }`,
		"date":           `function decodeUplink() { var d = new Date(), p = Object.getPrototypeOf(d), was = p.leak || 0; try { p.leak = 1; } catch (e) {} return {data: {n: was}}; }`,
		"global removed": `function decodeUplink() { var g = (0, eval)('this'), was = typeof g.Math === 'undefined' ? 1 : 0; delete g.Math; return {data: {n: was}}; }`,
		"global set":     `function decodeUplink() { var was = parseInt === 5 ? 1 : 0; try { parseInt = 5; } catch (e) {} return {data: {n: was}}; }`,
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, source, Limits{})
			for range 3 {
				r := call(e, up(""))
				data, _ := r.Data.(map[string]any)
				if data["n"] != 0.0 {
					t.Fatalf("a call sees what one before did: %+v", r)
				}
			}
		})
	}
}

func TestMisconduct(t *testing.T) {
	for name, c := range map[string]struct {
		source string
		want   driver.Failure
	}{
		"throws":        {`function decodeUplink() { throw new Error('no'); }`, driver.Exception},
		"throws text":   {`function decodeUplink() { throw 'no'; }`, driver.Exception},
		"throws at top": {`throw new Error('no');`, driver.Exception},
		"recursion":     {`function f() { return f() + 1; } function decodeUplink() { return f(); }`, driver.Exception},
		"memory":        {`function decodeUplink() { var a = []; for (;;) a.push(new Array(1000).fill(7)); }`, driver.Memory},
		"text bomb":     {`function decodeUplink() { var s = 'x'; for (;;) s += s; }`, driver.Memory},
		"caught memory": {`function decodeUplink() { try { var a = []; for (;;) a.push(new Array(1000).fill(7)); } catch (e) { return {data: {ok: 1}}; } }`, ""},
		"cyclic":        {`function decodeUplink() { var a = {}; a.a = a; return {data: a}; }`, driver.Exception},
		"bigint":        {`function decodeUplink() { return {data: {a: 1n}}; }`, driver.Exception},
		"output":        {`function decodeUplink() { return {data: {a: 'x'.repeat(1000000)}}; }`, driver.Output},
		"no object":     {`function decodeUplink() { return {data: 5}; }`, driver.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, c.source, Limits{})
			for range 2 {
				if r := call(e, up("")); r.Failure != c.want {
					t.Errorf("%+v, want failure %q", r, c.want)
				}
			}
		})
	}
}

func TestInterrupt(t *testing.T) {
	e := open(t, `function decodeUplink(i) { while (i.bytes[0]) {} return {data: {ok: true}}; }`, Limits{})
	if r := call(e, up("00")); !r.OK() {
		t.Fatal(r)
	}
	time.AfterFunc(50*time.Millisecond, e.Interrupt)
	if r := call(e, up("01")); r.Failure != driver.Timeout {
		t.Errorf("%+v", r)
	}
	if r := call(e, up("00")); !r.OK() {
		t.Error("an engine that was interrupted does not go on:", r)
	}
}

const typical = `
function readInt16(b, i) { var v = b[i] << 8 | b[i + 1]; return v > 32767 ? v - 65536 : v; }
function decodeUplink(input) {
  var b = input.bytes, data = {};
  if (input.fPort !== 1 || b.length < 8) return { errors: ['wrong frame'] };
  data.temperature = readInt16(b, 0) / 100;
  data.humidity = b[2] / 2;
  data.battery = (b[3] << 8 | b[4]) / 1000;
  data.motion = (b[5] & 1) === 1;
  data.counter = b[6] << 8 | b[7];
  return { data: data };
}`

func BenchmarkDecode(b *testing.B) {
	for name, source := range map[string]string{"shared heap": typical, "own heap": typical + "\nvar t = globalThis;"} {
		b.Run(name, func(b *testing.B) {
			e := open(b, source, Limits{})
			c := up("0898640ce4010102")
			if r := call(e, c); !r.OK() {
				b.Fatal(r)
			}
			b.ReportAllocs()
			for b.Loop() {
				e.Call(c)
			}
		})
	}
}
