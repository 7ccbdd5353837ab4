// Damaged files: 20,000 under AddressSanitizer (npm run test:asan), fewer without; a million by hand with npm run fuzz -- --count 1000000.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from './files.js';

const folder = temporaryFolder();

const count = process.env.ASAN_OPTIONS ? 20_000 : 6000;

test('damaged files are read or refused', { timeout: 900_000 }, () => {
  const script = join(import.meta.dirname, '../../scripts/fuzz-files.mjs');
  const args = ['--import', 'tsx', script, '--count', String(count), '--keep', folder];
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  const outcomes = JSON.parse(stdout.match(/\{.*\}/)![0]);
  // Enough of them get past each stage.
  expect(stdout.split(' ', 1)).toEqual([String(count)]);
  for (const outcome of ['read', 'CORRUPT_FILE']) expect(outcomes[outcome]).toBeGreaterThan(count / 10);
  expect(outcomes.FOREIGN_FILE).toBeGreaterThan(count / 1000);
  const [, models, fits] = stdout.match(/(\d+) models loaded, (\d+) fits resumed/)!.map(Number);
  expect(models).toBeGreaterThan(count / 30);
  expect(fits).toBeGreaterThan(count / 100);
});
