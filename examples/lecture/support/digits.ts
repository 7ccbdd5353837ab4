// Real digits in sizes of one's choice.
import { data } from 'downhill';

export interface Digits {
  x: Float32Array; // (rows, 784)
  y: Int32Array; // (rows)
}

/** The first digits for training, and so many others for tests. */
export async function digits(training: number, tests: number): Promise<{ train: Digits; test: Digits }> {
  const { train, test } = await data.mnist();
  const first = ({ x, y }: Digits, n: number) => ({ x: x.subarray(0, 784 * n), y: y.subarray(0, n) });
  return { train: first(train, training), test: first(test, tests) };
}
