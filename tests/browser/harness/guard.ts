import type { Page, Request } from 'playwright-core';

/** Watches all that a page says and asks for, and remembers what should not be. */
export class Guard {
  private readonly problems: string[] = [];
  private readonly allowed: { status: number; path: RegExp }[] = [];
  private away = false;
  private readonly asking = new Set<Request>();
  readonly navigations: string[] = [];

  private constructor(
    private readonly page: Page,
    private readonly origin: string,
  ) {}

  /** Begins to watch; before the first address is opened. */
  static async on(page: Page, origin: string): Promise<Guard> {
    const g = new Guard(page, origin);
    page.on('console', (m) => {
      // Chromium itself says this of each answer that is no success; those are judged by their status below.
      if (['error', 'warning'].includes(m.type()) && !/^Failed to load resource/.test(m.text())) g.add(`console ${m.type()}: ${m.text()}`);
    });
    page.on('pageerror', (e) => g.add(`page error: ${e.stack ?? e}`));
    page.on('dialog', (d) => {
      g.add(`a dialog opened: ${d.message()}`);
      void d.dismiss();
    });
    page.on('request', (r) => g.asked(r));
    page.on('requestfinished', (r) => g.asking.delete(r));
    page.on('requestfailed', (r) => {
      g.asking.delete(r);
      const why = r.failure()?.errorText ?? '';
      // A page gives up what it does not need any more, and a stream ends when the platform goes.
      if (!g.away && why !== 'net::ERR_ABORTED') g.add(`failed: ${r.method()} ${r.url()} ${why}`);
    });
    page.on('response', (r) => {
      const path = new URL(r.url()).pathname;
      if (r.status() < 400 || g.away) return;
      if (!g.allowed.some((a) => a.status === r.status() && a.path.test(path))) g.add(`${r.status()} ${r.request().method()} ${path}`);
    });
    page.on('framenavigated', (f) => f === page.mainFrame() && g.navigations.push(f.url()));
    await page.exposeFunction('reportViolation', (text: string) => g.add(`content security policy: ${text}`));
    await page.addInitScript(() =>
      document.addEventListener('securitypolicyviolation', (e) =>
        (window as unknown as { reportViolation(s: string): void }).reportViolation(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`),
      ),
    );
    return g;
  }

  /** An answer that belongs to the story. */
  allow(status: number, path: RegExp): void {
    this.allowed.push({ status, path });
  }

  /** While the platform is away, calls fail; that is what the story is about. */
  platformIsAway(away: boolean): void {
    this.away = away;
  }

  /** Takes out what the story expects to have been noted, and returns it. */
  take(what: RegExp): string[] {
    const taken = this.problems.filter((p) => what.test(p));
    for (const p of taken) this.problems.splice(this.problems.indexOf(p), 1);
    return taken;
  }

  /** Waits until the page shows all that it has asked for: what it waits for no more cannot come later. */
  async quiet(): Promise<void> {
    const end = Date.now() + 15_000;
    // An answer may lead to the next question, so it must be quiet for some looks.
    for (let looks = 0; looks < 3; looks++) {
      if (this.asking.size || (await this.page.locator('main [aria-busy=true]').count())) looks = -1;
      if (Date.now() > end) throw new Error(`${this.page.url()} is still busy: ${[...this.asking].map((r) => r.url()) || 'a part of it says so'}`);
      await new Promise((go) => setTimeout(go, 40));
    }
  }

  get found(): readonly string[] {
    return this.problems;
  }

  private asked(r: Request): void {
    const u = new URL(r.url());
    if (u.pathname !== '/stream') this.asking.add(r); // which never ends
    if (u.origin !== this.origin && !['data:', 'blob:'].includes(u.protocol)) this.add(`asked somebody else: ${r.url()}`);
  }

  private add(problem: string): void {
    this.problems.push(problem.slice(0, 600));
  }
}
