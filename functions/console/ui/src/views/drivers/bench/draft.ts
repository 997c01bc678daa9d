// A driver that is being written: as it is edited, and as it is sent.
import type { DriverKind, DriverSource, DriverTest } from '@/api/types';
import { decodeText, encodeText } from './bytes';

export interface Draft {
  /** What is published with the code, without code and tests. */
  about: Omit<DriverSource, 'code' | 'tests' | 'kind'>;
  kind: DriverKind;
  /** The script or document; '' for a module. */
  text: string;
  /** A WebAssembly module, base64. */
  module: string;
  tests: readonly DriverTest[];
}

const none: readonly DriverTest[] = [];

/** A published version, to be looked at and changed. */
export function draftOf(d: DriverSource): Draft {
  const { code: sent, tests, kind, ...about } = d;
  const code = sent ?? '';
  const text = kind === 'wasm' ? '' : (decodeText(code) ?? '');
  return { about, kind, text, module: kind === 'wasm' ? code : '', tests: tests ?? none };
}

/** The draft as the platform takes it. One without a name gets one for the trial. */
export function sourceOfDraft(d: Draft, about: Partial<DriverSource> = {}): DriverSource {
  const code = d.kind === 'wasm' ? d.module : encodeText(d.text);
  const wanted = { ...d.about, ...about };
  return {
    ...wanted,
    name: wanted.name || 'draft',
    version: wanted.version || '0.0.1',
    kind: d.kind,
    code,
    ...(d.tests.length && { tests: [...d.tests] }),
  };
}

/** Whether two drafts read messages alike and have the same tests. */
export const same = (a: Draft, b: Draft) =>
  a.kind === b.kind && a.text === b.text && a.module === b.module && a.tests === b.tests;

/** Whether there is something to run. */
export const isThere = (d: Draft) => (d.kind === 'wasm' ? d.module !== '' : d.text.trim() !== '');

const call = (bytes: string, data: unknown): Pick<DriverTest, 'op' | 'bytes' | 'want'> => ({
  op: 'decodeUplink',
  bytes,
  want: { data },
});
const tests: DriverTest[] = [
  { name: 'a warm day', ...call('CJhk', { temperature: 22, humidity: 50 }) },
  { name: 'frost', ...call('/zjI', { temperature: -2, humidity: 100 }) },
];

const begin = { name: '', version: '1.0.0' };

/** What a driver is begun with: it runs, and its tests pass. */
export const examples: Record<DriverKind, Draft> = {
  javascript: {
    about: begin,
    kind: 'javascript',
    module: '',
    tests,
    text: `// A codec as LoRa Alliance TS013 describes it. The temperature is in the first two bytes, in hundredths of a degree.
function decodeUplink(input) {
  var b = input.bytes;
  if (b.length < 3) {
    return { errors: ['the frame has ' + b.length + ' bytes, 3 are needed'] };
  }
  var raw = (b[0] << 8) | b[1];
  if (raw > 0x7fff) {
    raw -= 0x10000;
  }
  return { data: { temperature: raw / 100, humidity: b[2] / 2 } };
}
`,
  },
  declarative: {
    about: begin,
    kind: 'declarative',
    module: '',
    tests,
    text: `# Where each value is in the device's message.
castor: 1
uplink:
  - name: measurement
    fields:
      - { name: temperature, type: i16, scale: 0.01, unit: Cel }
      - { name: humidity, type: u8, scale: 0.5, unit: "%" }
`,
  },
  wasm: { about: begin, kind: 'wasm', module: '', tests: [], text: '' },
};
