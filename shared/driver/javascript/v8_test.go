package javascript

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/driver"
)

// expressions are what codecs do; each must be here what it is in V8.
var expressions = []string{
	// numbers
	`(0.1 + 0.2).toFixed(2)`, `(1.005).toFixed(2)`, `(1e21).toFixed(2)`, `(123.456).toPrecision(4)`, `(0.00001).toString()`, `(255).toString(16).padStart(4, '0')`, `(-7) % 3`, `-7 >> 1`, `-7 >>> 28`,
	`(0xff << 24)`, `(0xff << 24) >>> 0`, `parseInt('0x1f')`, `parseInt('12abc', 10)`, `parseInt('abc', 16)`, `parseFloat('3.14 V')`, `Number('')`, `Number(' 12 ')`, `Number('1,5')`, `+'0b101'`, `Math.round(-0.5)`, `Math.round(2.5)`,
	`Math.fround(5.5)`, `Math.fround(0.1)`, `Math.pow(2, -24)`, `Math.sign(-3)`, `Math.trunc(-4.7)`, `Math.hypot(3, 4)`, `Math.log10(1000)`, `Math.sqrt(2)`, `Math.exp(1)`, `Math.sin(1)`, `Math.atan2(1, 2)`, `Math.cbrt(27)`, `10 ** -3`, `0.1 * 3`, `215 * 0.1`,
	`1 / 3`, `(25).toString(2)`, `(0.5).toString(2)`, `(1e300 * 1e10)`, `Number.MAX_SAFE_INTEGER + 2`, `(123.456).toExponential(2)`, `(1234.5678).toFixed(20)`, `(1.45).toFixed(1)`, `(-1.5).toFixed(0)`, `(8.345).toFixed(2)`,
	// text
	`String.fromCharCode(72, 105)`, `'a-b-c'.split('-')`, `'abc'.substr(-2, 1)`, `'abc'.at(-1)`, `'x'.repeat(3)`, `'aXbX'.replaceAll('X', '-')`, `'2021-01-02'.match(/(\d+)-(\d+)/).slice(1)`, `[...'añ😀'].length`, `'añ😀'.length`, `escape('ä b')`, `unescape('%u00e4')`,
	`encodeURIComponent('ä&b')`, `decodeURIComponent('%C3%A4')`, `'abc'.localeCompare('abd')`, `'Straße'.toUpperCase()`, `'İ'.toLowerCase().length`, `'a\u0000b'.trim()`, `' a '.trimStart()`, `'abc'.codePointAt(1)`, `'aBc'.search(/[A-Z]/)`,
	`'x1y2'.replace(/\d/g, d => d * 2)`, `'k=v;k2=v2'.split(';').map(p => p.split('='))`, `/(?<y>\d{4})/.exec('in 2024').groups.y`, `'abc'.normalize('NFD')`, `'aaa'.lastIndexOf('a')`, `JSON.stringify({a: [1, undefined, () => 1], b: undefined, c: new Date(0)})`,
	`JSON.stringify('\ud800')`, `JSON.stringify([1e21, -0, 1e-7, 123456789012345680000])`, `JSON.parse('{"a":1.50}').a`, `isNaN('x')`, `typeof null`, `[10, 9, 1].sort()`, `[3, 1, 2].sort((a, b) => a - b)`, `[1, [2, [3]]].flat()`, `Array.from({length: 3}, (_, i) => i * i)`,
	`[1, 2, 3].includes(2)`, `[5, 1].concat(3, [4])`, `[1, 2, 3, 4].findLast(x => x % 2)`, `Object.entries({b: 1, a: 2, 1: 3})`, `Object.fromEntries([['a', 1]])`, `structuredCloneOrNot()`, `[,1].length`, `[3, 2, 1].toSorted()`, `({...{a: 1}, b: 2})`, `[1, 2].join()`,
	`new Set([1, 1, 2]).size`, `[...new Map([[1, 2]])]`, `Object.keys('ab')`, `Object.is(-0, 0)`, `[0, -0].map(x => 1 / x)`, `parseInt('9007199254740993')`, `0.1 + 0.7`, `5e-324`, `4.35 * 100`, `1.1 + 2.2`, `(4.35).toFixed(1)`,
	// binary
	`new DataView(new Uint8Array([0x41, 0x20, 0, 0]).buffer).getFloat32(0)`, `new Float32Array(new Uint8Array([0, 0, 0x20, 0x41]).buffer)[0]`, `new Int16Array([40000])[0]`, `new Uint8ClampedArray([300])[0]`, `Array.from(new Uint8Array([1, 2, 3]).subarray(1))`,
	`new Uint8Array([1, 2]).toString()`, `Array.from(new Uint8Array(new Float32Array([1.5]).buffer))`, `BigInt('0xff').toString()`, `Number(BigInt.asIntN(64, 0xffffffffffffffffn))`, `BigInt(1) << BigInt(40) > 5`,
	// time; the codecs' zone is UTC
	`new Date(0).toISOString()`, `new Date('2021-03-04T05:06:07Z').getTime()`, `new Date('2021-03-04').getTime()`, `new Date('2021-03-04T05:06:07').getTime()`, `new Date(2021, 2, 4).toISOString()`, `Date.UTC(2020, 1, 30)`, `new Date(1e12).toUTCString()`, `new Date(1e12).toString()`,
	`new Date(NaN).getTime()`, `new Date('March 7, 2021 10:00').getTime()`, `new Date('2021/03/04 05:06').getTime()`, `new Date(1e12).toJSON()`, `new Date(1e12).getTimezoneOffset()`, `new Date(1e12).toDateString()`, `new Date(1e12).toTimeString()`, `new Date(2021, 0, 31, 25, 61).toISOString()`,
	`new Date('2021-03-04 05:06:07Z').getTime()`, `new Date('Thu, 01 Jan 1970 00:00:00 GMT').getTime()`, `new Date(1e12).toLocaleString('en-US')`, `new Date(1e12).toLocaleDateString('en-US')`, `(1234.5).toLocaleString()`, `new Date(8.64e15 + 1).getTime()`, `new Date(0).setUTCFullYear(2020)`, `new Date(2020, 1).getDay()`,
	// Buffer
	`Buffer.from('0102ff', 'hex').readUInt16BE(0)`, `Buffer.from([1, 2, 3]).toString('hex')`, `Buffer.from('aGk=', 'base64').toString()`, `Buffer.from('hé😀').toString('base64')`, `Buffer.from([0xff, 0xfe, 0x41]).toString('utf8')`, `Buffer.from([0xe2, 0x82]).toString()`, `Buffer.from([0xf0, 0x9f, 0x98, 0x80]).toString()`,
	`Buffer.from([0, 0, 0x20, 0x41]).readFloatLE(0)`, `Buffer.from([1, 2, 3, 4, 5, 6]).readUIntBE(0, 6)`, `Buffer.from([255, 255, 255]).readIntLE(0, 3)`, `Buffer.concat([Buffer.from([1]), Buffer.from([2])]).toJSON()`, `Buffer.alloc(3, 7).toString('hex')`, `Buffer.from('zz', 'hex').length`, `Buffer.from('abc').slice(1).toString()`,
	`Buffer.from([200]).readInt8(0)`, `Buffer.byteLength('é')`, `Buffer.isBuffer(Buffer.alloc(1))`, `Buffer.from('abc').equals(Buffer.from('abc'))`, `(b => (b.writeInt16LE(-2, 1), b.toString('hex')))(Buffer.alloc(4))`, `(b => (b.writeUIntBE(0x010203, 0, 3), b.toString('hex')))(Buffer.alloc(3))`, `Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]).readBigUInt64LE(0).toString()`,
	`(b => (b.writeDoubleBE(1.1), b.readDoubleBE(0)))(Buffer.alloc(8))`, `Buffer.from('ab', 'ascii')[1]`, `Buffer.from([0xe9]).toString('latin1')`, `Buffer.from([0xe9]).toString('ascii')`, `Buffer.from('ÿ', 'latin1')[0]`, `Array.from(Buffer.from('hi'))`, `Buffer.compare(Buffer.from('a'), Buffer.from('b'))`, `Buffer.from([1, 2, 3]).subarray(1).readUint8()`,
	`(() => { try { return Buffer.from([1]).readUInt16LE(0); } catch (e) { return e.name; } })()`, `Buffer.from('0102', 'hex').readUInt16LE(0)`, `JSON.stringify(Buffer.from([1]))`, `Buffer.from([1, 2, 3, 4]).swap16().toString('hex')`, `(b => [b.write('hey', 1), b.toString()])(Buffer.alloc(5))`, `Buffer.from(new Uint8Array([5, 6])).length`,
	`new Buffer('00ff1a', 'hex').map(v => v + 1).toString('hex')`, `Buffer(2).length`, `Buffer.alloc(5, 'ab').toString()`, `Buffer.concat([Buffer.from([1])], 3).toString('hex')`, `Buffer.isEncoding('UTF-8')`, `Buffer.from('a1b2', 'hex').indexOf(0xb2)`, `Buffer.from([1, 2, 3, 4]).swap32().toString('hex')`,
	`Buffer.alloc(1).writeInt8(200)`, `Buffer.from([255, 254]).toString('base64url')`, `Buffer.from(5)`, `Buffer.from('a 10', 'hex').length`, `Buffer.from([1, 2]).slice(1).constructor.name`, `Buffer.from([1]).copy(Buffer.alloc(1), 0, 2)`, `Buffer.from([1, 2]).readUIntBE(0, 7)`, `(b => [b.write('aé', 0, 2), b[1]])(Buffer.alloc(3))`,
	// what browsers and Node.js have beside the language
	`new TextDecoder().decode(new Uint8Array([0xe2, 0x82, 65, 0xf0, 0x9f, 0x98, 0x80, 0xed, 0xa0, 0x80]))`, `new TextDecoder('utf-8').decode(new Uint8Array([0xef, 0xbb, 0xbf, 65]))`, `new TextDecoder('utf-16le').decode(new Uint8Array([65, 0, 66]))`, `new TextDecoder('x')`, `new TextDecoder().decode([65])`, `Array.from(new TextEncoder().encode('é😀'))`,
	`btoa('\u00ff\u0000a')`, `btoa('€')`, `atob(' AQ ID')`, `atob('AA=')`, `atob('%')`, `structuredClone({a: [new Date(5)], b: {}}).a[0].getTime()`, `structuredClone(() => 1)`,
	// what QuickJS does in another way
	`BigInt.asUintN(64, -1n).toString()`, `BigInt.asUintN(32, 0xfffffffffn).toString()`, `BigInt.asUintN(0, 5n).toString()`, `Math.hypot(62.39, 941.805)`, `Math.hypot(68.85, 35.28, 7.6)`, `Math.hypot(6.47, 5.64, 1.7)`, `Math.hypot()`, `Math.hypot(NaN, -Infinity)`, `Math.hypot(0, -0)`, `Math.log10(0.0314)`, `Math.log10(226.743)`, `Math.log10(0)`, `Math.log10(-1)`, `Math.log10(5e-324)`,
	`[161, 128, 128, 0, 127].sort((a, b) => a > b)`, `[5, 1, 4].sort(() => -1)`, `[3, undefined, 1, , 2].sort((a, b) => a - b).length`, `1 in [3, , 1].sort((a, b) => a - b)`, `[9, 8, 7, 1].toSorted((a, b) => a < b)`, `Array.from({length: 70}, (_, i) => (i * 37) % 70).sort((a, b) => a - b).join()`,
	`['b', 'a', 'C', '10', '9', 'Ä', '_x', 'é', 'e', 'E'].sort((a, b) => a.localeCompare(b)).join()`, `'a10'.localeCompare('a9', undefined, {numeric: true})`, `'A'.localeCompare('a', 'en', {sensitivity: 'base'})`, `'a'.localeCompare('ab')`, `'resume'.localeCompare('résumé')`, `new Date('2021-03-04T05:06:07z').getTime()`, `Date.parse('2021-03-04T05:06:07z')`,
	// what is caught
	`(() => { try { null.x; } catch (e) { return e instanceof TypeError; } })()`, `(() => { try { undefinedName; } catch (e) { return e.name; } })()`, `(() => { try { JSON.parse('{'); } catch (e) { return e.name; } })()`, `(() => { try { new Array(-1); } catch (e) { return e.name; } })()`,
	`(function () { return typeof this; })()`, `(() => { 'use strict'; try { Object.freeze([]).push(1); } catch (e) { return e.name; } })()`, `(a => { a.toString = 5; return a.toString; })({})`, `(a => { a.constructor = 5; return a.constructor; })({})`, `(a => { a.valueOf = () => 7; return a + 1; })({})`,
	`(a => { a.hasOwnProperty = 1; return Object.keys(a); })({})`, `(a => { a['__proto__'] = 5; return Object.keys(a).length; })({})`, `(() => { class A extends Error { constructor(m) { super(m); this.name = 'A'; } } try { throw new A('m'); } catch (e) { return [e.name, e.message, String(e)]; } })()`,
	`(() => { function A() {} A.prototype.toString = function () { return 'A!'; }; return String(new A()); })()`, `(() => { class D extends Date { constructor() { super(5); } } return new D().getTime(); })()`, `(f => f.name)(function decode() {})`, `(() => { var o = Object.create({x: 1}); o.x = 2; return o.x; })()`, `Object.getOwnPropertyNames(Date).length > 2`,
}

// TestAsInV8 compares with Node.js, whose engine vendors write their codecs for, in a heap of its own and in a shared one.
func TestAsInV8(t *testing.T) {
	t.Setenv("TZ", "UTC") // as workers have it
	prepared := `function structuredCloneOrNot() { return 1; } function text(v) { return typeof v === 'number' && !Number.isFinite(v) ? String(v) : v; }` + "\n"
	list, _ := json.Marshal(expressions)
	node := exec.Command("node", "-e", prepared+`const out = []; for (const e of `+string(list)+`) { try { out.push(JSON.stringify({v: text((0, eval)(e))})); } catch (x) { out.push('throws ' + x.name); } } console.log(JSON.stringify(out));`)
	node.Env = []string{"TZ=UTC", "LANG=C", "PATH=/usr/local/bin:/usr/bin:/bin"}
	said, err := node.Output()
	if err != nil {
		t.Fatal("Node.js is needed to compare with: ", err)
	}
	var want []string
	if err := json.Unmarshal(said, &want); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(prepared + "var all = [")
	for _, e := range expressions {
		fmt.Fprintf(&b, "function () { return %s; },\n", e)
	}
	b.WriteString("];\nfunction decodeUplink() { return {data: all.map(function (f) { try { return JSON.stringify({v: text(f())}); } catch (x) { return 'throws ' + x.name; } })}; }")
	for name, heap := range map[string]string{"shared heap": "", "own heap": "\nvar own = globalThis;"} {
		r := call(open(t, b.String()+heap, Limits{}), driver.Call{Op: driver.DecodeUplink})
		got, _ := r.Data.([]any)
		if len(got) != len(want) {
			t.Fatalf("%s: %+v", name, r)
		}
		for i, e := range expressions {
			if s, _ := got[i].(string); s != want[i] && !sameNumber(s, want[i]) {
				t.Errorf("%s: %s\n  here %s\n  V8   %s", name, e, s, want[i])
			}
		}
	}
}

// sameNumber tells whether two texts are the same number, which QuickJS sometimes writes with a digit more.
func sameNumber(a, b string) bool {
	var x, y struct{ V float64 }
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && x == y
}
