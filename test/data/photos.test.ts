// CIFAR-10's binary files, made small.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { data } from 'downhill';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fails } from '../support.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'downhill-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Value of a pixel: different for every place, colour and photograph. */
const pixel = (photo: number, row: number, column: number, channel: number) =>
  (photo * 31 + row * 7 + column * 3 + channel * 101) % 256;

/** Records: label, red plane, green plane, blue plane. */
function records(count: number, first: number): Buffer {
  const parts: number[] = [];
  for (let photo = first; photo < first + count; photo++) {
    parts.push((photo * 3) % 10);
    for (let channel = 0; channel < 3; channel++)
      for (let row = 0; row < 32; row++)
        for (let column = 0; column < 32; column++) parts.push(pixel(photo, row, column, channel));
  }
  return Buffer.from(parts);
}

const files: Record<string, Buffer> = {
  'data_batch_1.bin': records(2, 0),
  'data_batch_2.bin': records(1, 2),
  'data_batch_3.bin': records(1, 3),
  'data_batch_4.bin': records(1, 4),
  'data_batch_5.bin': records(2, 5),
  'test_batch.bin': records(2, 7),
};

async function write(changes: Record<string, Buffer | null> = {}, zipped = false): Promise<void> {
  for (const [name, content] of Object.entries({ ...files, ...changes }))
    if (content) await writeFile(join(folder, name + (zipped ? '.gz' : '')), zipped ? gzipSync(content) : content);
}

test.each([false, true])('photographs in Keras’s layout, gzipped: %s', async (zipped) => {
  await write({}, zipped);
  const { train, test: tests } = await data.cifar10({ directory: folder });
  expect([train.x.length, tests.x.length]).toEqual([7 * 3072, 2 * 3072]);
  expect([...train.y]).toEqual([0, 3, 6, 9, 2, 5, 8]);
  expect([...tests.y]).toEqual([1, 4]);
  expect(train.y).toBeInstanceOf(Int32Array);
  for (const [set, first] of [
    [train, 0],
    [tests, 7],
  ] as const)
    for (let i = 0; i < set.x.length; i += 113) {
      const [photo, row, column, channel] = [
        first + Math.floor(i / 3072),
        Math.floor(i / 96) % 32,
        Math.floor(i / 3) % 32,
        i % 3,
      ]; // prettier-ignore
      expect(set.x[i], `element ${i}`).toBe(Math.fround(pixel(photo, row, column, channel) / 255));
    }
});

const bad: [title: string, changes: Record<string, Buffer | null>, message: RegExp][] = [
  ['missing', { 'data_batch_4.bin': null }, /data_batch_4\.bin is missing.*\.gz.*data\.cifar10/],
  [
    'truncated',
    { 'data_batch_1.bin': records(2, 0).subarray(0, 3073 + 1000) },
    /data_batch_1\.bin: .*record 1, from byte 3073 on, has 1000/,
  ],
  ['empty', { 'test_batch.bin': Buffer.alloc(0) }, /test_batch\.bin.*record 0, from byte 0 on, has 0/],
  [
    'with a label that is none',
    { 'data_batch_5.bin': Buffer.concat([records(1, 0), Buffer.of(10), Buffer.alloc(3072)]) },
    /data_batch_5\.bin: byte 3073, the label of record 1, is 10/,
  ],
];

test.each(bad)('a file that is %s', async (_, changes, message) => {
  await write(changes);
  await fails('FILE_ERROR', message, () => data.cifar10({ directory: folder }));
});

test('folders that are taken for the right one', async () => {
  const load = (directory: string) => data.cifar10({ directory });
  await fails('FILE_ERROR', /data_batch_1\.bin is missing.*six files/, () => load(folder));
  await fails('FILE_ERROR', /none: the folder is missing.*six files/, () => load(join(folder, 'none')));
  await writeFile(join(folder, 'data_batch_1'), '');
  await fails('FILE_ERROR', /Python version.*data_batch_1\.bin/, () => load(folder));
  await mkdir(join(folder, 'cifar-10-batches-bin'));
  await fails('FILE_ERROR', /in its folder cifar-10-batches-bin/, () => load(folder));
});

test('a damaged .gz, a folder that is a file, options', async () => {
  await write({}, true);
  await writeFile(join(folder, 'test_batch.bin.gz'), Buffer.from('no gzip'));
  await fails('FILE_ERROR', /test_batch\.bin\.gz cannot be decompressed/, () => data.cifar10({ directory: folder }));
  await writeFile(join(folder, 'file'), '');
  await fails('FILE_ERROR', /cannot be read/, () => data.cifar10({ directory: join(folder, 'file') }));
  await fails('INVALID_ARGUMENT', /directory/, () => data.cifar10({} as never));
  await fails('UNKNOWN_OPTION', /"directry".*"directory"/, () => data.cifar10({ directry: folder } as never));
});
