import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

/** The repository. */
export const root = fileURLToPath(new URL('../../..', import.meta.url));

/** The programs under test: `make build` makes them; CASTOR_BIN names another folder with them. */
export const bin = process.env.CASTOR_BIN ?? join(root, 'bin');

/** What a failed test leaves behind: a picture and what the page said. */
export const left = join(root, 'build', 'browser');

/** Debian's Chromium; CHROMIUM names another one. */
export const chromiumPath = process.env.CHROMIUM ?? '/usr/bin/chromium';
