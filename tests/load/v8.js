// Runs the vectors that it gets on the standard input, and answers as shared/driver/javascript does: the codec's text per vector.
const vm = require('vm');
const ask = `(function () {
  var i = JSON.parse(__call), f = function (name) { try { return eval(name); } catch (e) { return undefined; } };
  i.recvTime = i.recvTime === undefined ? new Date() : new Date(i.recvTime);
  var own = f(i.op), r;
  if (own) r = own(i);
  else if (i.op === 'decodeUplink' && f('Decoder')) r = {data: f('Decoder')(i.bytes, i.fPort)};
  else if (i.op === 'decodeUplink' && f('Decode')) r = {data: f('Decode')(i.fPort, i.bytes, i.variables || {})};
  else if (i.op === 'encodeDownlink' && f('Encoder')) r = {bytes: f('Encoder')(i.data, i.fPort), fPort: i.fPort};
  else if (i.op === 'encodeDownlink' && f('Encode')) r = {bytes: f('Encode')(i.fPort, i.data, i.variables || {}), fPort: i.fPort};
  else return '{"missing":true}';
  if (r === undefined || r === null) return '{"none":true}';
  return JSON.stringify({data: r.data, bytes: r.bytes && Array.from(r.bytes), fPort: r.fPort,
    warnings: r.warnings ? [].concat(r.warnings).map(String) : undefined, errors: r.errors ? [].concat(r.errors).map(String) : undefined});
})()`;
const quiet = { log() {}, warn() {}, error() {}, info() {}, debug() {} };
const out = {};
for (const [key, suite] of Object.entries(JSON.parse(require('fs').readFileSync(0)))) {
  out[key] = suite.calls.map((call) => {
    const context = vm.createContext({ Buffer, console: quiet, __call: JSON.stringify(call), module: { exports: {} }, exports: {} });
    try {
      vm.runInContext(suite.code, context, { timeout: 2000 });
      return vm.runInContext(ask, context, { timeout: 2000 });
    } catch (e) {
      return JSON.stringify({ thrown: String(e && e.message), kind: String(e && e.name) });
    }
  });
}
console.log(JSON.stringify(out));
