// The IDX format of MNIST's files: a big-endian header (0, 0, element type, rank, one 32-bit size per dimension), then the bytes.
import { DownhillError } from '../errors.js';

const UNSIGNED_BYTE = 0x08;

export interface IdxArray {
  shape: number[];
  values: Uint8Array;
}

const fileError = (file: string, problem: string) => new DownhillError('FILE_ERROR', `${file}: ${problem}`);

/**
 * Reads the bytes of an (uncompressed) IDX file of unsigned bytes.
 *
 * @param file how messages name it
 * @param rank the rank that is expected: 3 for images, 1 for labels
 * @throws FILE_ERROR when the file is foreign, truncated or longer than its header says
 * @see http://yann.lecun.com/exdb/mnist/
 */
export function parseIdx(bytes: Uint8Array, file: string, rank: number): IdxArray {
  if (bytes.length < 4)
    throw fileError(file, `an IDX file has at least 4 bytes; this one has ${bytes.length}. It is truncated.`);
  const magic = `0x${Buffer.from(bytes.subarray(0, 4)).toString('hex')}`;
  if (bytes[0] !== 0 || bytes[1] !== 0 || bytes[2] !== UNSIGNED_BYTE || bytes[3] !== rank)
    throw fileError(
      file,
      `not an IDX file of unsigned bytes of rank ${rank}: it should begin with 0x0000080${rank}; it begins with ${magic}.`,
    );
  const header = 4 + 4 * rank;
  if (bytes.length < header)
    throw fileError(file, `the header has ${header} bytes; the file has ${bytes.length}. It is truncated.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const size = shape.reduce((product, length) => product * length, 1);
  const found = bytes.length - header;
  if (found !== size)
    throw fileError(
      file,
      `its header says [${shape.join(', ')}], which is ${size} bytes; ${found} follow. It is ${found < size ? 'truncated' : 'damaged'}.`,
    );
  return { shape, values: bytes.subarray(header) };
}
