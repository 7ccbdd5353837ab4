// The ops' formulas in double precision.

/** erf to 1e-15: Maclaurin series for small, continued fraction of erfc for large arguments. */
export function erf(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (x < 0) return -erf(-x);
  if (x > 6) return 1;
  if (x < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-18; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n >= 1; n--) fraction = n / 2 / (x + fraction);
  return 1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}

const maxOf = (row: readonly number[]) => row.reduce((a, b) => (Number.isNaN(a) || a > b ? a : b), -Infinity);
const sumOf = (row: readonly number[]) => row.reduce((a, b) => a + b, 0);

export const sigmoid = (x: number) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

export function logSumExp(row: readonly number[]): number {
  const top = maxOf(row);
  return Number.isFinite(top) ? top + Math.log(sumOf(row.map((x) => Math.exp(x - top)))) : top;
}

export const logSoftmax = (row: readonly number[]) => row.map((x) => x - logSumExp(row));
export const softmax = (row: readonly number[]) => logSoftmax(row).map(Math.exp);

const kSeluAlpha = 1.6732632423543772;
const kSeluScale = 1.0507009873554805;

/** y = f(x). */
export const unary: Record<string, (x: number) => number> = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: Math.sign,
  square: (x) => x * x,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  erf,
  relu: (x) => (x > 0 || Number.isNaN(x) ? x : 0),
  selu: (x) => kSeluScale * (x > 0 ? x : kSeluAlpha * Math.expm1(x)),
  silu: (x) => x * sigmoid(x),
  sigmoid,
  tanh: Math.tanh,
  softplus: (x) => (x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x))),
  softsign: (x) => x / (1 + Math.abs(x)),
};

export const leakyRelu = (alpha: number) => (x: number) => (x > 0 ? x : alpha * x);
export const elu = (alpha: number) => (x: number) => (x > 0 ? x : alpha * Math.expm1(x));
export const gelu = (approximate: boolean) => (x: number) =>
  approximate
    ? 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
    : 0.5 * x * (1 + erf(x / Math.SQRT2));
export const clip = (low: number, high: number) => (x: number) => (x < low ? low : x > high ? high : x);

/** y = f(a, b). */
export const binary: Record<string, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow: (a, b) => a ** b,
  maximum: Math.max,
  minimum: Math.min,
  equal: (a, b) => Number(a === b),
  notEqual: (a, b) => Number(a !== b),
  less: (a, b) => Number(a < b),
  lessEqual: (a, b) => Number(a <= b),
  greater: (a, b) => Number(a > b),
  greaterEqual: (a, b) => Number(a >= b),
};

/** One number from many. */
export const reductions: Record<string, (values: number[]) => number> = {
  sum: sumOf,
  mean: (values) => sumOf(values) / values.length,
  max: (values) => Math.max(...values),
  min: (values) => Math.min(...values),
  variance: (values) => {
    const mean = sumOf(values) / values.length;
    return sumOf(values.map((x) => (x - mean) ** 2)) / values.length;
  },
  norm: (values) => Math.sqrt(sumOf(values.map((x) => x * x))),
};
