// The one way to the functions: a client whose paths, parameters and answers are those of functions/openapi.yaml.
import createClient, { type Middleware } from 'openapi-fetch';
import { consoleHeader } from './binding';
import { ApiError, problemOf, unreachable } from './problem';
import type { paths } from './schema';
import { session } from './session';

/** fetch that renews the access token once when it has ended, and says it plainly when nobody answers. */
async function authorised(request: Request): Promise<Response> {
  const again = request.clone();
  const first = await answer(request);
  if (first.status !== 401) return first;
  return (await session.renew()) ? answer(again) : first;
}

async function answer(request: Request): Promise<Response> {
  for (const [name, value] of Object.entries(consoleHeader())) request.headers.set(name, value);
  try {
    return await fetch(request);
  } catch (e) {
    if (request.signal.aborted) throw e;
    throw unreachable();
  }
}

export const api = createClient<paths>({ fetch: authorised });

/** A merge patch says so (RFC 7396). */
const mergePatch: Middleware = {
  onRequest({ request }) {
    if (request.method === 'PATCH') request.headers.set('Content-Type', 'application/merge-patch+json');
    return request;
  },
};
api.use(mergePatch);

/** Returns what a call answers, or throws an ApiError. `const twin = await ok(api.GET('/function/twins/twins/{id}', …))` */
export async function ok<T>(
  call: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<Exclude<T, undefined>> {
  const { data, error, response } = await call;
  if (!response.ok) throw problemOf(response.status, error, response.headers.get('Retry-After'));
  return data as Exclude<T, undefined>;
}

/** As ok, with the version of the edited part, for If-Match. */
export async function versioned<T>(
  call: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<{ value: Exclude<T, undefined>; etag: string }> {
  const { response } = await call;
  return { value: await ok(call), etag: response.headers.get('ETag') ?? '' };
}

export { ApiError };
