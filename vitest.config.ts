import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// One file at a time, after the others: tests that measure time or memory, and those that run CMake in one work folder.
const alone = ['test/soak/**/*.test.ts', 'test/native/*.test.ts', 'test/package/*.test.ts'];

export default defineConfig({
  resolve: { alias: { downhill: fileURLToPath(new URL('./lib/index.ts', import.meta.url)) } },
  test: {
    // Time limits are there for hangs only, never to measure speed: two cores, property tests, sanitizers.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // One process per file: thread counts, instruction sets and seeds are process-wide state of the addon.
    pool: 'forks',
    maxWorkers: availableParallelism(), // vitest's own choice leaves one core idle
    maxConcurrency: availableParallelism(),
    projects: [
      {
        extends: true,
        test: {
          name: 'suite',
          include: ['test/**/*.test.ts'],
          exclude: alone,
          sequence: { groupOrder: 0 },
          // Errors in other files are npm run typecheck's to report.
          typecheck: {
            enabled: true,
            checker: 'tsc',
            include: ['test/types/*.test-d.ts'],
            tsconfig: './tsconfig.json',
            ignoreSourceErrors: true,
          },
        },
      },
      { extends: true, test: { name: 'alone', include: alone, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
});
