// Parts of the page that come by themselves when they are first looked at, or when the page is idle.
import { type ComponentType, useEffect, useState } from 'react';
import { Away } from './Away';
import { Skeleton } from './States';

export interface Later<P extends object> {
  /** Stands for the part: a skeleton until it is here. */
  Part: ComponentType<P>;
  /** Fetches the part ahead of its being shown; who shows it tells what is wrong with it. */
  expect: () => Promise<void>;
}

// Browsers keep what failed: a module, or its style sheet, that once did not come is not asked for again before the page is loaded anew.
let broken = false;
const all: (() => Promise<void>)[] = [];

/** A part that is loaded when it is first looked at. One that is here already is shown at once; one that cannot come says so and tries again. */
export function later<P extends object>(load: () => Promise<{ default: ComponentType<P> }>): Later<P> {
  let here: ComponentType<P> | undefined;
  const fetch = async () => {
    if (here) return here;
    if (broken) throw new Error('the page must be loaded anew');
    try {
      here = (await load()).default;
      return here;
    } catch (e) {
      broken = true;
      throw e;
    }
  };
  const expect = async () => {
    await fetch().catch(() => {});
  };
  all.push(expect);
  return {
    expect,
    // biome-ignore lint/correctness/noComponentHookFactories: made once for each part, when its module is read
    Part: function Part(props: P) {
      const [Shown, show] = useState(() => here);
      const [failed, fail] = useState(false);
      useEffect(() => {
        let gone = false;
        if (!Shown)
          fetch().then(
            (c) => gone || show(() => c),
            () => gone || fail(true),
          );
        return () => {
          gone = true;
        };
      }, [Shown]);
      if (Shown) return <Shown {...props} />;
      return failed ? <Away /> : <Waiting />;
    },
  };
}

/** Fetches everything that has not been looked at yet, one after the other, so that it is here when the platform is not. */
export async function expectAll(): Promise<void> {
  for (const expect of all) {
    if (broken) return;
    await expect();
  }
}

function Waiting() {
  return (
    <div style={{ padding: 'var(--s5)' }}>
      <Skeleton lines={4} />
    </div>
  );
}
