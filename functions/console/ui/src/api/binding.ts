// What binds this page's session to this page. Cookies know no port: another server on the same host gets them too. What it does not get is
// this value, which lies in the origin's own storage; the tokens in the cookies count only together with it.
const key = 'castor.page';
const form = /^[\w-]{43}$/;

let forbidden: string | null = null; // the value where the browser forbids storage: the session ends with the page

export const binding = {
  /** The value that goes with every call; tabs of one origin share it. */
  value(): string {
    try {
      const kept = localStorage.getItem(key);
      if (kept && form.test(kept)) return kept;
    } catch {
      if (forbidden) return forbidden;
    }
    return this.keep(this.fresh());
  },

  /** A value for a new session: under its name no cookie lies yet, whoever may have left some. */
  fresh(): string {
    const bytes = crypto.getRandomValues(new Uint8Array(32));
    return btoa(String.fromCharCode(...bytes))
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .replaceAll('=', '');
  },

  /** Keeps the value of the session that has begun. */
  keep(value: string): string {
    try {
      localStorage.setItem(key, value);
    } catch {
      forbidden = value;
    }
    return value;
  },
};

/** The header that tells the functions that a call comes from this very page. */
export const consoleHeader = (value = binding.value()) => ({ 'X-Castor-Console': value });
