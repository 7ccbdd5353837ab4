import { defineConfig } from 'vitest/config';

// npm run test:packed: what takes downloads or a full build, and so is no part of npm test.
export default defineConfig({ test: { include: ['test/package/*.packed.ts'], pool: 'forks', hookTimeout: 120_000 } });
