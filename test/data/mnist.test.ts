import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { data } from 'downhill';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fails, throwsAtOnce } from '../support.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'downhill-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** An IDX file of unsigned bytes. */
function idx(shape: number[], values: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, 8, shape.length]);
  shape.forEach((length, i) => {
    header.writeUInt32BE(length, 4 + 4 * i);
  });
  return Buffer.concat([header, values]);
}

const pixels = (count: number, first = 0) => Uint8Array.from({ length: count * 784 }, (_, i) => (first + i * 7) % 256);
const digits = (count: number) => Uint8Array.from({ length: count }, (_, i) => (i * 3) % 10);

const files: Record<string, Buffer> = {
  'train-images-idx3-ubyte': idx([6, 28, 28], pixels(6)),
  'train-labels-idx1-ubyte': idx([6], digits(6)),
  't10k-images-idx3-ubyte': idx([2, 28, 28], pixels(2, 5)),
  't10k-labels-idx1-ubyte': idx([2], digits(2)),
};

async function write(changes: Record<string, Buffer | null> = {}, zipped = false): Promise<void> {
  for (const [name, content] of Object.entries({ ...files, ...changes }))
    if (content) await writeFile(join(folder, name + (zipped ? '.gz' : '')), zipped ? gzipSync(content) : content);
}

test.each([false, true])('the four IDX files, gzipped: %s', async (zipped) => {
  await write({}, zipped);
  const { train, test: tests } = await data.mnist({ directory: folder });
  expect(train.x).toBeInstanceOf(Float32Array);
  expect([...train.x]).toEqual([...Float32Array.from(pixels(6), (value) => value / 255)]);
  expect(train.y).toEqual(Int32Array.from(digits(6)));
  expect([tests.x.length, tests.y.length]).toEqual([2 * 784, 2]);
  expect(tests.x[1]).toBe(Math.fround(12 / 255));
});

const bad: [title: string, changes: Record<string, Buffer | null>, message: RegExp][] = [
  ['missing', { 't10k-labels-idx1-ubyte': null }, /t10k-labels-idx1-ubyte is missing.*\.gz/],
  [
    'truncated data',
    { 'train-images-idx3-ubyte': files['train-images-idx3-ubyte'].subarray(0, 2000) },
    /train-images.*\[6, 28, 28\].*truncated/,
  ],
  [
    'truncated header',
    { 'train-images-idx3-ubyte': files['train-images-idx3-ubyte'].subarray(0, 9) },
    /header has 16 bytes.*9/,
  ],
  ['empty', { 'train-labels-idx1-ubyte': Buffer.alloc(0) }, /train-labels.*at least 4 bytes/],
  [
    'longer than its header says',
    { 't10k-labels-idx1-ubyte': Buffer.concat([files['t10k-labels-idx1-ubyte'], Buffer.of(1)]) },
    /2 bytes; 3 follow/,
  ],
  [
    'a foreign file',
    { 'train-images-idx3-ubyte': Buffer.from('GIF89a, not an IDX file at all') },
    /begins with 0x47494638/,
  ],
  [
    'labels in place of images',
    { 'train-images-idx3-ubyte': files['train-labels-idx1-ubyte'] },
    /rank 3.*begins with 0x00000801/,
  ],
  [
    'another element type',
    { 'train-labels-idx1-ubyte': Buffer.of(0, 0, 13, 1, 0, 0, 0, 0) },
    /unsigned bytes.*0x00000d01/,
  ],
  [
    'other sizes of images',
    { 't10k-images-idx3-ubyte': idx([2, 14, 14], new Uint8Array(392)) },
    /28 × 28; these are 14 × 14/,
  ],
  ['counts that differ', { 't10k-labels-idx1-ubyte': idx([3], digits(3)) }, /2 images but 3 labels/],
  ['labels that are no digits', { 't10k-labels-idx1-ubyte': idx([2], Uint8Array.of(3, 10)) }, /label 1 is 10/],
  ['sizes that overflow', { 't10k-labels-idx1-ubyte': idx([0xffffffff], digits(2)) }, /4294967295.*truncated/],
];

test.each(bad)('refused: %s', async (_, changes, message) => {
  await write(changes);
  await fails('FILE_ERROR', message, () => data.mnist({ directory: folder }));
});

test('a damaged gzip file', async () => {
  await write({ 'train-labels-idx1-ubyte': null });
  await writeFile(
    join(folder, 'train-labels-idx1-ubyte.gz'),
    gzipSync(files['train-labels-idx1-ubyte']).subarray(0, 20),
  );
  await fails('FILE_ERROR', /train-labels-idx1-ubyte\.gz cannot be decompressed/, () =>
    data.mnist({ directory: folder }),
  );
});

test('a folder that is none, and options', async () => {
  await fails('FILE_ERROR', /train-images-idx3-ubyte is missing/, () =>
    data.mnist({ directory: join(folder, 'nowhere') }),
  );
  await fails('UNKNOWN_OPTION', /"dir".*Known options: directory/, () => data.mnist({ dir: folder } as never));
});

test('the digits of the npm package, always in the same order', async () => {
  const { train, test: tests } = await data.mnist();
  expect([train.x.length, train.y.length, tests.x.length, tests.y.length]).toEqual([
    8000 * 784,
    8000,
    2000 * 784,
    2000,
  ]);
  expect(train.x.every((value) => value >= 0 && value <= 1)).toBe(true);
  expect([...train.y.subarray(0, 12)]).toEqual([...(await data.mnist()).train.y.subarray(0, 12)]);
  const counts = (labels: Int32Array) =>
    Array.from({ length: 10 }, (_, digit) => labels.filter((label) => label === digit).length);
  const all = counts(train.y).map((count, digit) => count + counts(tests.y)[digit]);
  expect(all).toEqual([1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]);
  for (const [digit, count] of counts(tests.y).entries()) expect(count, `digit ${digit}`).toBeGreaterThan(120);
  // The order must never change, or runs with one seed would.
  expect([...train.y.subarray(0, 12)].join('')).toMatchInlineSnapshot(`"448561104748"`);
});

test('toCategorical', async () => {
  const rows = data.toCategorical(Int32Array.of(0, 2, 1), 3);
  expect([rows.shape, rows.dtype]).toEqual([[3, 3], 'float32']);
  expect(await rows.array()).toEqual([
    [1, 0, 0],
    [0, 0, 1],
    [0, 1, 0],
  ]);
  expect(data.toCategorical([1, 3]).shape).toEqual([2, 4]);
  expect(data.toCategorical([[1], [0]], 2).shape).toEqual([2, 2]);
  expect(data.toCategorical(Uint8Array.of(1), 2).arraySync()).toEqual([[0, 1]]);
  throwsAtOnce('LABEL_OUT_OF_RANGE', /element 1 is 3/, () => data.toCategorical([0, 3], 3));
  throwsAtOnce('LABEL_OUT_OF_RANGE', /element 0 is -1/, () => data.toCategorical([-1, 0], 3));
  throwsAtOnce('INVALID_ARGUMENT', /0\.5/, () => data.toCategorical([0.5], 3));
  throwsAtOnce('OUT_OF_RANGE', /numClasses/, () => data.toCategorical([0], 0));
});
