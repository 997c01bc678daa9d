package javascript

import (
	"reflect"
	"testing"
	"time"

	"github.com/castor-iot/castor/shared/driver"
)

// A codec is a script as browsers and Node.js run it: what it says of its own names, of this and of the object of all globals holds.
func TestAScript(t *testing.T) {
	for name, source := range map[string]string{
		"a function by its name":     `function ofA(b) { return b[0]; } function decodeUplink(i) { return {data: {n: this['of' + 'A'](i.bytes)}}; }`,
		"a function of globalThis":   `function ofA(b) { return b[0]; } function decodeUplink(i) { return {data: {n: globalThis['ofA'](i.bytes)}}; }`,
		"this of the script":         `var root = this; function h(b) { return b[0]; } function decodeUplink(i) { return {data: {n: root.h(i.bytes)}}; }`,
		"a library in a function":    `(function (root) { root.first = function (b) { return b[0]; }; })(this); function decodeUplink(i) { return {data: {n: first(i.bytes)}}; }`,
		"a name as a property":       `var table = {1: 5}; function decodeUplink(i) { return {data: {n: globalThis.table[i.fPort]}}; }`,
		"eval elsewhere":             `var q = 5; function decodeUplink(i) { return {data: {n: (0, eval)('q')}}; }`,
		"a function of text":         `var q = 5; function decodeUplink(i) { return {data: {n: new Function('return q')()}}; }`,
		"let and const":              `const q = 5; let decodeUplink = (i) => ({data: {n: q, d: typeof globalThis.q}});`,
		"built-ins of its own":       `function parseFloat() { return 5; } var g = globalThis; function decodeUplink(i) { return {data: {n: parseFloat('1')}}; }`,
		"the time when it is loaded": `var at = new Date().getTime(), g = globalThis; function decodeUplink(i) { return {data: {n: at === i.recvTime.getTime() ? 5 : at}}; }`,
		"a line for the shell":       "#!/usr/bin/env node\nfunction decodeUplink(i) { return {data: {n: 5}}; }",
		"a comment of HTML":          "<!-- old\nfunction decodeUplink(i) { return {data: {n: 5}}; }\n--> end",
		"a module":                   `function decodeUplink(i) { return {data: {n: 5}}; } module.exports = { decodeUplink };`,
		"what it exports":            `exports.decodeUplink = function (i) { return {data: {n: 5}}; };`,
		"a module that asks":         `function decodeUplink(i) { return {data: {n: typeof require === 'undefined' ? 5 : 6}}; } if (typeof module !== 'undefined' && require.main === module) { process.exit(1); }`,
		"the last match":             `function decodeUplink(i) { 'v5.7b'.replace(/(\d)\.(\d)/, ''); return {data: {n: +RegExp.$1, m: +RegExp.$2, r: RegExp.rightContext, none: RegExp.$3}}; }`,
		"variables that are none":    `function decodeUplink(i) { return {data: {n: i.variables.offset || 5}}; }`,
		"numbers of old":             `function decodeUplink(i) { return {data: {n: 05, s: '\101'}}; }`,
		"an older character set":     "// 25 \xb0C\nfunction decodeUplink(i) { return {data: {n: '\xb0C' === '\\ufffdC' ? 5 : 6}}; }",
		"with":                       `function decodeUplink(i) { with (i) { return {data: {n: bytes[0]}}; } }`,
		"arguments.callee":           `function decodeUplink(i) { return {data: {n: (function (n) { return n > 4 ? n : arguments.callee(n + 1); })(0)}}; }`,
		"a prototype of its own":     `Array.prototype.first = function () { return this[0]; }; function decodeUplink(i) { return {data: {n: i.bytes.first()}}; }`,
	} {
		e := open(t, source, Limits{})
		for range 2 {
			r := call(e, driver.Call{Op: driver.DecodeUplink, Bytes: []byte{5}, Port: 1, Time: time.UnixMilli(1_700_000_000_123)})
			if data, _ := r.Data.(map[string]any); data["n"] != 5.0 {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
}

// The clock of a script is the message's, whatever was read before in the same heap.
func TestClockOfAScript(t *testing.T) {
	e := open(t, `var at = Date.now(), chance = Math.random(), g = globalThis; function decodeUplink(i) { return {data: {at: at, chance: chance}}; }`, Limits{})
	first := call(e, driver.Call{Op: driver.DecodeUplink, Bytes: []byte{1}, Time: time.UnixMilli(1000)})
	call(e, driver.Call{Op: driver.DecodeUplink, Bytes: []byte{2}, Time: time.UnixMilli(2000)})
	again := call(e, driver.Call{Op: driver.DecodeUplink, Bytes: []byte{1}, Time: time.UnixMilli(1000)})
	if data, _ := first.Data.(map[string]any); data["at"] != 1000.0 || !reflect.DeepEqual(first, again) {
		t.Errorf("%+v, then %+v", first, again)
	}
}
