// What browsers and Node.js have beside the language and codecs use: text of bytes, base64, and copies of objects.
(function () {
  'use strict';
  const G = globalThis;
  const hidden = (object, name, value) => Object.defineProperty(object, name, { value, writable: true, enumerable: false, configurable: true });
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const octets = (v) => {
    if (v === undefined) return new Uint8Array();
    if (v instanceof ArrayBuffer) return new Uint8Array(v);
    if (ArrayBuffer.isView(v)) return new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
    throw new TypeError('The "list" argument must be an instance of ArrayBuffer or ArrayBufferView.');
  };

  // A wrong byte ends a character where the Encoding Standard has it, and stands as U+FFFD.
  const fromUTF8 = (b, fatal) => {
    let s = '';
    const wrong = () => {
      if (fatal) throw new TypeError('The encoded data was not valid for encoding utf-8');
      s += '\ufffd';
    };
    for (let i = 0; i < b.length; ) {
      const v = b[i++];
      if (v < 0x80) {
        s += String.fromCharCode(v);
        continue;
      }
      const more = v >= 0xc2 && v < 0xe0 ? 1 : v >= 0xe0 && v < 0xf0 ? 2 : v >= 0xf0 && v < 0xf5 ? 3 : 0;
      let low = v === 0xe0 ? 0xa0 : v === 0xf0 ? 0x90 : 0x80;
      let high = v === 0xed ? 0x9f : v === 0xf4 ? 0x8f : 0xbf;
      let p = v & (0x3f >> more);
      let k = 0;
      for (; k < more && b[i] >= low && b[i] <= high; k++) {
        p = (p << 6) | (b[i++] & 63);
        low = 0x80;
        high = 0xbf;
      }
      if (more === 0 || k < more) wrong();
      else s += String.fromCodePoint(p);
    }
    return s;
  };
  const labels = { 'utf-8': 'utf-8', utf8: 'utf-8', 'unicode-1-1-utf-8': 'utf-8', ascii: 'latin1', 'us-ascii': 'latin1', latin1: 'latin1', 'iso-8859-1': 'latin1', 'windows-1252': 'latin1', 'utf-16le': 'utf-16le', 'utf-16': 'utf-16le' };
  class TextDecoder {
    #kind;
    #options;
    constructor(label = 'utf-8', options = {}) {
      this.#kind = labels[String(label).trim().toLowerCase()];
      this.#options = options ?? {};
      if (this.#kind === undefined) throw new RangeError(`The "${label}" encoding is not supported`);
    }
    get encoding() { return this.#kind === 'latin1' ? 'windows-1252' : this.#kind; }
    get fatal() { return Boolean(this.#options.fatal); }
    get ignoreBOM() { return Boolean(this.#options.ignoreBOM); }
    decode(v) {
      const b = octets(v);
      let s = '';
      if (this.#kind === 'utf-8') s = fromUTF8(b, this.fatal);
      else if (this.#kind === 'latin1') for (const c of b) s += c >= 0x80 && c < 0xa0 ? windows[c - 0x80] : String.fromCharCode(c);
      else for (let i = 0; i < b.length; i += 2) s += i + 1 < b.length ? String.fromCharCode(b[i] | (b[i + 1] << 8)) : '\ufffd';
      return s[0] === '\ufeff' && !this.ignoreBOM ? s.slice(1) : s;
    }
  }
  const windows = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';
  class TextEncoder {
    get encoding() { return 'utf-8'; }
    encode(v = '') {
      const text = unescape(encodeURIComponent(String(v).toWellFormed()));
      const out = new Uint8Array(text.length);
      for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
      return out;
    }
  }
  hidden(G, 'TextDecoder', TextDecoder);
  hidden(G, 'TextEncoder', TextEncoder);

  const refused = (name, text) => {
    const e = new Error(text);
    hidden(e, 'name', name);
    return e;
  };
  hidden(G, 'btoa', function btoa(v) {
    const s = String(v);
    let out = '';
    for (let i = 0; i < s.length; i += 3) {
      const n = [0, 1, 2].map((k) => (i + k < s.length ? s.charCodeAt(i + k) : 0));
      if (n.some((c) => c > 255)) throw refused('InvalidCharacterError', 'Invalid character');
      const w = (n[0] << 16) | (n[1] << 8) | n[2];
      out += alphabet[w >> 18] + alphabet[(w >> 12) & 63] + (i + 1 < s.length ? alphabet[(w >> 6) & 63] : '=') + (i + 2 < s.length ? alphabet[w & 63] : '=');
    }
    return out;
  });
  hidden(G, 'atob', function atob(v) {
    let s = String(v).replace(/[\t\n\f\r ]/g, '');
    if (s.length % 4 === 0) s = s.replace(/==?$/, '');
    if (s.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(s)) throw refused('InvalidCharacterError', 'The string to be decoded is not correctly encoded.');
    let out = '';
    let bits = 0;
    for (let i = 0, n = 0; i < s.length; i++) {
      bits = ((bits << 6) | alphabet.indexOf(s[i])) & 0xffffff;
      n += 6;
      if (n >= 8) out += String.fromCharCode((bits >> (n -= 8)) & 255);
    }
    return out;
  });

  const copy = (v, seen) => {
    if (typeof v === 'function' || typeof v === 'symbol') throw refused('DataCloneError', String(v) + ' could not be cloned.');
    if (typeof v !== 'object' || v === null) return v;
    if (seen.has(v)) return seen.get(v);
    const keep = (to) => {
      seen.set(v, to);
      return to;
    };
    if (v instanceof Date) return keep(new Date(v.getTime()));
    if (v instanceof RegExp) return keep(new RegExp(v.source, v.flags));
    if (v instanceof ArrayBuffer) return keep(v.slice(0));
    if (v instanceof DataView) return keep(new DataView(copy(v.buffer, seen), v.byteOffset, v.byteLength));
    if (ArrayBuffer.isView(v)) return keep(new G[v[Symbol.toStringTag]](v));
    if (v instanceof Map) {
      const to = keep(new Map());
      for (const [k, e] of v) to.set(copy(k, seen), copy(e, seen));
      return to;
    }
    if (v instanceof Set) {
      const to = keep(new Set());
      for (const e of v) to.add(copy(e, seen));
      return to;
    }
    const to = keep(Array.isArray(v) ? new Array(v.length) : {});
    for (const k of Object.keys(v)) to[k] = copy(v[k], seen);
    return to;
  };
  hidden(G, 'structuredClone', function structuredClone(v) { return copy(v, new Map()); });
})()
