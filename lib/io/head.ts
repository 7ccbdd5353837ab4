// The head of a safetensors file, checked in every respect before anybody believes it. Needs no addon.
import { type FileHandle, open } from 'node:fs/promises';
import { constants } from 'node:fs';
import { DownhillError, type ErrorCode } from '../errors.js';
import { checkText } from '../options.js';
import { knownFormat } from './formats.js';
import { type Header, HeaderError, parseHeader } from './header.js';

/** A tensor in a file. */
export interface TensorEntry {
  name: string;
  /** As the format names it: 'F32', 'I32', 'BF16' … */
  dtype: string;
  shape: number[];
  /** Byte offsets in the file. */
  begin: number;
  end: number;
}

/** What a file says of itself. */
export interface Head {
  /** Bytes of the file. */
  size: number;
  /** In the order of their data, without the checksum. */
  tensors: Map<string, TensorEntry>;
  metadata: Map<string, string>;
  /** The last tensor is the checksum of all before it. */
  hasChecksum: boolean;
  /** Changes when another file takes this one's place, or its contents change. */
  identity: string;
}

/** Bits of an element; the list of the safetensors format. */
export const dtypeBits: ReadonlyMap<string, number> = new Map([
  ...['F4'].map((name) => [name, 4] as const),
  ...['F6_E2M3', 'F6_E3M2'].map((name) => [name, 6] as const),
  ...['BOOL', 'U8', 'I8', 'F8_E5M2', 'F8_E4M3', 'F8_E8M0', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ'].map(
    (name) => [name, 8] as const,
  ),
  ...['I16', 'U16', 'F16', 'BF16'].map((name) => [name, 16] as const),
  ...['I32', 'U32', 'F32'].map((name) => [name, 32] as const),
  ...['I64', 'U64', 'F64', 'C64'].map((name) => [name, 64] as const),
]);

export const checksumName = 'downhill.checksum';
/** The format's own limit of a header, in bytes. */
export const maxHeader = 100_000_000;

/** An error about a file: which, where in it, and what is wrong. */
function bad(code: ErrorCode, path: string, at: number, reason: string, remedy: string): DownhillError {
  return new DownhillError(code, `${path}: ${reason} (at byte ${at}). ${remedy}`);
}

const corrupt = (path: string, at: number, reason: string) =>
  bad('CORRUPT_FILE', path, at, reason, 'The file is damaged or was not written completely: use another copy.');

const reasons: Record<string, string> = {
  ENOENT: 'there is no such file. Check the path.',
  ENOTDIR: 'a part of the path is a file, not a folder.',
  EACCES: 'permission denied. Change the permissions of the file.',
  EPERM: 'permission denied. Change the permissions of the file.',
  EISDIR: 'this is a folder. Name a file.',
  EMFILE: 'too many files are open. Close some, or raise the limit (ulimit -n).',
};

/** A failure of the system on a file, as FILE_ERROR. */
export function fileError(path: string, verb: string, error: unknown): DownhillError {
  if (error instanceof DownhillError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new DownhillError('FILE_ERROR', `Cannot ${verb} ${path}: ${reasons[code] ?? message}`, { cause: error });
}

/** Fills `length` bytes from `at`; fewer come only from a file that shrinks meanwhile. */
async function bytesAt(file: FileHandle, path: string, at: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let have = 0; have < length; ) {
    const { bytesRead } = await file.read(bytes, have, length - have, at + have);
    if (bytesRead === 0) throw corrupt(path, at + have, 'the file ends early');
    have += bytesRead;
  }
  return bytes;
}

/**
 * Reads and checks the head of a safetensors file: sizes, JSON, names, shapes, dtypes, and that the tensors cover the data without
 * holes or overlaps. Nothing is allocated from sizes that the file merely claims. The checksum is compared when tensors are read.
 *
 * @throws DownhillError FILE_ERROR (the system), CORRUPT_FILE (damaged), FOREIGN_FILE (another format); each names file, byte and reason.
 */
export async function readHead(path: string): Promise<Head> {
  checkText('The path of a file', path);
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK a pipe in place of a file would wait for its writer.
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const status = await file.stat({ bigint: true });
    if (status.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    if (!status.isFile())
      throw new DownhillError('FILE_ERROR', `Cannot read ${path}: it is a device, pipe or socket. Name a file.`);
    const identity = [status.dev, status.ino, status.size, status.mtimeNs].join(':');
    return { ...(await headOf(file, path, Number(status.size))), identity };
  } catch (error) {
    throw fileError(path, 'read', error);
  } finally {
    await file?.close();
  }
}

async function headOf(file: FileHandle, path: string, size: number): Promise<Omit<Head, 'identity'>> {
  const start = await bytesAt(file, path, 0, Math.min(size, 16));
  const length = size < 8 ? 0n : new DataView(start.buffer).getBigUint64(0, true);
  const fits = length >= 2n && length <= BigInt(size - 8) && length <= BigInt(maxHeader);
  if (!fits || start[8] !== 0x7b) {
    const other = knownFormat(start);
    if (other) throw bad('FOREIGN_FILE', path, 0, `this is ${other.kind}, not a safetensors file`, other.remedy);
  }
  if (size < 10) throw corrupt(path, 0, `the file has ${size} bytes; a safetensors file has at least 10`);
  if (start[8] !== 0x7b)
    throw bad(
      'FOREIGN_FILE',
      path,
      8,
      'this is not a safetensors file: its header does not begin with {',
      'Check the path.',
    );
  if (length < 2n) throw corrupt(path, 0, `a header of ${length} bytes cannot be`);
  if (length > BigInt(maxHeader))
    throw corrupt(path, 0, `the header claims ${length} bytes; at most ${maxHeader} are allowed`);
  if (!fits) throw corrupt(path, 0, `the header claims ${length} bytes, but the file ends after ${size - 8} of them`);
  const dataBegin = 8 + Number(length);
  let header: Header;
  try {
    header = parseHeader(await bytesAt(file, path, 8, Number(length)));
  } catch (error) {
    if (error instanceof HeaderError) throw corrupt(path, 8 + error.at, `the header is not valid: ${error.message}`);
    throw error;
  }
  return { size, metadata: header.metadata, ...layout(path, header, dataBegin, size) };
}

/** The tensors in the order of their data, with offsets in the file. */
function layout(path: string, header: Header, dataBegin: number, size: number): Pick<Head, 'tensors' | 'hasChecksum'> {
  const order = [...header.entries].sort(([, { offsets: a }], [, { offsets: b }]) => a[0] - b[0] || a[1] - b[1]);
  const tensors = new Map<string, TensorEntry>();
  let position = dataBegin;
  for (const [name, { dtype, shape, offsets, at }] of order) {
    const fail = (reason: string): never => {
      throw corrupt(path, 8 + at, `the tensor ${JSON.stringify(name)} ${reason}`);
    };
    const [begin, end] = [dataBegin + offsets[0], dataBegin + offsets[1]];
    if (begin > end) fail(`begins at byte ${begin} and ends before, at byte ${end}`);
    if (end > size) fail(`ends at byte ${end}, but the file has ${size}`);
    if (begin < position) fail(`begins at byte ${begin}, inside the tensor that ends at byte ${position}`);
    if (begin > position) fail(`begins at byte ${begin}, but the data before it ends at byte ${position}`);
    const bits = dtypeBits.get(dtype) ?? fail(`has the unknown dtype ${JSON.stringify(dtype.slice(0, 60))}`);
    const expected = shape.includes(0) ? 0 : shape.reduce((product, length) => product * length, bits) / 8;
    if (expected !== end - begin)
      fail(`of dtype ${dtype} and shape [${shape.join(', ')}] takes ${expected} bytes, but has ${end - begin}`);
    tensors.set(name, { name, dtype, shape, begin, end });
    position = end;
  }
  if (position !== size) throw corrupt(path, position, `the tensors end here, but the file has ${size} bytes`);
  const checksum = tensors.get(checksumName);
  if (checksum) {
    const { dtype, shape, end } = checksum;
    if (dtype !== 'U8' || shape.length !== 1 || shape[0] !== 8 || end !== size)
      throw corrupt(
        path,
        checksum.begin,
        `the tensor ${checksumName} is not the last one, or is not of dtype U8 and shape [8]`,
      );
    tensors.delete(checksumName);
  } else if (header.metadata.get('format') === 'downhill')
    throw corrupt(path, 8, `the tensor ${checksumName} is missing, which every file of downhill has`);
  return { tensors, hasChecksum: checksum !== undefined };
}
