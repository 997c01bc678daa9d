import { useSyncExternalStore } from 'react';
import { type LiveState, live } from '@/live/live';
import { cx } from '@/parts/cx';
import { Tooltip } from '@/parts/Tooltip';
import s from './LiveMark.module.css';

const words: Record<LiveState, [word: string, why: string]> = {
  live: ['Live', 'Changes show as they happen.'],
  connecting: ['Connecting', 'The stream of changes is being opened.'],
  reconnecting: ['Reconnecting', 'The stream of changes is cut, and is being opened again.'],
  polling: ['Polling', 'The stream of changes is cut. Lists are read again every 5 seconds; it comes back by itself.'],
  away: [
    'No connection',
    'The platform does not answer. What is shown is what was last known; this page tries again by itself.',
  ],
  off: ['Off', 'Nobody is signed in.'],
};

/** Says whether what is shown is up to date. */
export function LiveMark() {
  const state = useSyncExternalStore(live.subscribeState, live.getState);
  const [word, why] = words[state];
  return (
    <Tooltip text={why} side="bottom">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the explanation must be had by keyboard too */}
      <span className={cx(s.mark, s[state])} role="status" tabIndex={0}>
        <span className={s.dot} aria-hidden />
        {word}
      </span>
    </Tooltip>
  );
}
