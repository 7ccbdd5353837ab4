// CIFAR-10: colour photographs, 32 × 32, ten classes; its binary version.
import { Options } from '../options.js';
import { fileError, readFolder, readPlainOrGzipped } from './files.js';

const SIDE = 32;
const PLANE = SIDE * SIDE;
const CHANNELS = 3;
const PIXELS = PLANE * CHANNELS;
/** A byte for the label, then a plane of each colour. */
const RECORD = 1 + PIXELS;
const CLASSES = 10;
const BATCHES = 5;

/** Photographs, each 32 rows of 32 pixels of red, green and blue in [0, 1]; labels 0 to 9. */
export interface PhotoSet {
  /** [n, 32, 32, 3] */
  x: Float32Array;
  /** By row, [n]: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck */
  y: Int32Array;
}

export interface Cifar10 {
  train: PhotoSet;
  test: PhotoSet;
}

export interface Cifar10Options {
  /** Folder with data_batch_1.bin … data_batch_5.bin and test_batch.bin, each plain or gzipped. */
  directory: string;
}

const kNeeds =
  'data.cifar10 needs the six files of the binary version there, data_batch_1.bin … data_batch_5.bin and test_batch.bin.';

/** Throws FILE_ERROR for folders that are often taken for the right one. */
async function checkFolder(directory: string): Promise<void> {
  const names = await readFolder(directory, kNeeds);
  if (names.some((name) => /^data_batch_\d\.bin/.test(name))) return;
  const inner = 'cifar-10-batches-bin';
  if (names.includes(inner)) throw fileError(directory, `the files are in its folder ${inner}: give that one.`);
  if (names.includes('data_batch_1')) throw fileError(directory, `it holds the Python version of CIFAR-10. ${kNeeds}`);
}

/** The records of a file: their number, which has been checked to be whole. */
async function read(directory: string, name: string): Promise<Buffer> {
  const { path, bytes } = await readPlainOrGzipped(directory, name, kNeeds);
  const rest = bytes.length % RECORD;
  if (rest !== 0 || bytes.length === 0)
    throw fileError(
      path,
      `a file of CIFAR-10 is records of ${RECORD} bytes; record ${Math.floor(bytes.length / RECORD)}, from byte ${bytes.length - rest} on, has ` +
        `${rest}. It is truncated, or another file.`,
    );
  for (let at = 0; at < bytes.length; at += RECORD)
    if (bytes[at]! >= CLASSES)
      throw fileError(
        path,
        `byte ${at}, the label of record ${at / RECORD}, is ${bytes[at]}; labels are 0 to ${CLASSES - 1}.`,
      );
  return bytes;
}

/** Planes of colours to pixels of three. */
function photos(files: readonly Buffer[]): PhotoSet {
  const count = files.reduce((total, bytes) => total + bytes.length / RECORD, 0);
  const x = new Float32Array(count * PIXELS);
  const y = new Int32Array(count);
  let row = 0;
  for (const bytes of files)
    for (let at = 0; at < bytes.length; at += RECORD, row++) {
      y[row] = bytes[at]!;
      for (let channel = 0; channel < CHANNELS; channel++) {
        const plane = at + 1 + channel * PLANE;
        const begin = row * PIXELS + channel;
        for (let i = 0; i < PLANE; i++) x[begin + i * CHANNELS] = bytes[plane + i]! / 255;
      }
    }
  return { x, y };
}

/**
 * The photographs of CIFAR-10 from the files of its binary version, 50,000 and 10,000 of them: in Keras's layout, [n, 32, 32, 3], scaled to
 * [0, 1]. 60,000 take 737 MB as float32.
 *
 * @param options directory
 * @returns `train` and `test`, each `x` [n, 32, 32, 3] and `y` [n]
 * @throws FILE_ERROR, with the byte, when a file is missing, truncated or foreign
 * @example
 * const { train, test } = await data.cifar10({ directory: 'cifar-10-batches-bin' });
 * const net = sequential([layers.flatten({ inputShape: [32, 32, 3] }), layers.dense({ units: 10, activation: 'softmax' })]);
 * @see Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images
 */
export async function cifar10(options: Cifar10Options): Promise<Cifar10> {
  const directory = new Options<Cifar10Options>('data.cifar10', options, ['directory']).text('directory');
  await checkFolder(directory);
  const batches: Buffer[] = [];
  // One after the other, so that the same file is named whenever several are bad.
  for (let i = 1; i <= BATCHES; i++) batches.push(await read(directory, `data_batch_${i}.bin`));
  const test = await read(directory, 'test_batch.bin');
  return { train: photos(batches), test: photos([test]) };
}
