/** A person who calls the functions directly: stories use it for what happened before they begin. */
export class Api {
  private constructor(
    private readonly url: string,
    private readonly token: string,
  ) {}

  static async signIn(url: string, name: string, password: string): Promise<Api> {
    const anyone = new Api(url, '');
    const t = await anyone.post<{ access: string }>('users/login', { name, password });
    return new Api(url, t.access);
  }

  get = <T = any>(path: string) => this.call<T>('GET', path);
  post = <T = any>(path: string, body: unknown = {}) => this.call<T>('POST', path, body);
  put = <T = any>(path: string, body: unknown) => this.call<T>('PUT', path, body);
  patch = <T = any>(path: string, body: unknown) => this.call<T>('PATCH', path, body, 'application/merge-patch+json');

  /** All items of a list, over its pages. */
  async all<T = any>(path: string): Promise<T[]> {
    const items: T[] = [];
    for (let cursor = ''; ; ) {
      const page = await this.get<{ items: T[]; next?: string }>(`${path}${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(cursor)}`);
      items.push(...page.items);
      if (!page.next) return items;
      cursor = page.next;
    }
  }

  private async call<T>(method: string, path: string, body?: unknown, type = 'application/json'): Promise<T> {
    const r = await fetch(`${this.url}/function/${path}`, {
      method,
      headers: {
        ...(this.token && { Authorization: `Bearer ${this.token}` }),
        ...(body !== undefined && { 'Content-Type': type }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await r.text();
    if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${text}`);
    return (text ? JSON.parse(text) : undefined) as T;
  }
}

/** Asks again until it is so; what is thrown meanwhile counts as "not yet". */
export async function eventually<T>(what: string, ask: () => Promise<T | undefined | false | null>, ms = 20_000): Promise<T> {
  const end = Date.now() + ms;
  for (let last: unknown; ; ) {
    try {
      const got = await ask();
      if (got) return got;
      last = got;
    } catch (e) {
      last = e;
    }
    if (Date.now() > end) throw new Error(`not in ${ms / 1000} s: ${what} (last: ${last})`);
    await new Promise((go) => setTimeout(go, 150));
  }
}
