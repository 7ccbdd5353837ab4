// Safetensors files made by hand, byte by byte, for tests of damaged ones.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { type TensorToWrite, writeFile } from '../../lib/io/safetensors.js';

/** A folder for one test file, removed at its end. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'downhill-io-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Length, header and data as a file. `header`: an object, its text, or bytes; length: what the file claims. */
export function fileOf(header: unknown, data: number | Uint8Array = 0, length?: bigint): Buffer {
  const json = Buffer.isBuffer(header)
    ? header
    : Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(length ?? BigInt(json.length));
  return Buffer.concat([start, json, typeof data === 'number' ? Buffer.alloc(data) : data]);
}

export const tensorOf = (dtype: string, shape: unknown, ...offsets: number[]) => ({
  dtype,
  shape,
  data_offsets: offsets,
});

export function floats(name: string, values: readonly number[], shape: number[] = [values.length]): TensorToWrite {
  return { name, dtype: 'F32', shape, storage: binding.storageFrom(Float32Array.from(values), 'float32') };
}

/** A small file of ours: two tensors, a text, the checksum. */
export async function writeSample(path: string, scale = 1): Promise<void> {
  const kernel = Array.from({ length: 40 }, (_, i) => scale * (i + 1));
  await writeFile(
    path,
    [
      floats('dense/kernel', kernel, [8, 5]),
      floats(
        'dense/bias',
        [1, 2, 3].map((x) => x * scale),
      ),
    ],
    {
      format: 'downhill',
      format_version: '1',
      model: JSON.stringify({ className: 'Sequential', config: { name: 'net', layers: [] } }),
    },
  );
}
