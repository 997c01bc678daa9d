import { useState } from 'react';
import { useLocation } from 'wouter';
import { drivers } from '@/api/drivers';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { Select, TextArea, TextField } from '@/parts/Field';
import form from '@/parts/Form.module.css';
import { driverHref } from '@/parts/links';
import { toast } from '@/parts/toast';
import { has, useUser } from '@/parts/useUser';
import { useStale } from '../Deeds';
import { nextVersion } from '../drivers';
import { type Draft, sourceOfDraft } from './draft';

const nameForm = /^[A-Za-z0-9._-]{1,64}$/;
const versionForm = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/;

/** Publishes a draft as a version. Its tests run before it is taken; each that fails is told. */
export function Publish({
  draft: d,
  owner,
  fresh,
  versions,
  onClose,
}: {
  draft: Draft;
  owner?: string;
  /** It is a driver that is not there yet. */
  fresh: boolean;
  versions: readonly string[];
  onClose: () => void;
}) {
  const user = useUser();
  const stale = useStale();
  const [, go] = useLocation();
  const groups = user?.groups ?? [];
  const platforms = has(user, 'maintainer');
  const [name, setName] = useState(d.about.name);
  const [version, setVersion] = useState(fresh ? d.about.version : nextVersion(versions[0] ?? d.about.version));
  const [firmware, setFirmware] = useState(d.about.firmware ?? '');
  const [title, setTitle] = useState(d.about.title ?? '');
  const [note, setNote] = useState('');
  const [group, setGroup] = useState(owner ?? groups[0] ?? '');
  const badName = name && !nameForm.test(name) ? 'Letters, digits and . - _ only, at most 64: acme-th1.' : '';
  const badVersion = !versionForm.test(version)
    ? 'A semantic version has three numbers: 1.2.0.'
    : versions.includes(version)
      ? `There is a version ${version}, and it never changes: give the next one.`
      : '';
  const publish = async () => {
    const about = { ...d.about, name, version, firmware: firmware.trim(), title: title.trim(), note: note.trim() };
    const given = Object.fromEntries(Object.entries(about).filter(([, v]) => v !== ''));
    const v = await drivers.publish({
      ...sourceOfDraft({ ...d, about: { name, version } }, given),
      ...(fresh && group && { owner: group }),
    });
    stale(name);
    toast.done(`${name} ${v.version} is published; no device uses it yet`);
    go(driverHref(name));
  };
  return (
    <ConfirmDialog
      onClose={onClose}
      title={fresh ? 'Publish the driver' : `Publish a version of ${name}`}
      note="Its tests run first. No device uses it before it is tried on some, or promoted."
      verb="Publish"
      disabled={!name || !!badName || !!badVersion || d.tests.length === 0}
      work={publish}
    >
      {d.tests.length === 0 && (
        <p className={form.refused}>A driver needs at least one test: run a message and add it as one.</p>
      )}
      <div className={form.two}>
        {fresh && (
          <TextField
            label="Name"
            placeholder="acme-th1"
            hint="Types name it. It cannot be changed later."
            maxLength={64}
            error={badName}
            value={name}
            onChange={(e) => setName(e.target.value)}
          />
        )}
        <TextField
          label="Version"
          maxLength={64}
          error={badVersion}
          value={version}
          onChange={(e) => setVersion(e.target.value)}
        />
        <TextField
          label="Firmware"
          placeholder="all"
          hint="The range it is for: >=1.2 <2"
          maxLength={128}
          value={firmware}
          onChange={(e) => setFirmware(e.target.value)}
        />
        <TextField label="Title" maxLength={128} dir="auto" value={title} onChange={(e) => setTitle(e.target.value)} />
        {fresh && (
          <Select
            label="Belongs to"
            hint="Its people publish versions."
            value={group}
            onChange={(e) => setGroup(e.target.value)}
          >
            {groups.map((g) => (
              <option key={g} value={g}>
                {g}
              </option>
            ))}
            {platforms && <option value="">the platform: everybody may use it</option>}
          </Select>
        )}
      </div>
      <TextArea
        label="What is new"
        rows={2}
        maxLength={500}
        dir="auto"
        value={note}
        onChange={(e) => setNote(e.target.value)}
      />
    </ConfirmDialog>
  );
}
