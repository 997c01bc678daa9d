// What V8 does otherwise than QuickJS, where a codec's answer can tell: vendors write and test their codecs on V8. The script is
// evaluated beside the prelude for codecs whose text names one of these functions.
(function () {
  'use strict';
  const hidden = (object, name, value) => Object.defineProperty(object, name, { value, writable: true, enumerable: false, configurable: true });
  // Methods of an object literal have no prototype and cannot be constructed, as those of the language.
  const install = (object, methods) => {
    for (const name of Object.keys(methods)) hidden(object, name, methods[name]);
  };
  const { isArray } = Array;
  const { abs, sqrt, max } = Math;

  // QuickJS's own answers with negative numbers.
  const { asIntN } = BigInt;
  install(BigInt, {
    asUintN(bits, value) {
      const v = asIntN(bits, value);
      return v < 0n ? v + (1n << BigInt(bits)) : v;
    },
  });

  install(Math, {
    // The sum of squares is compensated (Kahan), so that the last digit is the same.
    hypot(...values) {
      const list = values.map((v) => abs(v));
      if (list.includes(Infinity)) return Infinity;
      let most = 0;
      for (const v of list) {
        if (v !== v) return NaN;
        most = max(most, v);
      }
      if (most === 0) return 0;
      let sum = 0;
      let lost = 0;
      for (const v of list) {
        const part = v / most;
        const square = part * part - lost;
        const next = sum + square;
        lost = next - sum - square;
        sum = next;
      }
      return sqrt(sum) * most;
    },
  });
  Object.defineProperty(Math.hypot, 'length', { value: 2, configurable: true });

  // A comparison that is none, like (a, b) => a > b, orders as V8's way through the list has it. Up to 63 elements that is a run
  // and binary insertion; more are left to QuickJS.
  const { sort, slice } = Array.prototype;
  const order = (list, compare) => {
    const less = (a, b) => Number(compare(a, b)) < 0;
    const down = less(list[1], list[0]);
    let run = 2;
    while (run < list.length && less(list[run], list[run - 1]) === down) run++;
    if (down) for (let i = 0, k = run - 1; i < k; i++, k--) [list[i], list[k]] = [list[k], list[i]];
    for (let at = run; at < list.length; at++) {
      const one = list[at];
      let left = 0;
      let right = at;
      while (left < right) {
        const mid = (left + right) >> 1;
        if (less(one, list[mid])) right = mid;
        else left = mid + 1;
      }
      for (let i = at; i > left; i--) list[i] = list[i - 1];
      list[left] = one;
    }
  };
  install(Array.prototype, {
    sort(compare) {
      if (typeof compare !== 'function' || !isArray(this) || this.length < 2 || this.length > 63) return Reflect.apply(sort, this, [compare]);
      const list = [];
      let gone = 0;
      for (let i = 0; i < this.length; i++) {
        if (!(i in this)) gone++;
        else if (this[i] !== undefined) list[list.length] = this[i];
      }
      const length = this.length;
      if (list.length > 1) order(list, compare);
      for (let i = 0; i < length; i++) {
        if (i < length - gone) this[i] = list[i];
        else delete this[i];
      }
      return this;
    },
    toSorted(compare) { return Reflect.apply(slice, this, [0]).sort(compare); },
  });

  // The order of CLDR's root for ASCII and Latin letters with marks: by letter, then by mark, then small before large.
  const ascii = '\t\n\v\f\r _-,;:!?.\'"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz';
  const weights = (text, numeric) => {
    const letters = [];
    let marks = '';
    let large = '';
    for (let i = 0; i < text.length; i++) {
      const c = text[i];
      if (c >= '\u0300' && c <= '\u036f') {
        marks += String.fromCharCode(letters.length) + c;
        continue;
      }
      if (c < '\t' || (c > '\r' && c < ' ') || c === '\x7f') continue;
      const small = c.toLowerCase();
      const at = ascii.indexOf(small);
      large += c === small ? '0' : '1';
      if (numeric && c >= '0' && c <= '9') {
        let end = i + 1;
        while (text[end] >= '0' && text[end] <= '9') end++;
        letters.push(ascii.indexOf('0'), Number(text.slice(i, end)));
        i = end - 1;
      } else letters.push(at >= 0 ? at : 1000 + small.charCodeAt(0));
    }
    return { letters, marks, large };
  };
  const sign = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  install(String.prototype, {
    localeCompare(that, locales, options) {
      if (this === undefined || this === null) throw new TypeError('String.prototype.localeCompare called on null or undefined');
      const numeric = options !== undefined && options.numeric === true;
      const kind = (options !== undefined && options.sensitivity) || 'variant';
      const a = weights(String(this).normalize('NFD'), numeric);
      const b = weights(String(that).normalize('NFD'), numeric);
      for (let i = 0; i < a.letters.length && i < b.letters.length; i++) {
        const s = sign(a.letters[i], b.letters[i]);
        if (s !== 0) return s;
      }
      return (
        sign(a.letters.length, b.letters.length) ||
        (kind === 'variant' || kind === 'accent' ? sign(a.marks, b.marks) : 0) ||
        (kind === 'variant' || kind === 'case' ? sign(a.large, b.large) : 0)
      );
    },
  });
  Object.defineProperty(String.prototype.localeCompare, 'length', { value: 1, configurable: true });
})()
