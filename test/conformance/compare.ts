// Comparison of arrays with tolerances, naming the worst element.
import type { Nd } from './nd.js';

export interface Tolerance {
  relative: number;
  absolute: number;
}

/** Throws unless shapes are equal and |actual − expected| ≤ absolute + relative · |expected| everywhere; NaN equals NaN. */
export function expectNear(
  what: string,
  actual: { shape: readonly number[]; data: ArrayLike<number> },
  expected: Nd,
  { relative, absolute }: Tolerance,
): void {
  if (actual.shape.join() !== expected.shape.join())
    throw new Error(`${what}: shape [${actual.shape}] instead of [${expected.shape}]`);
  if (actual.data.length !== expected.data.length)
    throw new Error(`${what}: ${actual.data.length} values instead of ${expected.data.length}`);
  for (let i = 0; i < expected.data.length; i++) {
    const [a, e] = [actual.data[i]!, expected.data[i]!];
    if (Object.is(a, e) || a === e || (Number.isNaN(a) && Number.isNaN(e))) continue;
    if (!(Math.abs(a - e) <= absolute + relative * Math.abs(e)))
      throw new Error(`${what}, element ${i} of [${expected.shape}]: ${a} instead of ${e}`);
  }
}
