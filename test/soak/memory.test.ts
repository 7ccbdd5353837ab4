import { expect, test } from 'vitest';
import { child } from './child.js';

interface Reading {
  resident: number;
  native: number;
}

test('resident memory is flat over 100,000 steps in the end, of a small network', async () => {
  const { stdout, stderr } = await child('memory', [], 110_000);
  expect(stderr).toBe('');
  const readings = JSON.parse(stdout) as Reading[];
  for (const { native } of readings) expect(native).toBe(readings[0]!.native);
  // The heap of JavaScript takes its time to find its size; what leaks grows every time.
  const growth = readings.slice(1).map(({ resident }, i) => resident - readings[i]!.resident);
  expect(Math.min(...growth)).toBeLessThan(1024 * 1024);
});

test('models that are dropped give their memory back', async () => {
  const { stdout, stderr } = await child('churn', [], 110_000);
  expect(stderr).toBe('');
  const { few, many } = JSON.parse(stdout) as { few: number; many: number };
  // One model with its slots and data is some 100 kB.
  expect(many - few).toBeLessThan(300_000);
});

test('memory is as flat after thousands of models that trained at once, also in workers', async () => {
  const { stdout, stderr } = await child('tenants', [], 110_000);
  expect(stderr).toBe('');
  const readings = JSON.parse(stdout) as (Reading & { finite: boolean })[];
  for (const { finite, native } of readings) expect({ finite, native }).toEqual({ finite: true, native: 0 });
  // A thousand models with slots, gradients, programs and data are some 30 MB.
  const growth = readings.slice(1).map(({ resident }, i) => resident - readings[i]!.resident);
  expect(Math.min(...growth)).toBeLessThan(8 * 1024 * 1024);
});
