// Functions of a point (x, y) to descend on, written in ops: for one point as for a whole grid of them.
import { ops, type Tensor, tensor } from 'downhill';

type Value = ReturnType<typeof ops.add>;

export interface Surface {
  /** f at points (x [n], y [n]): [n]. */
  at(x: Value, y: Value): Value;
  /** What a picture of it shows. */
  x: [number, number];
  y: [number, number];
}

/** A long narrow valley: ½(x² + κ y²), whose Hessian has the eigenvalues 1 and κ. */
export function ravine(kappa = 25): Surface {
  return {
    at: (x, y) => ops.mul(0.5, ops.add(ops.square(x), ops.mul(kappa, ops.square(y)))),
    x: [-10, 4],
    y: [-2.5, 2.5],
  };
}

/** ½(x² − y²) + ¼·0.1 y⁴: a saddle point at (0, 0), minima at (0, ±√10). */
export const saddle: Surface = {
  at: (x, y) => {
    const y2 = ops.square(y);
    return ops.add(ops.mul(0.5, ops.sub(ops.square(x), y2)), ops.mul(0.025, ops.square(y2)));
  },
  x: [-4, 4],
  y: [-5, 5],
};

/** A slope that ends at a wall: 0.6 x + 0.1 y² + 6 σ(12 (1 − x)), whose gradient is 18 at x = 1. */
export const cliff: Surface = {
  at: (x, y) => {
    const wall = ops.mul(6, ops.sigmoid(ops.mul(12, ops.sub(1, x))));
    return ops.add(ops.add(ops.mul(0.6, x), ops.mul(0.1, ops.square(y))), wall);
  },
  x: [-2, 8],
  y: [-4, 4],
};

export interface Grid {
  values: Float32Array;
  width: number;
  height: number;
}

/** f on width · height points of what the picture shows, row by row. */
export async function gridOf({ at, x, y }: Surface, width = 140, height = 100): Promise<Grid> {
  const between = ([from, to]: [number, number], i: number, n: number) => from + ((to - from) * (i + 0.5)) / n;
  const n = width * height;
  const xs = tensor(Float32Array.from({ length: n }, (_, i) => between(x, i % width, width)));
  const ys = tensor(Float32Array.from({ length: n }, (_, i) => between(y, Math.floor(i / width), height)));
  return { values: (await (at(xs, ys) as Tensor).data()) as Float32Array, width, height };
}
