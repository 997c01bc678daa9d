import { type Browser, chromium } from 'playwright-core';
import { chromiumPath } from './paths';

/** Opens Debian's Chromium with a fresh profile; it talks to nobody but the platform. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath,
    headless: true,
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-dev-shm-usage'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ],
  });
}

/** How the visitor's screen is: a desk, or a phone that is touched. */
export function screen(o: { phone?: boolean; dark?: boolean } = {}) {
  const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
  const desk = { viewport: { width: 1440, height: 900 }, deviceScaleFactor: 1 };
  return {
    ...(o.phone ? phone : desk),
    colorScheme: o.dark ? ('dark' as const) : ('light' as const),
    reducedMotion: 'reduce' as const,
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
  };
}
