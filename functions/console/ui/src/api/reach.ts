// Whether the platform answers at all, as the calls that are made find out.
import { ApiError } from './problem';

const listeners = new Set<(answers: boolean) => void>();
const away = new Set([0, 502, 504]); // no answer, or that of a proxy which has none either

export const reach = {
  /** Calls back with the outcome of each query. */
  subscribe(f: (answers: boolean) => void): () => void {
    listeners.add(f);
    return () => void listeners.delete(f);
  },

  tell(answers: boolean): void {
    for (const f of listeners) f(answers);
  },

  /** What an error of a query tells about it. */
  failed(e: unknown): void {
    if (e instanceof ApiError && away.has(e.status)) this.tell(false);
  },
};
