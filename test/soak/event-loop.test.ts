import { expect, test } from 'vitest';
import { child } from './child.js';

test('a 5 ms timer keeps its time while fit runs with all threads', async () => {
  // The best of a few: other work on the machine only makes it worse.
  let best = { ticks: 0, mean: Infinity, drift: Infinity };
  for (let i = 0; i < 4 && !(best.mean < 9 && best.drift < 20); i++) {
    const { stdout, stderr } = await child('event-loop');
    expect(stderr).toBe('');
    const found = JSON.parse(stdout) as typeof best;
    if (found.drift + found.mean < best.drift + best.mean) best = found;
  }
  expect(best.mean).toBeLessThan(9);
  expect(best.drift).toBeLessThan(20);
});
