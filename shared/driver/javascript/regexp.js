// RegExp.$1 and its like, which old codecs read after a match: of the last one anywhere.
(function () {
  'use strict';
  const { exec } = RegExp.prototype;
  let last = null;
  const method = {
    exec(text) {
      const found = Reflect.apply(exec, this, [text]);
      if (found !== null) last = found;
      return found;
    },
  };
  Object.defineProperty(RegExp.prototype, 'exec', { value: method.exec, writable: true, enumerable: false, configurable: true });
  const tell = (names, of) => {
    for (const name of names) Object.defineProperty(RegExp, name, { get: () => (last === null ? '' : of(last) ?? ''), set() {}, enumerable: false, configurable: true });
  };
  for (let i = 1; i <= 9; i++) tell(['$' + i], (m) => m[i]);
  tell(['lastMatch', '$&'], (m) => m[0]);
  tell(['lastParen', '$+'], (m) => (m.length > 1 ? m[m.length - 1] : ''));
  tell(['leftContext', '$`'], (m) => m.input.slice(0, m.index));
  tell(['rightContext', "$'"], (m) => m.input.slice(m.index + m[0].length));
  tell(['input', '$_'], (m) => m.input);
})()
