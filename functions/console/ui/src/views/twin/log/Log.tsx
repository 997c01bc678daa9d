import { useInfiniteQuery } from '@tanstack/react-query';
import { ScrollText } from 'lucide-react';
import { memo, useState } from 'react';
import { now } from '@/api/clock';
import { keys } from '@/api/queries';
import { Card } from '@/parts/Card';
import { cx } from '@/parts/cx';
import { Select, TextField } from '@/parts/Field';
import { clockTime, dayTime, utc } from '@/parts/format';
import { More } from '@/parts/Listed';
import { Empty, Failure, Skeleton } from '@/parts/States';
import { useParam } from '@/parts/useParam';
import s from './Log.module.css';
import { type Line, type LinePage, readLines } from './lines';

const back = 30 * 86_400_000; // the log that is looked through
const every = 4_000; // ms between looks for new lines, while only the newest page is shown

/** What the device's apps say, newest first. New lines come by themselves. */
export default function Log({ twin }: { twin: string }) {
  const [from] = useState(() => new Date(now() - back).toISOString());
  const [app, setApp] = useParam('app');
  const [level, setLevel] = useParam('level');
  const [words, setWords] = useState('');
  const log = useInfiniteQuery({
    queryKey: keys.history(twin, { log: from }),
    queryFn: ({ signal, pageParam }) => readLines(twin, from, pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last: LinePage) => last.next,
    refetchInterval: (q) => ((q.state.data?.pages.length ?? 0) > 1 ? false : every),
  });
  if (log.isPending) return <Skeleton lines={8} />;
  if (log.isError && !log.data) {
    return <Failure error={log.error} what="The log could not be read" retry={() => void log.refetch()} />;
  }
  const all = log.data.pages.flatMap((p) => p.lines);
  if (all.length === 0 && !log.hasNextPage) {
    return (
      <Empty icon={<ScrollText aria-hidden />} title="No log lines in 30 days">
        What the device’s apps write to the platform appears here by itself, and why a driver could not read a message.
      </Empty>
    );
  }
  const low = words.toLowerCase();
  const lines = all.filter(
    (l) => (!app || l.app === app) && (!level || l.level === level) && (!low || l.text.toLowerCase().includes(low)),
  );
  return (
    <Card
      title="Log"
      note="last 30 days, newest first"
      flush
      actions={
        <div className={s.filters}>
          <TextField
            label="Find in the lines"
            bare
            type="search"
            placeholder="Find"
            value={words}
            onChange={(e) => setWords(e.target.value)}
          />
          <Choice label="App" value={app} of={all.map((l) => l.app)} onChange={setApp} />
          <Choice label="Level" value={level} of={all.map((l) => l.level)} onChange={setLevel} />
        </div>
      }
    >
      {lines.length === 0 ? (
        <p className={s.none}>Nothing of what was read so far matches.</p>
      ) : (
        <ol className={s.lines}>
          {lines.map((l) => (
            <OneLine key={l.key} line={l} />
          ))}
        </ol>
      )}
      {log.hasNextPage && (
        <More busy={log.isFetchingNextPage} onClick={() => void log.fetchNextPage()}>
          Show older
        </More>
      )}
    </Card>
  );
}

function Choice({
  label,
  value,
  of,
  onChange,
}: {
  label: string;
  value: string;
  of: string[];
  onChange: (v: string) => void;
}) {
  const options = [...new Set([...of, value])].filter(Boolean).sort();
  if (options.length === 0) return null;
  return (
    <Select label={label} bare value={value} onChange={(e) => onChange(e.target.value)}>
      <option value="">{label}: all</option>
      {options.map((o) => (
        <option key={o} value={o}>
          {o.slice(0, 60)}
        </option>
      ))}
    </Select>
  );
}

const bad = /^(error|fatal|panic|critical|emerg|alert|err)/;

const OneLine = memo(function OneLine({ line: { at, app, level, text } }: { line: Line }) {
  const t = Date.parse(at);
  const today = now() - t < 86_400_000;
  return (
    <li className={cx(s.line, bad.test(level) && s.bad, level.startsWith('warn') && s.warn)}>
      <time dateTime={at} title={utc(t)}>
        {today ? clockTime(t) : dayTime(t)}
      </time>
      <span className={s.level}>{level}</span>
      <bdi className={s.app} title={app}>
        {app}
      </bdi>
      <span className={s.text} dir="auto">
        {text}
      </span>
    </li>
  );
});
