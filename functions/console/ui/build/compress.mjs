// Puts FILE.br and FILE.gz beside every asset that gains by it, so that the function never compresses, and says what a first load costs.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const dir = new URL('../../dist/ui/', import.meta.url).pathname;
const assets = join(dir, 'assets');
const sizes = new Map();
for (const name of readdirSync(assets)) {
  if (!/\.(js|css|svg|json|map)$/.test(name)) continue;
  const file = join(assets, name);
  const plain = readFileSync(file);
  const br = brotliCompressSync(plain, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length },
  });
  writeFileSync(`${file}.br`, br);
  writeFileSync(`${file}.gz`, gzipSync(plain, { level: 9 }));
  sizes.set(name, br.length);
}
const html = readFileSync(join(dir, 'index.html'), 'utf8');
const first = [...html.matchAll(/assets\/([^"]+\.js)"/g)].map((m) => m[1]);
const sum = first.reduce((n, name) => n + (sizes.get(name) ?? 0), 0);
console.log(`first load: ${first.length} scripts, ${(sum / 1024).toFixed(1)} KB compressed`);
