import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// The console is served below the function's own path; nothing it needs comes from elsewhere.
const platform = process.env.CASTOR_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  base: '/function/console/',
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    outDir: '../dist/ui',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // the content security policy has no data: but for images
    chunkSizeWarningLimit: 700,
    rollupOptions: {
      output: {
        // A browser asks for six files at a time, one of which is the stream: what nearly every view needs is one file, not thirty.
        manualChunks: (id) => (/\/lucide-react\/|\/src\/(parts|api|live)\/(?!Chart)/.test(id) ? 'parts' : undefined),
        experimentalMinChunkSize: 8_000,
      },
      // Radix marks its modules for React on a server, which there is none of here.
      onwarn: (w, warn) => w.code !== 'MODULE_LEVEL_DIRECTIVE' && warn(w),
    },
  },
  // `npm run dev` works on a running platform: CASTOR_URL names it.
  server: {
    port: 5173,
    fs: { allow: ['.', '../../../infra/castor/up/host.json'] }, // what castor up makes, too
    proxy: {
      '/function/console/session': { target: platform },
      '^/function/(?!console)': { target: platform },
      '/stream': { target: platform },
    },
  },
  test: { environment: 'jsdom', include: ['src/**/*.test.{ts,tsx}'], restoreMocks: true },
});
