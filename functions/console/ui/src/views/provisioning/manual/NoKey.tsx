import { TriangleAlert } from 'lucide-react';
import { CodeBlock } from '@/parts/Copy';
import { quoted } from '@/parts/shell';
import s from './Manual.module.css';

/** Says what to do where the browser cannot make a key: the command line can. */
export function NoKey({ why, type, owner }: { why: string; type: string; owner: string }) {
  const name = type || 'TYPE';
  return (
    <div className={s.warning} role="alert">
      <p>
        <TriangleAlert aria-hidden />
        <span>
          <b>A secret cannot be shown here</b>: {why}. Open the console by HTTPS (<code>castor up --tls</code>) or on{' '}
          <code>localhost</code>, or bring the device in on the command line:
        </span>
      </p>
      <CodeBlock
        label="command"
        code={`castor run start ${quoted(name)} --owner ${quoted(owner || 'GROUP')} --key device.key\ncastor run confirm RUN\ncastor run bundle RUN --key device.key`}
      />
    </div>
  );
}
