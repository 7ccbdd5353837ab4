// Layers that work over the last axes of a batch in one op: these become one, a row.
import * as ops from '../../graph/ops.js';
import type { Computed } from '../layer.js';
import type { Weight } from '../weight.js';

/** Whether ascending axes are the last ones of this rank. */
export function areLast(axes: readonly number[], rank: number): boolean {
  return axes.every((axis, i) => axis === rank - axes.length + i);
}

/** f of x with its last `count` axes as one, and of the weights, which have the shape of these axes. */
export function onRows<Weights extends readonly (Weight | null)[]>(
  x: Computed,
  count: number,
  weights: Weights,
  f: (rows: Computed, weights: { [K in keyof Weights]: Computed | null }) => Computed,
): Computed {
  const { shape } = x;
  const row = shape.slice(-count).reduce((size, dim) => size * dim, 1);
  const flat = (value: Computed, lead: readonly number[]) => (count === 1 ? value : ops.reshape(value, [...lead, row]));
  const flatWeights = weights.map((weight) => weight && flat(weight.variable, []));
  const y = f(flat(x, shape.slice(0, -count)), flatWeights as { [K in keyof Weights]: Computed | null });
  return count === 1 ? y : ops.reshape(y, shape);
}
