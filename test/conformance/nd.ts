// Arrays in double precision, as plain as they can be: the reference that the library's ops are compared with.

export interface Nd {
  shape: number[];
  data: Float64Array;
}

export const sizeOf = (shape: readonly number[]) => shape.reduce((size, dim) => size * dim, 1);
export const nd = (shape: readonly number[], data: ArrayLike<number>): Nd => ({
  shape: [...shape],
  data: Float64Array.from(data),
});

/** Position of each axis' step in row-major order. */
function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

/** All indices of a shape in row-major order. */
export function* indicesOf(shape: readonly number[]): Generator<number[]> {
  const size = sizeOf(shape);
  const strides = stridesOf(shape);
  for (let i = 0; i < size; i++) yield shape.map((dim, axis) => Math.floor(i / strides[axis]!) % dim);
}

/** The element at an index, which broadcasts: missing leading axes and axes of length 1 repeat. */
export function at(x: Nd, index: readonly number[]): number {
  const strides = stridesOf(x.shape);
  const lead = index.length - x.shape.length;
  let offset = 0;
  x.shape.forEach((dim, axis) => {
    if (dim !== 1) offset += index[axis + lead]! * strides[axis]!;
  });
  return x.data[offset]!;
}

/** A new array whose element at each index is f(index). */
export function build(shape: readonly number[], f: (index: number[]) => number): Nd {
  const data = new Float64Array(sizeOf(shape));
  let i = 0;
  for (const index of indicesOf(shape)) data[i++] = f(index);
  return { shape: [...shape], data };
}

export function broadcastShapes(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const dims = shapes.map((shape) => shape[axis - (rank - shape.length)] ?? 1);
    return dims.find((dim) => dim !== 1) ?? 1;
  });
}

/** f of corresponding elements, with broadcasting. */
export function map(f: (...values: number[]) => number, ...xs: Nd[]): Nd {
  return build(broadcastShapes(...xs.map((x) => x.shape)), (index) => f(...xs.map((x) => at(x, index))));
}

const normal = (axes: readonly number[] | undefined, rank: number) =>
  (axes ?? Array.from({ length: rank }, (_, axis) => axis)).map((axis) => (axis < 0 ? axis + rank : axis));

/** f of all elements along the axes (all axes by default). */
export function reduce(
  x: Nd,
  axes: readonly number[] | undefined,
  keepDims: boolean,
  f: (values: number[]) => number,
): Nd {
  const reduced = normal(axes, x.shape.length);
  const kept = x.shape.map((dim, axis) => (reduced.includes(axis) ? 1 : dim));
  const inner = x.shape.map((dim, axis) => (reduced.includes(axis) ? dim : 1));
  const result = build(kept, (index) => {
    const values: number[] = [];
    for (const offset of indicesOf(inner))
      values.push(
        at(
          x,
          index.map((i, axis) => i + offset[axis]!),
        ),
      );
    return f(values);
  });
  return keepDims ? result : { shape: x.shape.filter((_, axis) => !reduced.includes(axis)), data: result.data };
}

/** Rows along one axis replaced by f(row), of the same length. */
export function alongAxis(x: Nd, axis: number, f: (row: number[]) => number[]): Nd {
  const along = axis < 0 ? axis + x.shape.length : axis;
  const result = { shape: [...x.shape], data: new Float64Array(x.data.length) };
  const step = stridesOf(x.shape)[along]!;
  const length = x.shape[along]!;
  for (let start = 0; start < x.data.length; start++) {
    if (Math.floor(start / step) % length !== 0) continue;
    const row = f(Array.from({ length }, (_, i) => x.data[start + i * step]!));
    row.forEach((value, i) => {
      result.data[start + i * step] = value;
    });
  }
  return result;
}

export function transpose(x: Nd, permutation = x.shape.map((_, axis) => x.shape.length - 1 - axis)): Nd {
  return build(
    permutation.map((axis) => x.shape[axis]!),
    (index) => {
      const from = new Array<number>(index.length);
      permutation.forEach((axis, i) => {
        from[axis] = index[i]!;
      });
      return at(x, from);
    },
  );
}

/** a [..., m, k] · b [..., k, n], leading axes broadcast. */
export function matmul(a: Nd, b: Nd): Nd {
  const [m, k] = a.shape.slice(-2) as [number, number];
  const n = b.shape.at(-1)!;
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  return build([...batch, m, n], (index) => {
    const [i, j] = index.slice(-2) as [number, number];
    const lead = index.slice(0, -2);
    let sum = 0;
    for (let l = 0; l < k; l++) sum += at(a, [...lead, i, l]) * at(b, [...lead, l, j]);
    return sum;
  });
}

/** Swaps the last two axes. */
export function swapLast(x: Nd): Nd {
  const rank = x.shape.length;
  return transpose(
    x,
    x.shape.map((_, axis) => (axis === rank - 1 ? rank - 2 : axis === rank - 2 ? rank - 1 : axis)),
  );
}
