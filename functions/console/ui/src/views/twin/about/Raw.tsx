import { Download } from 'lucide-react';
import { useMemo } from 'react';
import type { Twin } from '@/api/types';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { CodeBlock } from '@/parts/Copy';
import { download } from '@/parts/download';

const most = 200_000; // characters that a page shows without becoming slow

/** The document as the platform gives it, with what was heard since. */
export default function Raw({ twin }: { twin: Twin }) {
  const json = useMemo(() => JSON.stringify(twin, null, 2), [twin]);
  return (
    <Card
      title="Document"
      note="as GET /function/twins/twins/… answers"
      actions={
        <Button
          size="s"
          kind="quiet"
          icon={<Download aria-hidden />}
          onClick={() => download(`${twin.id}.json`, `${json}\n`)}
        >
          Download
        </Button>
      }
    >
      {json.length > most && <p>The document is large; here is its beginning. Download it to see all.</p>}
      <CodeBlock code={json.slice(0, most)} label="document" />
    </Card>
  );
}
