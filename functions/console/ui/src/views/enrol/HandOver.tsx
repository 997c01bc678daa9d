import { Download } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Claim } from '@/api/types';
import { Button, ButtonLink } from '@/parts/Button';
import { Card, Facts } from '@/parts/Card';
import { CodeBlock } from '@/parts/Copy';
import { ClaimQr } from '@/parts/claim/ClaimQr';
import { serialsOf } from '@/parts/claim/claim';
import type { Given } from '@/parts/claim/given';
import { RevokeButton } from '@/parts/claim/RevokeClaim';
import { download } from '@/parts/download';
import { count } from '@/parts/format';
import { Tabs } from '@/parts/Tabs';
import { Time } from '@/parts/Time';
import { useParam } from '@/parts/useParam';
import { addressOf } from './address';
import { agent, agentWithFile, byHand, exampleOf, fileName, fileText, onlyHere } from './commands';
import s from './Watch.module.css';

/** Everything that a device or who installs it needs: the file, its QR code, and commands to paste. */
export function HandOver({ given: { file, serial } }: { given: Given }) {
  const [tab, setTab] = useParam('by', 'agent');
  const one = serial || exampleOf(file.claim.serials ?? '');
  const example = serial ? null : (
    <p>
      Each device has a serial of its own: put it in place of <code>{one}</code>.
    </p>
  );
  return (
    <Card title="Hand it over" note="shown this once" actions={<RevokeButton claim={file.claim} />}>
      <div className={s.head}>
        <div className={s.get}>
          <p className={s.once}>
            The claim file holds a secret that the platform does not tell again. Download it, or copy a command, before
            you leave this page.
          </p>
          <Button
            kind="primary"
            icon={<Download aria-hidden />}
            onClick={() => download(fileName(file), fileText(file))}
          >
            Download the claim file
          </Button>
          {onlyHere(file.gateway) && (
            <p className={s.once} role="note">
              Only the platform’s own machine reaches <code>{file.gateway}</code>. For others, start the platform with{' '}
              <code>castor up --hosts NAME --provisioning 0.0.0.0:8884 --operational 0.0.0.0:8883</code>, NAME being the
              name or address by which they reach it, and make a new claim.
            </p>
          )}
          <div className={s.facts}>
            <ClaimFacts claim={file.claim} gateway={file.gateway} />
          </div>
        </div>
        <div className={s.qr}>
          <ClaimQr file={file} />
          <p>
            The claim for devices with a camera, and for <code>castor-agent run --claim</code>. It is as secret as the
            file.
          </p>
        </div>
      </div>
      <div className={s.ways}>
        <Tabs
          label="How the device comes in"
          value={tab}
          onChange={setTab}
          tabs={[
            {
              id: 'agent',
              label: 'castor-agent',
              content: (
                <div className={s.way}>
                  {example}
                  <p>
                    <code>make build</code> makes the program: copy <code>bin/castor-agent</code> to the device, into
                    its <code>PATH</code>.
                  </p>
                  <Part title={<b>On the device, beside the claim file</b>} label="command" code={agent(file, one)} />
                  <Part
                    title={
                      <>
                        <b>Or all in one paste,</b> where the device is reached by a shell: it writes the file, too.
                      </>
                    }
                    label="command with the claim file"
                    code={agentWithFile(file, one)}
                  />
                </div>
              ),
            },
            {
              id: 'mqtt',
              label: 'MQTT by hand',
              content: (
                <div className={s.way}>
                  {example}
                  <p>
                    What a device without the agent does, with <code>openssl</code>, <code>jq</code> and the Mosquitto
                    clients. Where the answer does not come, the reason is shown here.
                  </p>
                  {byHand(file, one).map((p, i) => (
                    <Part
                      key={p.title}
                      title={
                        <>
                          <b>{i + 1}.</b> {p.title}
                        </>
                      }
                      label={`commands, part ${i + 1}`}
                      code={p.code}
                    />
                  ))}
                </div>
              ),
            },
            {
              id: 'address',
              label: 'Address and CA',
              content: (
                <div className={s.way}>
                  <p>For devices that are set up by other means. User name is the claim’s id, password its token.</p>
                  <Part title={<b>Provisioning gateway</b>} label="address" code={file.gateway} />
                  <Part title={<b>User name</b>} label="user name" code={file.claim.id} />
                  <Part title={<b>Password</b>} label="password" code={file.token} />
                  <Part title={<b>CA certificate</b>} label="certificate" code={file.ca} />
                </div>
              ),
            },
          ]}
        />
      </div>
    </Card>
  );
}

/** Something to be pasted, under its heading. */
function Part({ title, label, code }: { title: ReactNode; label: string; code: string }) {
  return (
    <section className={s.part}>
      <h3>{title}</h3>
      <CodeBlock label={label} code={code} />
    </section>
  );
}

/** In place of the hand-over when nothing more comes in with the claim. */
export function UsedUp({ claim }: { claim: Claim }) {
  return (
    <Card title="The claim is used up">
      <div className={s.gone}>
        <p>Its file lets nobody in any more, and may be deleted. For another device, make another claim.</p>
        <ClaimFacts claim={claim} />
        <div>
          <ButtonLink href={addressOf({ step: 'device', type: claim.type })}>Enrol another device</ButtonLink>
        </div>
      </div>
    </Card>
  );
}

/** In place of the hand-over when the page was left since: the secret is nowhere any more. */
export function HandedOver({ claim }: { claim: Claim }) {
  return (
    <Card title={claim.revoked ? 'Revoked' : 'Handed over'} actions={<RevokeButton claim={claim} />}>
      <div className={s.gone}>
        <p>
          {claim.revoked
            ? 'The claim file lets nobody in any more. For another device, make another claim.'
            : 'The claim file was shown when the claim was made, and cannot be shown again. A device that has it can still come in; if it is lost, make a new claim and revoke this one.'}
        </p>
        <ClaimFacts claim={claim} />
        <div>
          <ButtonLink href={addressOf({ step: 'device', type: claim.type })}>Make a new claim</ButtonLink>
        </div>
      </div>
    </Card>
  );
}

function ClaimFacts({ claim, gateway }: { claim: Claim; gateway?: string }) {
  const items: Parameters<typeof Facts>[0]['items'] = [
    ['Claim', <code key="c">{claim.id}</code>],
    ['For', <ForWhich key="f" claim={claim} />],
    ['Owner', <bdi key="o">{claim.owner}</bdi>],
    ['Good until', <Time key="t" at={claim.expires} exact />],
  ];
  if (claim.batch) items.push(['Batch', <bdi key="b">{claim.batch}</bdi>]);
  if (claim.note)
    items.push([
      'Note',
      <span key="n" dir="auto">
        {claim.note}
      </span>,
    ]);
  if (gateway) items.push(['Dials', <code key="g">{gateway}</code>]);
  return <Facts items={items} />;
}

/** Which devices a claim lets in. */
export function ForWhich({ claim: c }: { claim: Claim }) {
  return (
    <>
      {c.maxUses === 1 ? 'one' : count(c.maxUses)} <bdi>{c.type}</bdi>, {c.serials && !c.listed && 'serial '}
      <bdi>{serialsOf(c)}</bdi>
    </>
  );
}
