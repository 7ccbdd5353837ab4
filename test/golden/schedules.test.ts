import { schedules } from 'downhill';
import { expect, it } from 'vitest';
import { read } from './golden.js';

interface Golden {
  cases: { oracle: string; schedule: string; options: object; steps: number[]; rates: number[] }[];
}

const { cases } = read<Golden>('schedules');
const factories = schedules as unknown as Record<string, (options: object) => (step: number) => number>;

it.each(cases.map((row, i) => [`${i}: ${row.schedule}, ${row.oracle}`, row] as const))('%s', (_, row) => {
  const schedule = factories[row.schedule]!(row.options);
  row.steps.forEach((step, i) => {
    const expected = row.rates[i]!;
    expect(Math.abs(schedule(step) - expected), `step ${step}: ${schedule(step)}, not ${expected}`).toBeLessThanOrEqual(
      1e-12 + 1e-12 * expected,
    );
  });
});
