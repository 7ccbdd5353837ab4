// Normalization of rows.
import { ops } from 'downhill';
import fc from 'fast-check';
import { alongAxis, map, type Nd } from './nd.js';
import { type Case, type Computed, fill, type Problem, seeds } from './problems.js';

/** Large beside a variance of a few neighbouring numbers, so that finite differences hold; far from the default. */
const epsilon = 0.4;

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

function normalized(row: readonly number[], centered: boolean): number[] {
  const center = centered ? mean(row) : 0;
  const variance = mean(row.map((x) => (x - center) ** 2));
  return row.map((x) => (x - center) / Math.sqrt(variance + epsilon));
}

/** Around vectors of sixteen elements, four of them, and rows in the registers of 4 to 32 threads. */
const shapes = fc
  .tuple(
    fc.array(fc.constantFrom(1, 2, 3, 5), { maxLength: 3 }),
    fc.constantFrom(1, 2, 3, 5, 8, 15, 16, 17, 33, 64, 65, 80, 130),
  )
  .map(([lead, n]) => [...lead, n])
  .filter((shape) => shape.reduce<number>((a, b) => a * b, 1) <= 1000);

function problems(centered: boolean, gamma: boolean, beta: boolean): fc.Arbitrary<Problem> {
  return fc.tuple(shapes, seeds).map(([shape, seed]) => {
    const row = [shape.at(-1)!];
    const pick = <T>([x, ...others]: readonly T[]) => ({
      x: x!,
      gamma: gamma ? others[0]! : undefined,
      beta: beta ? others.at(-1)! : undefined,
    });
    return {
      inputs: fill([shape, ...(gamma ? [row] : []), ...(beta ? [row] : [])], 'smooth', seed),
      call: (xs: Computed[]) => {
        const of = pick(xs);
        return centered
          ? ops.layerNormalization(of.x, { gamma: of.gamma, beta: of.beta, epsilon })
          : ops.rmsNormalization(of.x, { scale: of.gamma, epsilon });
      },
      reference: (xs: Nd[]) => {
        const of = pick(xs);
        let y = alongAxis(of.x, -1, (values) => normalized(values, centered));
        if (of.gamma) y = map((a, b) => a * b, y, of.gamma);
        return of.beta ? map((a, b) => a + b, y, of.beta) : y;
      },
    };
  });
}

const layer = (variant: string, gamma: boolean, beta: boolean): Case => ({
  op: 'layerNormalization',
  variant,
  gradient: 'check',
  problems: problems(true, gamma, beta),
});
const rms = (variant: string, scale: boolean): Case => ({
  op: 'rmsNormalization',
  variant,
  gradient: 'check',
  problems: problems(false, scale, false),
});

export const normalizationCases: Case[] = [
  layer('gamma and beta', true, true),
  layer('gamma', true, false),
  layer('beta', false, true),
  layer('plain', false, false),
  rms('scale', true),
  rms('plain', false),
];
