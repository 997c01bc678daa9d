// What every codec finds beside the language, and the loop that calls it. The script is evaluated before any codec, in a VM that
// holds one driver, and leaves two functions: freeze closes the built-in objects, serve makes the function that calls the codec.
(function () {
  'use strict';
  const G = globalThis;
  const { parse, stringify } = JSON;
  const { ownKeys, getPrototypeOf, construct, deleteProperty, apply } = Reflect;
  const call = (f, on) => apply(f, on, []);
  const { defineProperty, getOwnPropertyDescriptor, preventExtensions, isExtensible, isFrozen, freeze: fix } = Object;
  const isArray = Array.isArray;
  const isFinite = Number.isFinite;
  const RealDate = Date;
  const stringOf = String;
  const InternalError = G.InternalError;
  const hidden = (object, name, value) => defineProperty(object, name, { value, writable: true, enumerable: false, configurable: true });

  // The clock stands while a codec runs: at the time its message was received. Chance is the same for the same message.
  let now = 0;
  let seed = 1;
  const clock = function (at, chance) {
    now = at;
    seed = chance | 1;
  };
  // V8 takes a small z for UTC, too.
  const zoned = (v) => (typeof v === 'string' && v.length < 40 && v[v.length - 1] === 'z' && v[4] === '-' ? v.slice(0, -1) + 'Z' : v);
  const PlatformDate = function Date(...args) {
    if (new.target === undefined) return new RealDate(now).toString();
    if (args.length === 1) args[0] = zoned(args[0]);
    const at = new.target === PlatformDate ? RealDate : new.target;
    return construct(RealDate, args.length === 0 ? [now] : args, at);
  };
  defineProperty(PlatformDate, 'length', { value: 7, configurable: true });
  defineProperty(PlatformDate, 'prototype', { value: RealDate.prototype, writable: false });
  hidden(PlatformDate, 'now', function now_() { return now; });
  defineProperty(PlatformDate.now, 'name', { value: 'now', configurable: true });
  hidden(PlatformDate, 'parse', { parse(v) { return RealDate.parse(zoned(v)); } }.parse);
  hidden(PlatformDate, 'UTC', RealDate.UTC);
  hidden(RealDate.prototype, 'constructor', PlatformDate);
  // Workers' zone is UTC, which V8 names and QuickJS does not.
  for (const name of ['toString', 'toTimeString']) {
    const plain = RealDate.prototype[name];
    const named = { [name]() {
      const text = call(plain, this);
      return text === 'Invalid Date' ? text : text + ' (Coordinated Universal Time)';
    } }[name];
    hidden(RealDate.prototype, name, named);
  }
  hidden(G, 'Date', PlatformDate);
  hidden(Math, 'random', function random() {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) / 4294967296;
  });

  // What a codec logs is shown to who tests it, and to nobody else.
  let log = [];
  const shown = (v) => {
    if (typeof v === 'string') return v;
    try {
      const s = stringify(v);
      return s === undefined ? stringOf(v) : s;
    } catch {
      return '[' + typeof v + ']';
    }
  };
  const say = function (...args) {
    if (log.length >= 20) return;
    let line = '';
    for (let i = 0; i < args.length; i++) line += (i > 0 ? ' ' : '') + shown(args[i]);
    log[log.length] = line.length > 500 ? line.slice(0, 500) + '…' : line;
  };
  const console = {};
  for (const name of ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir', 'table']) {
    hidden(console, name, function (...args) { say(...args); });
  }
  for (const name of ['assert', 'time', 'timeEnd', 'group', 'groupEnd', 'count']) hidden(console, name, function () {});
  hidden(G, 'console', console);

  // freeze closes all that can be reached of the language. A codec may still set, on an object of its own, a name that a
  // prototype has: frozen data would forbid that (ECMAScript's override mistake), so what codecs could set becomes an accessor
  // that sets on whom it was called.
  const set = new Set(['constructor', 'toString', 'toJSON', 'valueOf', 'name', 'message']);
  const overridable = (owner, key) => owner === Object.prototype || (set.has(key) && typeof owner === 'object');
  const freeze = function () {
    const seen = new Set();
    const stack = [];
    const add = (v) => {
      if ((typeof v === 'object' && v !== null) || typeof v === 'function') {
        if (!seen.has(v)) {
          seen.add(v);
          stack.push(v);
        }
      }
    };
    const closed = (d) => ('value' in d ? { ...d, writable: false, configurable: false } : { ...d, configurable: false });
    for (const key of ownKeys(G)) {
      const d = getOwnPropertyDescriptor(G, key);
      if (d.value !== G) add(d.value);
      add(d.get);
      add(d.set);
      if (d.configurable) defineProperty(G, key, closed(d));
    }
    for (const sample of [
      [][Symbol.iterator](), new Map().entries(), new Set().values(), ''[Symbol.iterator](), ''.matchAll(/x/g), /x/, function* () {}, (function* () {})(),
      async function () {}, async function* () {}, (async function* () {})(), () => 0, new Uint8Array(), new DataView(new ArrayBuffer(1)),
      [].values().map((v) => v), Iterator.from({ next() {} }), Iterator.concat(),
    ]) {
      for (let o = getPrototypeOf(sample); o !== null; o = getPrototypeOf(o)) add(o);
    }
    const define = (o, key, d) => {
      try {
        defineProperty(o, key, d);
      } catch {
        // it is closed already
      }
    };
    while (stack.length > 0) {
      const o = stack.pop();
      add(getPrototypeOf(o));
      for (const key of ownKeys(o)) {
        const d = getOwnPropertyDescriptor(o, key);
        if (d === undefined) continue;
        add(d.value);
        add(d.get);
        add(d.set);
        if (!d.configurable) {
          if (d.writable && o !== Array.prototype) define(o, key, { writable: false }); // the length of Array.prototype: see clean
          continue;
        }
        if ('value' in d && overridable(o, key)) {
          const value = d.value;
          const both = {
            get() { return value; },
            set(v) {
              if (this === o) throw new TypeError('the built-in objects cannot be changed');
              if (this !== undefined && this !== null) defineProperty(this, key, { value: v, writable: true, enumerable: true, configurable: true });
            },
            enumerable: d.enumerable,
            configurable: false,
          };
          add(both.get); // who looks at the property has them
          add(both.set);
          define(o, key, both);
        } else {
          define(o, key, closed(d));
        }
      }
      preventExtensions(o);
    }
    return isFrozen(Object.prototype);
  };

  // strange names what JSON cannot say, of a result that was said as JSON: NaN and the infinities became null.
  const strange = (v, path, depth, found) => {
    if (typeof v === 'number') {
      if (!isFinite(v)) found[found.length] = path + ' is ' + v;
    } else if (typeof v === 'object' && v !== null && depth < 16 && found.length < 10) {
      if (isArray(v)) for (let i = 0; i < v.length && i < 1000; i++) strange(v[i], path + '[' + i + ']', depth + 1, found);
      else for (const k of ownKeys(v)) if (typeof k === 'string') strange(v[k], path === '' ? k : path + '.' + k, depth + 1, found);
    }
    return found;
  };

  const texts = (v) => {
    if (v === undefined || v === null) return undefined;
    const list = isArray(v) ? v : [v];
    const out = [];
    for (let i = 0; i < list.length && i < 30; i++) out[i] = shown(list[i]);
    return out;
  };

  // answer brings what the codec returned to one form. Data of the older functions come without a wrapper.
  const answer = (out, bare) => {
    if (bare) out = { data: out };
    if (out === undefined || out === null) return { none: true };
    if (typeof out !== 'object') return { wrong: 'it returned ' + typeof out + ', an object is needed' };
    const { data, bytes, fPort, warnings, errors } = out;
    return { data, bytes, fPort, warnings: texts(warnings), errors: texts(errors) };
  };

  const encoded = (v) => {
    if (isArray(v)) return { bytes: v };
    if (typeof v === 'object' && v !== null && typeof v.length === 'number') {
      const bytes = [];
      for (let i = 0; i < v.length && i < 100000; i++) bytes[i] = v[i];
      return { bytes };
    }
    return v;
  };

  // The names that codecs have for what they are asked, the first that is there counts: TS013's own, then those of older stacks.
  const calls = {
    decodeUplink: (f, i) =>
      f.decodeUplink ? answer((0, f.decodeUplink)(i))
        : f.Decoder ? answer((0, f.Decoder)(i.bytes, i.fPort), true)
          : f.Decode ? answer((0, f.Decode)(i.fPort, i.bytes, i.variables), true)
            : undefined,
    encodeDownlink: (f, i) =>
      f.encodeDownlink ? answer((0, f.encodeDownlink)(i))
        : f.Encoder ? answer(encoded((0, f.Encoder)(i.data, i.fPort)))
          : f.Encode ? answer(encoded((0, f.Encode)(i.fPort, i.data, i.variables)))
            : undefined,
    decodeDownlink: (f, i) => (f.decodeDownlink ? answer((0, f.decodeDownlink)(i)) : undefined),
    normalizeUplink: (f, i) => (f.normalizeUplink ? answer((0, f.normalizeUplink)(i)) : undefined),
  };

  // serve makes the function that Go calls: JSON in, JSON out. make evaluates the codec anew, so that nothing it keeps in its own
  // names lives longer than a call; what it left in the global object is taken away. What cannot be is told, and the heap goes. It has make
  // as its arguments.callee. Nobody changes the length of Array.prototype, but if it were closed, lists that inherit from it could have none.
  const serve = function (make, reuse) {
    const before = new Set(ownKeys(G));
    const above = getPrototypeOf(G);
    const lists = Array.prototype;
    if (reuse) {
      fix(make.prototype);
      fix(make);
    }
    const clean = () => {
      const length = getOwnPropertyDescriptor(lists, 'length');
      if (length.value !== 0 || !length.writable || getPrototypeOf(G) !== above || !isExtensible(G)) return false;
      for (const key of ownKeys(G)) if (!before.has(key) && !deleteProperty(G, key)) return false;
      return true;
    };
    return function (text) {
      const q = parse(text);
      clock(q.now, q.seed);
      log = [];
      const input = q.input;
      if (input.recvTime !== undefined) input.recvTime = new PlatformDate(input.recvTime);
      let out, made = false;
      try {
        const functions = make();
        made = true;
        const a = q.op in calls ? calls[q.op](functions, input) : undefined;
        if (a === undefined) out = '{"missing":true}';
        else {
          out = stringify(a);
          if (out.includes('null')) {
            const notes = strange(a.data, '', 0, []);
            if (notes.length > 0) out = stringify({ ...a, notes });
          }
        }
      } catch (e) {
        let said = 'it threw ' + typeof e;
        let kind = '', stack = '';
        try {
          if (e instanceof Error) {
            kind = e.name;
            said = e.name + ': ' + e.message;
            if (typeof e.stack === 'string') stack = e.stack;
          } else if (e === null) { // QuickJS throws null where there is no memory for an error
            kind = 'InternalError';
            said = 'out of memory';
          } else said = shown(e);
        } catch (x) {
          if (x instanceof InternalError || e instanceof InternalError) { // no memory even to tell of it
            kind = 'InternalError';
            said = 'out of memory';
          }
        }
        out = stringify({ thrown: said.slice(0, 2000), kind, stack: stack.slice(0, 4000), made });
      }
      if (log.length > 0) out = out.slice(0, -1) + ',"log":' + stringify(log) + '}';
      if (reuse && !clean()) out = out.slice(0, -1) + ',"spoilt":true}';
      return out;
    };
  };
  return { freeze, serve, clock };
})()
