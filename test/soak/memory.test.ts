import { expect, test } from 'vitest';
import { child } from './child.js';

interface Reading {
  resident: number;
  native: number;
}

test('resident memory is flat over 100,000 steps of a small network', async () => {
  const { stdout, stderr } = await child('memory', [], 110_000);
  expect(stderr).toBe('');
  const { before, after } = JSON.parse(stdout) as { before: Reading; after: Reading };
  expect(after.native).toBeLessThanOrEqual(before.native);
  expect(after.resident - before.resident).toBeLessThan(4 * 1024 * 1024);
});

test('models that are dropped give their memory back', async () => {
  const { stdout, stderr } = await child('churn', [], 110_000);
  expect(stderr).toBe('');
  const { few, many } = JSON.parse(stdout) as { few: number; many: number };
  // One model with its slots and data is some 100 kB.
  expect(many - few).toBeLessThan(300_000);
});
