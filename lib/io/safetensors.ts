// Safetensors files: tensors by name, with texts beside them (github.com/huggingface/safetensors, Format). Ours end with a checksum of the
// whole file as a tensor of its own; other libraries see one more tensor of eight bytes.
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { binding, type Storage } from '../binding/index.js';
import { DownhillError } from '../errors.js';
import { checkText } from '../options.js';
import { checksumName, fileError, type Head, maxHeader, type TensorEntry } from './head.js';

export { checksumName, type Head, readHead, type TensorEntry } from './head.js';

/** A tensor to be written. */
export interface TensorToWrite {
  name: string;
  dtype: 'F32' | 'I32';
  shape: readonly number[];
  /** A private copy, unless versions are given. */
  storage: Storage;
}

/** Data begins at a multiple of this, in bytes, so that a mapped file has its tensors aligned. */
const alignment = 64;

/**
 * Reads tensors into storages of their sizes, as the bytes stand in the file, and compares the checksum when there is one. When this
 * rejects the storages may hold a part of the file: give fresh ones, and use them only when it has resolved.
 *
 * @throws DownhillError FILE_ERROR; CORRUPT_FILE when the contents do not match the checksum.
 */
export async function readTensors(
  path: string,
  head: Head,
  entries: readonly TensorEntry[],
  storages: readonly Storage[],
): Promise<void> {
  entries.forEach(({ name, begin, end }, i) => {
    const storage = storages[i];
    const bytes = storage === undefined ? 0 : binding.storageBytes(storage);
    if (storage === undefined || bytes !== end - begin)
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `${path}: the tensor "${name}" has ${end - begin} bytes; received a storage of ${bytes}.`,
      );
  });
  const offsets = entries.map(({ begin }) => begin);
  await binding.fileRead(resolve(path), offsets, storages.slice(0, entries.length), head.hasChecksum);
  await unchanged(path, head);
}

/** Compares the checksum of a file, when it has one. */
export const verify = (path: string, head: Head): Promise<void> => readTensors(path, head, [], []);

/** The head and the tensors must be of the same file: it may have been replaced between the two. */
async function unchanged(path: string, head: Head): Promise<void> {
  let identity: string;
  try {
    const status = await stat(path, { bigint: true });
    identity = [status.dev, status.ino, status.size, status.mtimeNs].join(':');
  } catch (error) {
    throw fileError(path, 'read', error);
  }
  if (identity !== head.identity)
    throw new DownhillError(
      'FILE_ERROR',
      `Cannot read ${path}: the file was replaced while it was read. Read it again.`,
    );
}

function checkTensors(tensors: readonly TensorToWrite[]): void {
  const names = new Set<string>();
  for (const { name, shape, storage } of tensors) {
    checkText('The name of a tensor', name);
    const refuse = (reason: string): never => {
      throw new DownhillError('INVALID_ARGUMENT', `The tensor "${name}" cannot be written: ${reason}`);
    };
    if (name === '__metadata__' || name === checksumName)
      refuse('the format keeps this name for itself. Choose another.');
    if (names.has(name)) refuse('another one has this name. Names must be unique.');
    names.add(name);
    const [expected, bytes] = [shape.reduce((product, length) => product * length, 4), binding.storageBytes(storage)];
    if (expected !== bytes)
      refuse(`its shape [${shape.join(', ')}] takes ${expected} bytes, its storage has ${bytes}.`);
  }
}

/** Length, JSON and padding, for these tensors and the checksum after them. */
function headBytes(tensors: readonly TensorToWrite[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const entries: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) entries.push(['__metadata__', metadata]);
  let position = 0;
  const add = (name: string, dtype: string, shape: readonly number[], bytes: number) => {
    entries.push([name, { dtype, shape, data_offsets: [position, position + bytes] }]);
    position += bytes;
  };
  for (const { name, dtype, shape, storage } of tensors) add(name, dtype, shape, binding.storageBytes(storage));
  add(checksumName, 'U8', [8], 8);
  // Not an object: a name such as "7" would change its place, "__proto__" would vanish.
  const json = `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
  const length = Buffer.byteLength(json);
  const padded = Math.ceil((8 + length) / alignment) * alignment - 8;
  if (padded > maxHeader)
    throw new DownhillError(
      'OUT_OF_RANGE',
      `The header of the file would have ${padded} bytes; safetensors allows ${maxHeader}. Save fewer tensors, or less beside them.`,
    );
  const bytes = Buffer.alloc(8 + padded, ' ');
  bytes.writeBigUInt64LE(BigInt(padded), 0);
  bytes.write(json, 8);
  return bytes;
}

/** Works on the same file come one after the other, in the order of their calls. */
const working = new Map<string, Promise<unknown>>();

/** Runs `work` when what was asked before for this path is done. */
export async function inTurn<T>(path: string, work: () => Promise<T>): Promise<T> {
  const target = resolve(path);
  const before = working.get(target) ?? Promise.resolve();
  const done = before.catch(() => {}).then(work);
  working.set(target, done);
  try {
    return await done;
  } finally {
    if (working.get(target) === done) working.delete(target);
  }
}

/**
 * Checks what is to be written, and gives what writes it: false, and no file, when a storage was changed before it was read. `versions`, of
 * the storages, for those that others may change: the file holds what they held then.
 */
export function prepareFile(
  path: string,
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>>,
  versions?: number[],
): () => Promise<boolean> {
  checkText('The path of a file', path);
  if (path.includes('\0'))
    throw new DownhillError('INVALID_ARGUMENT', 'The path of a file must not contain a NUL character.');
  checkTensors(tensors);
  const target = resolve(path);
  const head = headBytes(tensors, metadata);
  const storages = tensors.map(({ storage }) => storage);
  return () => binding.fileWrite(target, head, storages, true, versions);
}

/**
 * Writes tensors and texts as a safetensors file, atomically: a file of that name stays whole until the new one is complete on the disk.
 *
 * @throws DownhillError FILE_ERROR naming path, operation and reason.
 */
export async function writeFile(
  path: string,
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  await inTurn(path, prepareFile(path, tensors, metadata));
}
