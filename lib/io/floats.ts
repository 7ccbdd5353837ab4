// Floats of other widths, as float32. Needs no addon.
import { open } from 'node:fs/promises';
import { DownhillError } from '../errors.js';
import { fileError, type TensorEntry } from './head.js';

type Convert = (bytes: DataView, count: number) => Float32Array;

const halves: Convert = (bytes, count) =>
  Float32Array.from({ length: count }, (_, i) => {
    const bits = bytes.getUint16(2 * i, true);
    const sign = bits & 0x8000 ? -1 : 1;
    const [exponent, fraction] = [(bits >> 10) & 0x1f, bits & 0x3ff];
    if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });

/** The upper half of a float32. */
const brains: Convert = (bytes, count) => {
  const bits = Uint32Array.from({ length: count }, (_, i) => bytes.getUint16(2 * i, true) * 65536);
  return new Float32Array(bits.buffer);
};

const doubles: Convert = (bytes, count) =>
  Float32Array.from({ length: count }, (_, i) => bytes.getFloat64(8 * i, true));

const conversions: ReadonlyMap<string, { bytes: number; convert: Convert }> = new Map([
  ['F16', { bytes: 2, convert: halves }],
  ['BF16', { bytes: 2, convert: brains }],
  ['F64', { bytes: 8, convert: doubles }],
]);

/** Whether a weight can take values of this dtype. */
export const readable = (dtype: string): boolean => dtype === 'F32' || conversions.has(dtype);

/** The values of a tensor that is not F32. */
export async function readFloats(path: string, { dtype, begin, end, name }: TensorEntry): Promise<Float32Array> {
  const { bytes: width, convert } = conversions.get(dtype)!;
  const bytes = Buffer.alloc(end - begin);
  try {
    const file = await open(path, 'r');
    try {
      for (let have = 0; have < bytes.length; ) {
        const { bytesRead } = await file.read(bytes, have, bytes.length - have, begin + have);
        if (bytesRead === 0)
          throw new DownhillError('CORRUPT_FILE', `${path}: the file ends within the tensor "${name}".`);
        have += bytesRead;
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(path, 'read', error);
  }
  return convert(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), bytes.length / width);
}
