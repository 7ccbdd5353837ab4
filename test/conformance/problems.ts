// Random problems: inputs, the library's computation and the reference of the same.
import { ops, type SymbolicTensor, type Tensor, tensor } from 'downhill';
import fc from 'fast-check';
import { type Nd, nd, sizeOf } from './nd.js';

export type Computed = SymbolicTensor | Tensor;

export interface Problem {
  /** Float operands, differentiated; integer operands are captured by `call`. */
  inputs: Nd[];
  call(xs: Computed[]): Computed;
  reference(xs: Nd[]): Nd;
}

export interface Case {
  /** The row of the op table. */
  op: string;
  /** What the title adds to the op's name. */
  variant?: string;
  problems: fc.Arbitrary<Problem>;
  /** 'check': against finite differences; 'zero': zeros everywhere; 'none': not asked for. */
  gradient: 'check' | 'zero' | 'none';
  /** Values are integers and must be equal exactly. */
  exact?: boolean;
}

/** Small generator of doubles in [0, 1) from a 32-bit seed (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * smooth: [-3, 3); positive: [0.2, 3); unit: (0.05, 0.95); distinct: all operands together have no two equal or nearly equal values, nor
 * values near 0 or multiples of 0.05, so that finite differences do not cross kinks; integer: -50 … 50.
 */
export type Domain = 'smooth' | 'positive' | 'unit' | 'distinct' | 'integer';

export function fill(shapes: readonly (readonly number[])[], domain: Domain, seed: number): Nd[] {
  const random = generator(seed);
  if (domain === 'distinct') {
    const total = shapes.reduce((sum, shape) => sum + sizeOf(shape), 0);
    const values = Array.from({ length: total }, (_, i) => Math.fround((i - Math.floor(total / 2) + 0.5) * 0.05));
    for (let i = total - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [values[i], values[j]] = [values[j]!, values[i]!];
    }
    let next = 0;
    return shapes.map((shape) => {
      const begin = next;
      next += sizeOf(shape);
      return nd(shape, values.slice(begin, next));
    });
  }
  const draw = {
    smooth: () => Math.fround(random() * 6 - 3),
    positive: () => Math.fround(0.2 + random() * 2.8),
    unit: () => Math.fround(0.05 + random() * 0.9),
    integer: () => Math.floor(random() * 101) - 50,
  }[domain];
  return shapes.map((shape) => nd(shape, Array.from({ length: sizeOf(shape) }, draw)));
}

export const seeds = fc.nat(2 ** 31 - 1);

/** Dimensions around vector widths, with ones, and rarely none at all. */
const dims = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(1, 2, 3, 4, 5, 7) },
  { weight: 4, arbitrary: fc.constantFrom(8, 9, 15, 16, 17, 33) },
  { weight: 1, arbitrary: fc.constant(0) },
);
const nonZero = dims.map((dim) => dim || 1);

/** Shapes of at most `most` elements. */
export function shapes(minRank = 0, { empty = true, most = 2000, maxRank = 4 } = {}): fc.Arbitrary<number[]> {
  return fc
    .array(empty ? dims : nonZero, { minLength: minRank, maxLength: maxRank })
    .filter((shape) => sizeOf(shape) <= most);
}

/** `count` shapes that broadcast together. */
export function broadcastable(count: number, options?: Parameters<typeof shapes>[1]): fc.Arbitrary<number[][]> {
  return shapes(0, options).chain((full) =>
    fc
      .array(fc.record({ drop: fc.nat(full.length), ones: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }) }), {
        minLength: count,
        maxLength: count,
      })
      .map((cuts) =>
        cuts.map(({ drop, ones }, i) =>
          i === 0 ? full : full.slice(drop).map((dim, axis) => (ones[axis] && dim !== 0 ? 1 : dim)),
        ),
      ),
  );
}

/** A problem of float operands of the given shapes. */
export function floats(
  operands: fc.Arbitrary<number[][]>,
  domain: Domain,
  call: Problem['call'],
  reference: (...xs: Nd[]) => Nd,
): fc.Arbitrary<Problem> {
  return fc.tuple(operands, seeds).map(([list, seed]) => ({
    inputs: fill(list, domain, seed),
    call,
    reference: (xs: Nd[]) => reference(...xs),
  }));
}

/** A problem of int32 operands; they are captured, so it has no float inputs. */
export function ints(
  operands: fc.Arbitrary<number[][]>,
  call: Problem['call'],
  reference: (...xs: Nd[]) => Nd,
): fc.Arbitrary<Problem> {
  return fc.tuple(operands, seeds).map(([list, seed]) => {
    const values = fill(list, 'integer', seed);
    return {
      inputs: [],
      call: () => call(values.map(int32)),
      reference: () => reference(...values),
    };
  });
}

export const float32 = (x: Nd) => tensor(Float32Array.from(x.data), x.shape);
export const int32 = (x: Nd) => tensor(Int32Array.from(x.data), x.shape);

/** The ops, to be called by name. */
export const byName = ops as unknown as Record<string, (...args: unknown[]) => Computed>;
