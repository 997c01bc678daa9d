package javascript

import (
	"testing"
)

// Ways round the closed heap that are not in the codec's text: what can be got at without a name that tampers knows.
func TestNothingStaysBehindTheLanguage(t *testing.T) {
	const global = `var object = ({}).constructor, g = [].constructor.constructor('return this')(); `
	for name, source := range map[string]string{
		"an accessor's setter":      `function decodeUplink() { var f = ({}).__lookupSetter__('toString'), was = f.leak || 0; f.leak = 1; return {data: {n: was}}; }`,
		"an accessor's getter":      `function decodeUplink() { var f = ({}).__lookupGetter__('valueOf'), was = f.leak || 0; f.leak = 1; return {data: {n: was}}; }`,
		"iterator helpers":          `function decodeUplink() { var p = Object.getPrototypeOf([].values().map((v) => v)), was = p.leak || 0; p.leak = 1; return {data: {n: was}}; }`,
		"wrapped iterators":         `function decodeUplink() { var p = Object.getPrototypeOf(Iterator.from({next() {}})), was = p.leak || 0; p.leak = 1; return {data: {n: was}}; }`,
		"iterators in a row":        `function decodeUplink() { var p = Object.getPrototypeOf(Iterator.concat()), was = p.leak || 0; p.leak = 1; return {data: {n: was}}; }`,
		"a function's prototype":    `function decodeUplink() { var was = btoa.prototype.leak || 0; btoa.prototype = {leak: 1}; return {data: {n: was}}; }`,
		"console's prototype":       `function decodeUplink() { var f = console.log, was = f.prototype.leak || 0; f.prototype = {leak: 1}; return {data: {n: was}}; }`,
		"the length of all lists":   `function decodeUplink() { var p = [].constructor.prototype, was = p.length; p.length = 1; return {data: {n: was}}; }`,
		"a fixed length":            global + `function decodeUplink() { var p = [].constructor.prototype, d = object['define' + 'Property'], was = object.getOwnPropertyDescriptor(p, 'length').writable ? 0 : 1; d(p, 'length', {writable: false}); return {data: {n: was}}; }`,
		"what calls the codec":      `var f = arguments.callee, was = f.leak || 0; f.leak = 1; function decodeUplink() { return {data: {n: was}}; }`,
		"its prototype":             `var f = arguments.callee.prototype, was = f.leak || 0; f.leak = 1; function decodeUplink() { return {data: {n: was}}; }`,
		"the global object's above": global + `function decodeUplink() { var was = g.leak || 0; g['__pro' + 'to__'] = {leak: 1}; return {data: {n: was}}; }`,
		"a closed global object":    global + `function decodeUplink() { var was = object.isExtensible(g) ? 0 : 1; object.preventExtensions(g); return {data: {n: was}}; }`,
		"a match before":            `function decodeUplink() { var xRegExp = /x/.constructor, was = xRegExp.$1 ? 1 : 0; /(a)/.exec('a'); return {data: {n: was}}; }`,
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

// walk goes through all that a codec can reach, and names what it could leave something in.
const walk = `
function decodeUplink() {
  var object = ({}).constructor, g = [].constructor.constructor('return this')(), open = [], found = new Set(), list = [];
  function add(v, path) {
    if ((typeof v !== 'object' || v === null) && typeof v !== 'function' || found.has(v)) return;
    found.add(v);
    list.push([v, path]);
  }
  add(g, 'global');
  [
    () => [].values().map((v) => v), () => [].values().filter((v) => v), () => [].values().take(1), () => [].values().drop(1), () => [].values().flatMap((v) => [v]),
    () => Iterator.from({next() {}}), () => Iterator.concat([1], [2]), () => Iterator.zip([[1], [2]]), () => Iterator.zipKeyed({a: [1]}), () => Iterator.range(1, 2),
    () => 'x'.matchAll(/x/g), () => ''[Symbol.iterator](), () => new Map().keys(), () => new Set().entries(), () => [].entries(), () => function* () {},
    () => new Error('x'), () => new Proxy(isNaN, {}), () => /x/d.exec('x'), () => new Uint8Array().values(), () => import('x'), () => new AggregateError([]),
    () => new Intl.NumberFormat('de').formatToParts(1), () => new Intl.DateTimeFormat('de').resolvedOptions(), () => new TextDecoder(), () => Buffer.alloc(1),
  ].forEach((make, i) => {
    var v;
    try { v = make(); } catch (e) { return; } // it is not there
    add(object.getPrototypeOf(v), 'prototype of ' + make);
  });
  for (var i = 0; i < list.length; i++) {
    var o = list[i][0], path = list[i][1];
    if (o !== g && object.isExtensible(o)) open.push(path);
    add(object.getPrototypeOf(o), path + ' prototype');
    for (var key of [].concat(object.getOwnPropertyNames(o), object.getOwnPropertySymbols(o))) {
      var d = object.getOwnPropertyDescriptor(o, key), name = path + '.' + String(key);
      if (d.writable || d.configurable) open.push(name);
      add(d.value, name);
      add(d.get, name + ' get');
      add(d.set, name + ' set');
    }
  }
  return {data: {open: open, seen: list.length}};
}
`

// All that is reachable of the language is closed, with what codecs find beside it.
func TestTheLanguageIsClosed(t *testing.T) {
	for name, more := range map[string]string{
		"the language": "", "what codecs name": "// Buffer TextDecoder atob structuredClone sort hypot asUintN pow sin\n", "languages of people": "// toLocaleString\n",
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, more+walk, Limits{})
			if e.Isolated() {
				t.Fatal("it has a heap of its own, which is not closed")
			}
			r := call(e, up(""))
			data, _ := r.Data.(map[string]any)
			seen, _ := data["seen"].(float64)
			open, _ := data["open"].([]any)
			if seen < 700 || len(open) != 1 || open[0] != "global.Array.prototype.length" && open[0] != "prototype of () => /x/d.exec('x').length" {
				t.Errorf("of %v objects these can be changed: %v; %+v", seen, open[:min(len(open), 20)], r.Reason)
			}
		})
	}
}
