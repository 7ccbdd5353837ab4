// 20,000 damaged files; a million by hand with npm run fuzz -- --count 1000000, and npm run fuzz:asan.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from './files.js';

const folder = temporaryFolder();

test('damaged files are read or refused', { timeout: 900_000 }, () => {
  const script = join(import.meta.dirname, '../../scripts/fuzz-files.mjs');
  const args = ['--import', 'tsx', script, '--count', '20000', '--keep', folder];
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  const outcomes = JSON.parse(stdout.match(/\{.*\}/)![0]);
  // Enough of them get past each stage.
  expect(stdout).toMatch(/^20000 files/);
  for (const outcome of ['read', 'CORRUPT_FILE']) expect(outcomes[outcome]).toBeGreaterThan(1000);
  expect(outcomes.FOREIGN_FILE).toBeGreaterThan(20);
  const [, models, fits] = stdout.match(/(\d+) models loaded, (\d+) fits resumed/)!.map(Number);
  expect(models).toBeGreaterThan(500);
  expect(fits).toBeGreaterThan(200);
});
