// Random numbers for the data of the scripts, from the library's own initializers, so that a seed fixes them.
import { initializers } from 'downhill';

/** Normal numbers. */
export function normal(n: number, seed: number, stddev = 1): Float32Array {
  return initializers.randomNormal({ stddev, seed }).sample([n]).dataSync() as Float32Array;
}

/** Uniform numbers in [from, to). */
export function uniform(n: number, seed: number, from = 0, to = 1): Float32Array {
  return initializers.randomUniform({ minval: from, maxval: to, seed }).sample([n]).dataSync() as Float32Array;
}

export const mean = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0) / values.length;

export const deviation = (values: ArrayLike<number>) => {
  const middle = mean(values);
  return Math.sqrt(mean(Array.from(values, (value) => (value - middle) ** 2)));
};
