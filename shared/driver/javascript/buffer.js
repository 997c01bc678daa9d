// Buffer as codecs use it (Node.js, buffer module): reading and writing numbers, and text in hex, base64, UTF-8, Latin-1 and ASCII.
(function () {
  'use strict';
  const G = globalThis;
  const view = (b) => new DataView(b.buffer, b.byteOffset, b.byteLength);
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

  const decode = {
    hex: (s) => {
      const out = [];
      for (let i = 0; i + 1 < s.length; i += 2) {
        const pair = s.slice(i, i + 2);
        if (!/^[0-9a-fA-F]{2}$/.test(pair)) break;
        out.push(parseInt(pair, 16));
      }
      return out;
    },
    base64: (s) => {
      const out = [];
      let bits = 0;
      let n = 0;
      for (const c of s.replace(/-/g, '+').replace(/_/g, '/')) {
        const v = alphabet.indexOf(c);
        if (v < 0) continue;
        bits = ((bits << 6) | v) & 0xffffff;
        n += 6;
        if (n >= 8) out.push((bits >> (n -= 8)) & 255);
      }
      return out;
    },
    base64url: (s) => decode.base64(s),
    latin1: (s) => Array.from({ length: s.length }, (_, i) => s.charCodeAt(i) & 255),
    utf8: (s) => {
      const out = [];
      for (const c of s) {
        const p = c.codePointAt(0);
        if (p < 0x80) out.push(p);
        else if (p < 0x800) out.push(0xc0 | (p >> 6), 0x80 | (p & 63));
        else if (p >= 0xd800 && p < 0xe000) out.push(0xef, 0xbf, 0xbd);
        else if (p < 0x10000) out.push(0xe0 | (p >> 12), 0x80 | ((p >> 6) & 63), 0x80 | (p & 63));
        else out.push(0xf0 | (p >> 18), 0x80 | ((p >> 12) & 63), 0x80 | ((p >> 6) & 63), 0x80 | (p & 63));
      }
      return out;
    },
    utf16le: (s) => {
      const out = [];
      for (let i = 0; i < s.length; i++) out.push(s.charCodeAt(i) & 255, s.charCodeAt(i) >> 8);
      return out;
    },
  };
  const encode = {
    hex: (b) => {
      let s = '';
      for (const v of b) s += (v < 16 ? '0' : '') + v.toString(16);
      return s;
    },
    base64: (b) => {
      let s = '';
      for (let i = 0; i < b.length; i += 3) {
        const v = (b[i] << 16) | ((b[i + 1] ?? 0) << 8) | (b[i + 2] ?? 0);
        s += alphabet[v >> 18] + alphabet[(v >> 12) & 63] + (i + 1 < b.length ? alphabet[(v >> 6) & 63] : '=') + (i + 2 < b.length ? alphabet[v & 63] : '=');
      }
      return s;
    },
    base64url: (b) => encode.base64(b).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, ''),
    latin1: (b) => {
      let s = '';
      for (const v of b) s += String.fromCharCode(v);
      return s;
    },
    ascii: (b) => {
      let s = '';
      for (const v of b) s += String.fromCharCode(v & 127);
      return s;
    },
    utf8: (b) => {
      let s = '';
      for (let i = 0; i < b.length; ) {
        const v = b[i];
        const n = v < 0x80 ? 0 : v >= 0xc2 && v < 0xe0 ? 1 : v >= 0xe0 && v < 0xf0 ? 2 : v >= 0xf0 && v < 0xf5 ? 3 : -1;
        let p = n <= 0 ? v : v & (0x3f >> n);
        let k = 1;
        for (; n > 0 && k <= n && (b[i + k] & 0xc0) === 0x80; k++) p = (p << 6) | (b[i + k] & 63);
        const least = [0, 0x80, 0x800, 0x10000][n];
        if (n < 0 || k <= n || p < least || p > 0x10ffff || (p >= 0xd800 && p < 0xe000)) {
          s += '\ufffd';
          i += Math.max(1, n < 0 ? 1 : k <= n ? k : 1);
        } else {
          s += String.fromCodePoint(p);
          i += n + 1;
        }
      }
      return s;
    },
    utf16le: (b) => {
      let s = '';
      for (let i = 0; i + 1 < b.length; i += 2) s += String.fromCharCode(b[i] | (b[i + 1] << 8));
      return s;
    },
  };
  const same = { 'utf-8': 'utf8', binary: 'latin1', ucs2: 'utf16le', 'ucs-2': 'utf16le', 'utf-16le': 'utf16le' };
  const codecName = (name) => {
    const key = String(name || 'utf8').toLowerCase();
    const real = Object.hasOwn(same, key) ? same[key] : key;
    return Object.hasOwn(encode, real) ? real : undefined;
  };
  const codec = (table, name) => {
    const real = codecName(name);
    if (real === undefined) throw new TypeError('Unknown encoding: ' + name);
    return table[real] ?? table.latin1;
  };

  // Bytes is what buffers are. Buffer makes them, also where it is called as old codecs do: new Buffer(text, 'hex'), Buffer(8).
  class Bytes extends Uint8Array {
    toString(encoding, from = 0, to = this.length) { return codec(encode, encoding)(this.subarray(from, to)); }
    toLocaleString(encoding, from, to) { return this.toString(encoding, from, to); }
    toJSON() { return { type: 'Buffer', data: Array.from(this) }; }
    slice(from, to) { return this.subarray(from, to); }
    equals(other) { return this.compare(other) === 0; }
    compare(other) {
      for (let i = 0; i < Math.min(this.length, other.length); i++) if (this[i] !== other[i]) return this[i] < other[i] ? -1 : 1;
      return Math.sign(this.length - other.length);
    }
    copy(target, at = 0, from = 0, to = this.length) {
      if (from > this.length) throw new RangeError('The value of "sourceStart" is out of range.');
      const part = this.subarray(from, Math.min(to, from + target.length - at));
      target.set(part, at);
      return part.length;
    }
    write(text, at = 0, length = this.length - at, encoding = 'utf8') {
      if (typeof at === 'string') [encoding, at, length] = [at, 0, this.length];
      if (typeof length === 'string') [encoding, length] = [length, this.length - at];
      if (at < 0 || at > this.length) throw new RangeError('The value of "offset" is out of range.');
      const room = Math.min(length, this.length - at);
      let bytes = codec(decode, encoding)(text).slice(0, room);
      if (codec(decode, encoding) === decode.utf8) bytes = whole(bytes, text);
      this.set(bytes, at);
      return bytes.length;
    }
    fill(v, from = 0, to = this.length, encoding = 'utf8') {
      if (typeof from === 'string') [encoding, from, to] = [from, 0, this.length];
      if (typeof v !== 'string' && !(v instanceof Uint8Array)) return super.fill(v, from, to);
      const part = typeof v === 'string' ? codec(decode, encoding)(v) : v;
      if (part.length === 0 && v.length > 0) throw new TypeError("The argument 'value' is invalid.");
      for (let i = from; i < to; i++) this[i] = part.length > 0 ? part[(i - from) % part.length] : 0;
      return this;
    }
    indexOf(v, from = 0, encoding = 'utf8') {
      if (typeof from === 'string') [encoding, from] = [from, 0];
      const part = typeof v === 'number' ? [v & 255] : typeof v === 'string' ? codec(decode, encoding)(v) : v;
      for (let i = from < 0 ? Math.max(0, this.length + from) : from; i + part.length <= this.length; i++) {
        let k = 0;
        while (k < part.length && this[i + k] === part[k]) k++;
        if (k === part.length) return i;
      }
      return -1;
    }
    includes(v, from, encoding) { return this.indexOf(v, from, encoding) >= 0; }
  }
  // whole takes away the beginning of a character that has no room.
  const whole = (bytes, text) => {
    if (bytes.length === 0 || bytes.length === decode.utf8(text).length) return bytes;
    let end = bytes.length;
    while (end > 0 && (decode.utf8(text)[end] & 0xc0) === 0x80) end--;
    return bytes.slice(0, end);
  };
  const Buffer = function Buffer(v, encoding, length) {
    if (typeof v !== 'number') return Buffer.from(v, encoding, length);
    return new Bytes(v);
  };
  Object.setPrototypeOf(Buffer, Uint8Array);
  Object.defineProperty(Buffer, 'prototype', { value: Bytes.prototype, writable: false });
  Object.defineProperty(Bytes.prototype, 'constructor', { value: Buffer, writable: true, enumerable: false, configurable: true });
  const statics = {
    from(v, encoding, length) {
      if (typeof v === 'string') return Buffer.from(codec(decode, encoding)(v));
      if (v instanceof ArrayBuffer) return new Bytes(v, encoding, length);
      if (v && v.type === 'Buffer' && Array.isArray(v.data)) v = v.data;
      if (typeof v !== 'object' || v === null) throw new TypeError('The first argument must be of type string or an instance of Buffer, ArrayBuffer, or Array or an Array-like Object.');
      const b = new Bytes(v.length);
      for (let i = 0; i < v.length; i++) b[i] = v[i];
      return b;
    },
    alloc(n, fill, encoding) { return fill === undefined ? new Bytes(n) : new Bytes(n).fill(fill, encoding); },
    allocUnsafe(n) { return new Bytes(n); },
    isBuffer(v) { return v instanceof Bytes; },
    isEncoding(name) { return typeof name === 'string' && codecName(name) !== undefined; },
    byteLength(v, encoding) { return typeof v === 'string' ? codec(decode, encoding)(v).length : v.byteLength; },
    concat(list, total) {
      const all = new Bytes(total ?? list.reduce((n, b) => n + b.length, 0));
      let at = 0;
      for (const b of list) {
        const part = b.subarray(0, all.length - at);
        all.set(part, at);
        at += part.length;
      }
      return all;
    },
    compare(a, b) { return a.compare(b); },
  };
  for (const name of Object.keys(statics)) Object.defineProperty(Buffer, name, { value: statics[name], writable: true, enumerable: false, configurable: true });
  const put = (name, f) => Object.defineProperty(Bytes.prototype, name, { value: f, writable: true, enumerable: false, configurable: true });
  const check = (b, at, n) => {
    if (typeof at !== 'number') throw new TypeError('The "offset" argument must be of type number');
    if (!(Number.isInteger(at) && at >= 0 && n >= 1 && at + n <= b.length)) throw new RangeError('Attempt to access memory outside buffer bounds');
  };
  // within refuses what the number's bytes cannot say, as Node.js does.
  const within = (v, signed, n) => {
    const span = 2 ** (8 * n);
    if (v < (signed ? -span / 2 : 0) || v > (signed ? span / 2 : span) - 1) throw new RangeError(`The value of "value" is out of range. Received ${v}`);
  };
  const size = (n) => {
    if (!(n >= 1 && n <= 6)) throw new RangeError('The value of "byteLength" is out of range. It must be >= 1 and <= 6.');
  };
  for (const n of [2, 4, 8]) {
    put('swap' + 8 * n, function () {
      if (this.length % n !== 0) throw new RangeError(`Buffer size must be a multiple of ${8 * n}-bits`);
      for (let i = 0; i < this.length; i += n) this.subarray(i, i + n).reverse();
      return this;
    });
  }
  const both = (name, put_) => {
    put(name, put_);
    if (name.includes('UInt')) put(name.replace('UInt', 'Uint'), put_);
  };
  for (const [name, method, n] of [
    ['UInt8', 'Uint8', 1], ['Int8', 'Int8', 1], ['UInt16', 'Uint16', 2], ['Int16', 'Int16', 2], ['UInt32', 'Uint32', 4], ['Int32', 'Int32', 4],
    ['Float', 'Float32', 4], ['Double', 'Float64', 8], ['BigUInt64', 'BigUint64', 8], ['BigInt64', 'BigInt64', 8],
  ]) {
    for (const end of n === 1 ? [''] : ['LE', 'BE']) {
      both('read' + name + end, function (at = 0) {
        check(this, at, n);
        return view(this)['get' + method](at, end === 'LE');
      });
      both('write' + name + end, function (v, at = 0) {
        if (name.includes('Int') && n < 8) within(v, name.startsWith('Int'), n);
        check(this, at, n);
        view(this)['set' + method](at, v, end === 'LE');
        return at + n;
      });
    }
  }
  for (const end of ['LE', 'BE']) {
    both('readUInt' + end, function (at, n) {
      size(n);
      check(this, at, n);
      let v = 0;
      for (let i = 0; i < n; i++) v = v * 256 + this[end === 'BE' ? at + i : at + n - 1 - i];
      return v;
    });
    put('readInt' + end, function (at, n) {
      const v = this['readUInt' + end](at, n);
      return v >= 2 ** (8 * n - 1) ? v - 2 ** (8 * n) : v;
    });
    const write = (signed) => function (v, at, n) {
      size(n);
      within(v, signed, n);
      check(this, at, n);
      if (v < 0) v += 2 ** (8 * n);
      for (let i = 0; i < n; i++, v = Math.floor(v / 256)) this[end === 'LE' ? at + i : at + n - 1 - i] = v % 256;
      return at + n;
    };
    both('writeUInt' + end, write(false));
    put('writeInt' + end, write(true));
  }
  Object.defineProperty(G, 'Buffer', { value: Buffer, writable: true, enumerable: false, configurable: true });
})()
