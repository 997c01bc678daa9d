import { defineConfig } from 'vitest/config';

// Each file has a platform and a browser of its own; one after the other, so that they measure themselves and not each other.
export default defineConfig({
  test: {
    include: ['stories/**/*.test.ts'],
    globalSetup: ['harness/setup.ts'],
    environment: 'node',
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
