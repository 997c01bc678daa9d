import { Printer } from 'lucide-react';
import { Button, ButtonLink } from '@/parts/Button';
import { ClaimQr } from '@/parts/claim/ClaimQr';
import { protocolOf, serialsOf } from '@/parts/claim/claim';
import { type Given, given } from '@/parts/claim/given';
import { dayTime, plural } from '@/parts/format';
import { Page } from '@/parts/Page';
import { Empty } from '@/parts/States';
import { useParam } from '@/parts/useParam';
import s from './Labels.module.css';

/** The labels of a batch that was made on this page, to be printed: the secrets in them are told once. */
export default function Labels() {
  const [batch] = useParam('batch');
  const up = { href: `/claims?batch=${encodeURIComponent(batch)}`, label: 'Claims' };
  const made = given.all().filter((g) => (g.file.claim.batch ?? '') === batch);
  if (made.length === 0)
    return (
      <Page title="Labels" up={up}>
        <Empty
          title="The labels cannot be shown again"
          action={<ButtonLink href="/claims/new">Make new claims</ButtonLink>}
        >
          What stands in a label is a secret that the platform tells once, when the claim is made. Make new claims for
          the devices that have none, and revoke those that are lost.
        </Empty>
      </Page>
    );
  return (
    <Page
      title={`Labels of ${batch}`}
      up={up}
      note={`${plural(made.length, 'claim')}. Print them before you leave this page: they cannot be shown again.`}
      actions={
        <Button kind="primary" icon={<Printer aria-hidden />} onClick={() => window.print()}>
          Print
        </Button>
      }
    >
      <ul className={s.labels}>
        {made.map((g) => (
          <Label key={g.file.claim.id} given={g} />
        ))}
      </ul>
    </Page>
  );
}

function Label({ given: { file, serial } }: { given: Given }) {
  const c = file.claim;
  return (
    <li className={s.label}>
      <div className={s.qr}>
        <ClaimQr file={file} />
      </div>
      <div className={s.said}>
        <b dir="auto">{serial || serialsOf(c)}</b>
        <span dir="auto">{c.type}</span>
        <span>
          until {dayTime(Date.parse(c.expires))} · {protocolOf(file.gateway)}
        </span>
        <code>{c.id}</code>
      </div>
    </li>
  );
}
