// What the tests of models share.
import { type ErrorCode, DownhillError, layers, type Model, sequential, Tensor } from 'downhill';
import { expect } from 'vitest';

type Work = () => unknown;

/** Expects that `work` throws, or rejects with, a DownhillError of that code whose message matches. */
export async function fails(code: ErrorCode, message: RegExp, work: Work): Promise<void> {
  let error: unknown;
  try {
    await work();
  } catch (thrown) {
    error = thrown;
  }
  expect(error, 'nothing was thrown').toBeInstanceOf(DownhillError);
  const { code: found, message: text } = error as DownhillError;
  expect({ code: found, text }).toEqual({ code, text: expect.stringMatching(message) });
}

/** As fails(), for what must throw before it returns. */
export function throwsAtOnce(code: ErrorCode, message: RegExp, work: Work): void {
  let error: unknown;
  try {
    work();
  } catch (thrown) {
    error = thrown;
  }
  expect(error, 'nothing was thrown').toBeInstanceOf(DownhillError);
  const { code: found, message: text } = error as DownhillError;
  expect({ code: found, text }).toEqual({ code, text: expect.stringMatching(message) });
}

/** Nested numbers that agree within `tolerance`, relative to the largest magnitude. */
export function close(found: unknown, expected: unknown, tolerance = 1e-5): void {
  const flat = (value: unknown): number[] =>
    value instanceof Tensor
      ? [...value.dataSync()]
      : typeof value === 'number'
        ? [value]
        : Array.from(value as ArrayLike<unknown>).flatMap(flat);
  const [a, b] = [flat(found), flat(expected)];
  expect(a.length).toBe(b.length);
  const scale = Math.max(1, ...b.map(Math.abs));
  const worst = Math.max(0, ...a.map((value, i) => (Number.isNaN(value) ? Infinity : Math.abs(value - b[i]))));
  expect(worst, `found ${a.slice(0, 8)}, expected ${b.slice(0, 8)}`).toBeLessThanOrEqual(tolerance * scale);
}

/** A small generator, so that test data never changes. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export function randomArray(length: number, seed: number, low = -1, high = 1): Float32Array {
  const next = random(seed);
  return Float32Array.from({ length }, () => low + (high - low) * next());
}

/** Points in the plane whose label is the quadrant's parity: x [n, 2], labels [n], one-hot [n, 2]. */
export function quadrants(rows: number, seed = 7): { x: Float32Array; labels: Int32Array; oneHot: Float32Array } {
  const x = randomArray(rows * 2, seed);
  const labels = Int32Array.from({ length: rows }, (_, i) => (x[2 * i] * x[2 * i + 1] > 0 ? 1 : 0));
  const oneHot = new Float32Array(rows * 2);
  labels.forEach((label, i) => {
    oneHot[2 * i + label] = 1;
  });
  return { x, labels, oneHot };
}

/** 2 → 16 → 2, for quadrants(). */
export function classifier(
  metrics: string[] = ['accuracy'],
  loss = 'categoricalCrossentropy',
  optimizer = 'adam',
): Model {
  const net = sequential([
    layers.dense({ units: 16, activation: 'tanh', inputShape: [2] }),
    layers.dense({ units: 2, activation: 'softmax' }),
  ]);
  net.compile({ optimizer, loss, metrics });
  return net;
}
