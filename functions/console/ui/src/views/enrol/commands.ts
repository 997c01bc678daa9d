// What is pasted into a shell so that a device comes in; docs/devices.md is the contract behind it.
import type { ClaimFile } from '@/api/types';
import { quoted } from '@/parts/shell';

/** The claim file's name on the device. */
export const fileName = (f: ClaimFile) => `${f.claim.id.replace(/[^A-Za-z0-9._-]/g, '_')}.json`;

/** The claim file as `castor claim create` writes it. */
export const fileText = (f: ClaimFile) => `${JSON.stringify(f, null, 2)}\n`;

/** A serial that a pattern lets in, as an example. */
export function exampleOf(pattern: string): string {
  const one = pattern
    .replaceAll('*', '1')
    .replaceAll('?', '1')
    .replace(/\[\^?(.)[^\]]*\]/g, '$1');
  return one.replaceAll('\\', '') || 'device-1';
}

/** The command for a machine that has the file. Each device has a folder of its own: a machine may be several. */
export const agent = (f: ClaimFile, serial: string) =>
  `castor-agent run --claim ${quoted(fileName(f))} --dir ${quoted(`./${folderOf(serial)}`)} --serial ${quoted(serial)}`;

const folderOf = (serial: string) => serial.replace(/[^A-Za-z0-9._-]/g, '-');

/** Whether only the platform's own machine reaches a gateway. */
export const onlyHere = (gateway: string) => /^(localhost|127\..*|::1)$/i.test(addressOf(gateway).host);

/** The same for a machine that is reached by a shell only: the file goes along. */
export const agentWithFile = (f: ClaimFile, serial: string) =>
  `(umask 077; cat > ${quoted(fileName(f))}) <<'CASTOR'\n${fileText(f)}CASTOR\n${agent(f, serial)}`;

/** The steps of a device without the agent, by openssl and the Mosquitto clients. */
export function byHand(f: ClaimFile, serial: string): { title: string; code: string }[] {
  const { host, port } = addressOf(f.gateway);
  const client = serial.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, 64);
  const request = JSON.stringify({ serial, csr: '' }).slice(0, -2);
  return [
    {
      title: 'A key that never leaves the device, and a request for its certificate',
      code: `openssl ecparam -name prime256v1 -genkey -noout -out device.key
openssl req -new -key device.key -subj /CN=device -out device.csr
cat > ca.pem <<'CASTOR'
${f.ca.trim()}
CASTOR`,
    },
    {
      title: 'Ask to come in; the answer is certificate and gateway',
      code: `mosquitto_rr -h ${quoted(host)} -p ${port} --cafile ca.pem \\
  -u ${quoted(f.claim.id)} -P ${quoted(f.token)} -i ${quoted(client)} -q 1 -W 60 \\
  -t ${quoted(`castor/provision/${f.claim.type}/request`)} -e ${quoted(`castor/provision/${client}/accepted`)} \\
  -m ${quoted(request)}"$(awk '{printf "%s\\\\n", $0}' device.csr)"'"}' > bundle.json`,
    },
    {
      title: 'Confirm at its gateway, and report',
      code: `jq -r .bundle.certificate bundle.json > device.pem
ref=$(jq -r .bundle.ref bundle.json); gateway=$(jq -r .bundle.gateway bundle.json | sed 's,.*//,,')
tls="-h \${gateway%:*} -p \${gateway##*:} --cafile ca.pem --cert device.pem --key device.key -i $ref -q 1"
mosquitto_pub $tls -t castor/$ref/provision/confirm -m '{}'
mosquitto_pub $tls -t castor/$ref/telemetry -m '{"temperature": 21.5}'`,
    },
  ];
}

/** Host and port of a gateway's URL, like "tls://host:8884". */
export function addressOf(url: string): { host: string; port: string } {
  const [, host = '', port = '8883'] = /^[a-z]+:\/\/(\[[^\]]+\]|[^:/]+)(?::(\d+))?/i.exec(url) ?? [];
  return { host: host.replace(/^\[|\]$/g, ''), port };
}
