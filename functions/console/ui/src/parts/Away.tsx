import { useEffect, useState } from 'react';
import { Failure } from './States';

const between = 2_000; // ms between two questions whether the platform is back
const once = 30_000; // ms in which the page loads itself anew only once

/**
 * A part of the page did not come. While the platform does not answer, the page asks again by itself, and loads itself anew when it is
 * back. A platform that answers was upgraded and has other parts now: the page is loaded anew at once. If that did not help, a person decides.
 */
export function Away() {
  const [helpless, setHelpless] = useState(false);
  useEffect(() => {
    const stop = new AbortController();
    void (async () => {
      while (!(await answers(stop.signal))) {
        await new Promise((r) => setTimeout(r, between));
        if (stop.signal.aborted) return;
      }
      if (stop.signal.aborted) return;
      if (Date.now() - loadedAnew() < once) setHelpless(true);
      else loadAnew();
    })();
    return () => stop.abort();
  }, []);
  return helpless ? (
    <Failure
      error={new Error('A part of the console cannot be loaded. The platform’s log tells why.')}
      what="This view has failed"
      retry={loadAnew}
    />
  ) : (
    <Failure
      error={new Error('It may be restarting. What is shown here comes as soon as it is back.')}
      what="The platform does not answer; this page tries again by itself"
    />
  );
}

/** Whether the platform gives the page itself. */
async function answers(signal: AbortSignal): Promise<boolean> {
  try {
    return (await fetch(location.pathname, { signal, cache: 'no-store' })).ok;
  } catch {
    return false;
  }
}

// When the page was last loaded anew stands with its place in the browser's history: that outlives the loading, and needs no storage.
const loadedAnew = () => Math.min(Date.now(), Number(history.state?.castorLoadedAnew) || 0);

function loadAnew(): void {
  history.replaceState({ ...history.state, castorLoadedAnew: Date.now() }, '');
  location.reload();
}
