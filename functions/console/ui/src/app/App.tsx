import { QueryClientProvider } from '@tanstack/react-query';
import { useCallback, useEffect, useState } from 'react';
import { Route, Router, Switch, useLocation } from 'wouter';
import { makeQueries } from '@/api/queries';
import { session } from '@/api/session';
import type { Session } from '@/api/types';
import { live } from '@/live/live';
import { keepFresh } from '@/live/refresh';
import { forgetHeard } from '@/live/twins';
import { ButtonLink } from '@/parts/Button';
import { expectAll } from '@/parts/later';
import { Page } from '@/parts/Page';
import { Empty, Failure } from '@/parts/States';
import { TooltipProvider } from '@/parts/Tooltip';
import { Toasts, toast } from '@/parts/toast';
import SignIn from '@/views/sign-in/SignIn';
import { Boundary } from './Boundary';
import { Shell } from './Shell';
import { base, expectView, views } from './views';

const queries = makeQueries();
// It comes while it is found out who is signed in.
const firstView = expectView(location.pathname.slice(base.length));

const idle = 3_000; // ms after the first view, which all other views leave alone

/** Who is signed in decides what there is: the sign-in, or everything. */
export function App() {
  const [who, setWho] = useState<Session | null | undefined>(undefined);
  const [failed, setFailed] = useState<unknown>();
  const [ready, setReady] = useState(false);
  useEffect(() => void firstView.then(() => setReady(true)), []);

  useEffect(() => {
    const end = session.subscribe((s) => {
      setWho(s);
      if (!s) {
        // Nothing of one person's is left for the next.
        live.end();
        queries.clear();
        forgetHeard();
        toast.clear();
      }
    });
    const unwatch = session.watch();
    session.load().catch(setFailed);
    return () => {
      end();
      unwatch();
    };
  }, []);

  // A platform that cannot be reached may be starting: the page tries again by itself.
  const read = useCallback(() => {
    setFailed(undefined);
    session.load().catch(setFailed);
  }, []);
  useEffect(() => {
    if (!failed) return;
    const t = setTimeout(read, 3000);
    return () => clearTimeout(t);
  }, [failed, read]);

  const person = who?.user.id;
  useEffect(() => {
    if (person === undefined) return;
    live.start();
    const end = keepFresh(queries);
    return () => {
      end();
      live.end();
    };
  }, [person]);

  if (who === undefined)
    return failed ? (
      <main>
        <Failure error={failed} what="Castor cannot be reached" retry={read} />
      </main>
    ) : null;
  if (!ready) return null;
  return (
    <QueryClientProvider client={queries}>
      <TooltipProvider delayDuration={350}>
        <Router base={base}>
          {who ? (
            <Shell key={who.user.id} user={who.user}>
              <Content />
            </Shell>
          ) : (
            <SignIn />
          )}
        </Router>
        <Toasts />
      </TooltipProvider>
    </QueryClientProvider>
  );
}

/** The view at the address. */
function Content() {
  const [at] = useLocation();
  useEffect(() => {
    const t = setTimeout(expectAll, idle);
    return () => clearTimeout(t);
  }, []);
  return (
    <Boundary at={at}>
      <Switch>
        {views.map((v) => (
          <Route key={v.path} path={v.path} component={v.Part} />
        ))}
        <Route>
          <Nowhere />
        </Route>
      </Switch>
    </Boundary>
  );
}

function Nowhere() {
  return (
    <Page title="Not found">
      <Empty title="There is no such page" action={<ButtonLink href="/">To the fleet</ButtonLink>}>
        The address may be mistyped, or from another version of the console.
      </Empty>
    </Page>
  );
}
