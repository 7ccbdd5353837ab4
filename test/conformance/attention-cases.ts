// Attention, score by score.
import { ops } from 'downhill';
import fc from 'fast-check';
import { attend } from '../../lib/graph/ops/attention.js';
import { softmax } from './formulas.js';
import { type Nd, nd } from './nd.js';
import { type Case, type Computed, fill, generator, int32, type Problem, seeds } from './problems.js';

interface Sizes {
  n: number;
  heads: number;
  steps: number;
  keys: number;
  dim: number;
  valueDim: number;
}

/** q, k, v of [n, steps, heads, dim]; `bias` is added to a score, −∞ hides it. */
function reference(s: Sizes, [q, k, v]: Nd[], scale: number, bias: (place: number[]) => number): Nd {
  const { n, heads, steps, keys, dim, valueDim } = s;
  const y = new Float64Array(n * steps * heads * valueDim);
  for (let b = 0; b < n; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < steps; i++) {
        const scores = Array.from({ length: keys }, (_, j) => {
          let sum = 0;
          for (let c = 0; c < dim; c++)
            sum += q!.data[((b * steps + i) * heads + h) * dim + c]! * k!.data[((b * keys + j) * heads + h) * dim + c]!;
          return sum * scale + bias([b, h, i, j]);
        });
        const seen = scores.some((score) => score > -Infinity);
        const p = seen ? softmax(scores) : scores.map(() => 0);
        for (let c = 0; c < valueDim; c++)
          y[((b * steps + i) * heads + h) * valueDim + c] = p.reduce(
            (sum, one, j) => sum + one * v!.data[((b * keys + j) * heads + h) * valueDim + c]!,
            0,
          );
      }
  return nd([n, steps, heads, valueDim], y);
}

const cubed = ({ n, heads, steps, keys, dim, valueDim }: Sizes) => n * heads * steps * keys * (dim + valueDim);

/** Around the blocks of 64 queries and keys, and vectors of the rows. */
const sizes = fc
  .record({
    n: fc.constantFrom(1, 2, 3),
    heads: fc.constantFrom(1, 1, 2, 9),
    steps: fc.constantFrom(1, 2, 3, 5, 17, 64, 65, 70),
    keys: fc.constantFrom(1, 2, 5, 16, 33, 64, 67, 130),
    dim: fc.constantFrom(1, 3, 8, 16, 17, 32),
    valueDim: fc.constantFrom(1, 2, 5, 16, 19, 32),
  })
  .filter((s) => cubed(s) <= 40_000);

const shapesOf = ({ n, heads, steps, keys, dim, valueDim }: Sizes) => [
  [n, steps, heads, dim],
  [n, keys, heads, dim],
  [n, keys, heads, valueDim],
];

type Hides = 'nothing' | 'later keys' | 'mask' | 'bias';

function problems(hides: Hides): fc.Arbitrary<Problem> {
  return fc
    .tuple(sizes, seeds, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }))
    .map(([s, seed, ones]): Problem => {
      const full = [s.n, s.heads, s.steps, s.keys];
      const shape = full.map((size, axis) => (ones[axis] ? 1 : size));
      const at = (place: number[]) => place.reduce((sum, i, axis) => sum * shape[axis]! + (ones[axis] ? 0 : i), 0);
      const random = generator(seed);
      const inputs = fill([...shapesOf(s), ...(hides === 'bias' ? [shape] : [])], 'smooth', seed);
      // Scores of a few units, that the largest does not take all.
      const scale = 0.4 / Math.sqrt(s.dim);
      const seen = Array.from({ length: shape.reduce<number>((a, b) => a * b, 1) }, () => (random() < 0.7 ? 1 : 0));
      const mask = int32(nd(shape, seen));
      const options = {
        nothing: {},
        'later keys': { causal: true },
        mask: { mask, causal: ones[0] },
        bias: {},
      }[hides];
      const bias = (place: number[], added: Nd | undefined) => {
        const [, , i, j] = place;
        if ((hides === 'later keys' || (hides === 'mask' && ones[0])) && j! > i!) return -Infinity;
        if (hides === 'mask') return seen[at(place)] ? 0 : -Infinity;
        return added ? added.data[at(place)]! : 0;
      };
      return {
        inputs,
        call: ([q, k, v, added]: Computed[]) =>
          ops.attention(q!, k!, v!, { ...options, ...(added && { mask: added }), scale }),
        reference: (xs) => reference(s, xs, scale, (place) => bias(place, xs[3])),
      };
    });
}

/** q, k and v in one tensor. */
const packed: fc.Arbitrary<Problem> = fc.tuple(sizes, seeds).map(([drawn, seed]) => {
  const s = { ...drawn, keys: drawn.steps, dim: drawn.valueDim };
  const scale = 0.4 / Math.sqrt(s.dim);
  const width = s.heads * s.dim;
  const part = (x: Nd, which: number) =>
    nd(
      [s.n, s.steps, s.heads, s.dim],
      Array.from({ length: s.n * s.steps * width }, (_, i) => {
        const row = Math.floor(i / width);
        return x.data[(row * 3 + which) * width + (i % width)]!;
      }),
    );
  return {
    inputs: fill([[s.n, s.steps, 3, s.heads, s.dim]], 'smooth', seed),
    call: ([x]: Computed[]) => attend([x!], { causal: true, scale }),
    reference: ([x]: Nd[]) =>
      reference(s, [part(x!, 0), part(x!, 1), part(x!, 2)], scale, ([, , i, j]) => (j! > i! ? -Infinity : 0)),
  };
});

export const attentionCases: Case[] = [
  ...(['nothing', 'later keys', 'mask', 'bias'] as const).map((hides) => ({
    op: 'attention',
    variant: `hides ${hides}`,
    gradient: 'check' as const,
    problems: problems(hides),
  })),
  { op: 'attention', variant: 'packed', gradient: 'check', problems: packed },
];
