import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Two cores and property tests: time limits are there for hangs only, never to measure speed.
export default defineConfig({
  resolve: { alias: { downhill: fileURLToPath(new URL('./lib/index.ts', import.meta.url)) } },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
    // One process per file: thread counts, instruction sets and seeds are process-wide state of the addon.
    pool: 'forks',
    typecheck: { enabled: true, checker: 'tsc', include: ['test/types/**/*.test-d.ts'], tsconfig: './tsconfig.json' },
  },
});
