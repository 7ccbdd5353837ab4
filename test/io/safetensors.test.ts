import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { binding, type Storage } from '../../lib/binding/index.js';
import { type Head, readHead, readTensors, type TensorToWrite, verify, writeFile } from '../../lib/io/safetensors.js';
import { fails } from '../support.js';
import { fileOf, floats, temporaryFolder, tensorOf, writeSample } from './files.js';
import { ours, writeOurs } from './fixtures/ours.js';

const folder = temporaryFolder();
const fixture = (name: string) => join(import.meta.dirname, 'fixtures', name);

/** The values of all float32 and int32 tensors of a file, by name. */
async function contents(path: string): Promise<{ head: Head; values: Record<string, number[]> }> {
  const head = await readHead(path);
  const entries = [...head.tensors.values()].filter(({ dtype }) => dtype === 'F32' || dtype === 'I32');
  const storages = binding.arena(entries.map(({ begin, end }) => end - begin));
  await readTensors(path, head, entries, storages);
  const read = (storage: Storage, dtype: string) => [
    ...binding.storageRead(storage, dtype === 'F32' ? 'float32' : 'int32'),
  ];
  return { head, values: Object.fromEntries(entries.map(({ name, dtype }, i) => [name, read(storages[i]!, dtype)])) };
}

describe('files of Python', () => {
  test('are read: names, dtypes, shapes, values, texts', async () => {
    const { head, values } = await contents(fixture('python.safetensors'));
    const kernel = Array.from({ length: 12 }, (_, i) => Math.fround((i - 5.5) / 7));
    expect(values).toEqual({
      'dense/kernel': kernel,
      'dense/bias': [0.1, -0.2, 1e-40, 3e38].map(Math.fround),
      schritte_ß: [2 ** 31 - 1, -(2 ** 31), 0],
      empty: [],
    });
    const kinds = Object.fromEntries(
      [...head.tensors.values()].map(({ name, dtype, shape }) => [name, [dtype, shape]]),
    );
    expect(kinds).toEqual({
      'dense/kernel': ['F32', [3, 4]],
      'dense/bias': ['F32', [4]],
      schritte_ß: ['I32', [3]],
      scalar: ['F64', []],
      empty: ['F32', [0, 3]],
      half: ['F16', [4]],
      flags: ['BOOL', [3]],
      bytes: ['U8', [5]],
      long: ['I64', [2]],
    });
    expect(Object.fromEntries(head.metadata)).toEqual({ format: 'np', from: 'safetensors für Python' });
    expect(head.hasChecksum).toBe(false);
  });

  test('the file that Python was seen to read is what is written now', async () => {
    const path = join(folder, 'ours.safetensors');
    await writeOurs(path);
    expect(readFileSync(path)).toEqual(readFileSync(fixture('ours.safetensors')));
    expect(JSON.parse(readFileSync(fixture('ours.json'), 'utf8'))).toEqual(ours);
  });
});

describe('files of ours', () => {
  test('return what was written, with data from a multiple of 64', async () => {
    const path = join(folder, 'round');
    const texts = fc.string({ unit: 'grapheme', maxLength: 12 });
    const tensor = fc.record({
      name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((name) => name !== '__metadata__'),
      shape: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }),
      integers: fc.boolean(),
      seed: fc.integer({ min: 0, max: 1000 }),
    });
    const sets = fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(sets, fc.dictionary(texts, texts, { maxKeys: 4 }), async (list, metadata) => {
        const expected = list.map(({ name, shape, integers, seed }) => {
          const size = shape.reduce((product, length) => product * length, 1);
          const values = Array.from({ length: size }, (_, i) => seed - 7 * i + (integers ? 0 : 0.25));
          return { name, shape, integers, values };
        });
        const tensors = expected.map(({ name, shape, integers, values }): TensorToWrite => {
          const storage = integers
            ? binding.storageFrom(Int32Array.from(values), 'int32')
            : binding.storageFrom(Float32Array.from(values), 'float32');
          return { name, dtype: integers ? 'I32' : 'F32', shape, storage };
        });
        await writeFile(path, tensors, metadata);
        const { head, values } = await contents(path);
        expect(Object.entries(values).sort()).toEqual(expected.map((one) => [one.name, one.values]).sort());
        for (const { name, shape } of expected) expect(head.tensors.get(name)!.shape).toEqual(shape);
        expect(Object.fromEntries(head.metadata)).toEqual({ ...metadata });
        expect(head.hasChecksum).toBe(true);
        expect((8 + Number(readFileSync(path).readBigUInt64LE())) % 64).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test('larger than a piece: every value arrives, in any order of asking', async () => {
    const path = join(folder, 'large');
    const values = Float32Array.from({ length: 1_000_003 }, (_, i) => i);
    await writeFile(
      path,
      [
        { ...floats('a', []), shape: [values.length], storage: binding.storageFrom(values, 'float32') },
        floats('b', [5]),
      ],
      {},
    );
    const { values: found } = await contents(path);
    expect(Float32Array.from(found.a!)).toEqual(values);
    expect(found.b).toEqual([5]);
  });

  test('one byte changed anywhere is found', async () => {
    const path = join(folder, 'flipped');
    await writeSample(path);
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 1 << (at % 8);
      writeFileSync(path, damaged);
      const outcome = await readHead(path)
        .then((head) => verify(path, head))
        .then(
          () => 'read',
          (error) => error.code,
        );
      expect(outcome, `byte ${at}`).toMatch(/^(CORRUPT_FILE|FOREIGN_FILE)$/);
    }
  });

  test('cut anywhere, or with bytes added, are refused', async () => {
    const path = join(folder, 'cut');
    await writeSample(path);
    const whole = readFileSync(path);
    for (let size = 0; size < whole.length; size += size < 20 ? 1 : 7) {
      writeFileSync(path, whole.subarray(0, size));
      await fails('CORRUPT_FILE', /cut: .*at byte/, () => readHead(path));
    }
    writeFileSync(path, Buffer.concat([whole, Buffer.alloc(1)]));
    await fails('CORRUPT_FILE', /the tensors end here, but the file has/, () => readHead(path));
  });

  test('replaced between head and tensors, as by a checkpoint: refused, not mixed', async () => {
    const path = join(folder, 'replaced');
    await writeSample(path);
    const head = await readHead(path);
    await writeSample(path, 2);
    const [entry] = [...head.tensors.values()];
    const storages = binding.arena([entry!.end - entry!.begin]);
    await fails('FILE_ERROR', /replaced: the file was replaced while it was read/, () =>
      readTensors(path, head, [entry!], storages),
    );
  });

  test('writes to one file end in the order of their calls', async () => {
    const path = join(folder, 'order');
    const big = binding.arena([20_000_000]);
    const first = writeFile(path, [{ name: 'big', dtype: 'F32', shape: [5_000_000], storage: big[0]! }], {});
    const second = writeFile(join(folder, '.', 'order'), [floats('small', [1])], {});
    await Promise.all([first, second]);
    expect([...(await readHead(path)).tensors.keys()]).toEqual(['small']);
    expect(statSync(path).size).toBeLessThan(1000);
  });

  test.each<[string, TensorToWrite[], RegExp]>([
    ['two of a name', [floats('a', [1]), floats('a', [2])], /"a".*another one has this name/],
    ['the name of the checksum', [floats('downhill.checksum', [1])], /keeps this name/],
    ['the name of the metadata', [floats('__metadata__', [1])], /keeps this name/],
    ['a shape that is not its storage', [floats('a', [1, 2], [3])], /\[3\] takes 12 bytes, its storage has 8/],
  ])('are not written with %s', async (_, tensors, message) => {
    await fails('INVALID_ARGUMENT', message, () => writeFile(join(folder, 'never'), tensors, {}));
  });
});

describe('bad files', () => {
  const f32 = (...offsets: number[]) => tensorOf('F32', [2], ...offsets);
  const gigabytes = 8n * 1024n ** 3n;
  const cases: [string, Buffer, RegExp][] = [
    ['empty', Buffer.alloc(0), /has 0 bytes/],
    ['seven bytes', Buffer.alloc(7), /has 7 bytes/],
    ['a header of gigabytes', fileOf('{}', 0, gigabytes), /claims 8589934592 bytes.*at byte 0/],
    ['a header of 2^64 - 1 bytes', fileOf('{}', 0, 2n ** 64n - 1n), /claims 18446744073709551615/],
    ['a header longer than the file', fileOf('{}', 0, 3n), /claims 3 bytes, but the file ends after 2/],
    ['a header of one byte', fileOf('{}', 0, 1n), /header of 1 bytes/],
    ['no closing brace', fileOf('{"a"', 0), /expected :, found the end \(at byte 12\)/],
    ['text after the header', fileOf('{} x'), /expected the end of the header \(at byte 11\)/],
    ['invalid UTF-8', fileOf(Buffer.from('{"\xff\xfe":{}}', 'latin1')), /not valid UTF-8 \(at byte 9\)/],
    ['deep JSON', fileOf(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`), /expected \{, found \[ \(at byte 13\)/],
    ['deep objects', fileOf(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`), /no field "a"/],
    ['a deep shape', fileOf({ a: tensorOf('F32', [[[2]]], 0, 8) }, 8), /not negative/],
    [
      'a name twice',
      fileOf(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        4,
      ),
      /the name "a" occurs twice \(at byte 62\)/,
    ],
    [
      'a name twice, once with escapes',
      fileOf(
        '{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"\\u0061":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
      ),
      /"a" occurs twice/,
    ],
    [
      'a field twice',
      fileOf('{"a":{"dtype":"F32","dtype":"F64","shape":[1],"data_offsets":[0,4]}}', 4),
      /"dtype" occurs twice/,
    ],
    ['an unknown dtype', fileOf({ a: tensorOf('Q7', [1], 0, 4) }, 4), /unknown dtype "Q7"/],
    ['a negative length', fileOf({ a: tensorOf('F32', [-2], 0, 8) }, 8), /whole number that is not negative/],
    ['a fractional length', fileOf({ a: tensorOf('F32', [2.5], 0, 10) }, 10), /whole number/],
    [
      'a length above 2^53',
      fileOf('{"a":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,4]}}', 4),
      /above 2\^53/,
    ],
    [
      'lengths whose product overflows',
      fileOf({ a: tensorOf('F32', [2 ** 32, 2 ** 32, 4], 0, 0) }),
      /takes .* bytes, but has 0/,
    ],
    ['wrong sizes', fileOf({ a: tensorOf('F32', [3], 0, 8) }, 8), /shape \[3\] takes 12 bytes, but has 8/],
    ['too many dimensions', fileOf({ a: tensorOf('F32', Array(65).fill(1), 0, 4) }, 4), /more than 64/],
    ['offsets that are not two', fileOf({ a: tensorOf('F32', [2], 0) }, 8), /data_offsets must be two numbers/],
    ['an end before its begin', fileOf({ a: f32(8, 0) }, 8), /ends before/],
    ['an end outside the file', fileOf({ a: f32(0, 8) }, 7), /but the file has/],
    ['a tensor far outside', fileOf({ a: tensorOf('U8', [1], 2 ** 53 - 2, 2 ** 53 - 1) }, 8), /but the file has/],
    ['overlapping tensors', fileOf({ a: f32(0, 8), b: f32(4, 12) }, 12), /"b" begins at byte \d+, inside the tensor/],
    ['a hole', fileOf({ a: f32(0, 8), b: f32(12, 20) }, 20), /"b" begins at byte \d+, but the data before it ends/],
    ['a hole at the start', fileOf({ a: f32(4, 12) }, 12), /begins at byte/],
    ['bytes nobody owns', fileOf({ a: f32(0, 8) }, 9), /the tensors end here/],
    ['a missing dtype', fileOf('{"a":{"shape":[1],"data_offsets":[0,4]}}', 4), /"a" has no dtype/],
    ['missing offsets', fileOf('{"a":{"shape":[1],"dtype":"F32"}}', 4), /"a" has no data_offsets/],
    ['an unknown field', fileOf('{"a":{"shape":[0],"dtype":"F32","data_offsets":[0,0],"x":1}}'), /no field "x"/],
    ['a number as a tensor', fileOf('{"a":5}'), /expected \{, found 5/],
    ['texts that are no texts', fileOf({ __metadata__: { a: 5 } }), /expected a string, found 5/],
    ['an unknown escape', fileOf('{"__metadata__":{"a":"\\q"}}'), /unknown escape/],
    ['a control character', fileOf('{"__metadata__":{"a":"\n"}}'), /control character/],
    [
      'a checksum that is not last',
      fileOf({ 'downhill.checksum': tensorOf('U8', [8], 0, 8), a: f32(8, 16) }, 16),
      /not the last one/,
    ],
    ['a checksum of another shape', fileOf({ 'downhill.checksum': tensorOf('U8', [4], 0, 4) }, 4), /shape \[8\]/],
    ['ours without a checksum', fileOf({ __metadata__: { format: 'downhill' } }), /downhill\.checksum is missing/],
  ];

  test.each(cases)('%s', async (_, bytes, message) => {
    const path = join(folder, 'bad.safetensors');
    writeFileSync(path, bytes);
    await fails('CORRUPT_FILE', message, () => readHead(path));
    await fails('CORRUPT_FILE', /bad\.safetensors: .*\(at byte \d+\)/, () => readHead(path));
  });

  test.each<[string, Buffer, RegExp]>([
    ['HDF5', Buffer.from('894844460d0a1a0a0000000000080800', 'hex'), /HDF5.*safetensors/],
    ['a zip of PyTorch', Buffer.from('504b030400000808000000000000', 'hex'), /ZIP archive.*\.pt/],
    ['a pickle', Buffer.from('80028a0a6cfc9c46f920', 'hex'), /pickle/],
    ['JSON', Buffer.from('{"className":"Sequential"}'), /modelFromJSON/],
    ['random bytes', Buffer.alloc(100, 'abcd'), /does not begin with \{/],
  ])('of another format: %s', async (_, bytes, message) => {
    const path = join(folder, 'foreign');
    writeFileSync(path, bytes);
    await fails('FOREIGN_FILE', message, () => readHead(path));
  });

  test('claims of size allocate nothing', async () => {
    const path = join(folder, 'sizes');
    const before = binding.memory().bytes;
    for (const bytes of [fileOf('{}', 0, 99_999_999n), fileOf({ a: tensorOf('F32', [2 ** 40], 0, 2 ** 42) }, 8)]) {
      writeFileSync(path, bytes);
      const { arrayBuffers } = process.memoryUsage();
      await fails('CORRUPT_FILE', /claims|but the file has/, () => readHead(path));
      expect(process.memoryUsage().arrayBuffers - arrayBuffers).toBeLessThan(1e6);
    }
    expect(binding.memory().bytes).toBe(before);
  });

  test('any change of a valid file is an error or a valid file', async () => {
    const path = join(folder, 'mutated');
    await writeSample(path);
    const ourFile = readFileSync(path);
    const sources = [ourFile, readFileSync(fixture('python.safetensors'))];
    const mutation = fc.record({
      source: fc.nat({ max: 1 }),
      kind: fc.constantFrom('flip', 'truncate', 'insert', 'remove', 'overwrite'),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(mutation, async ({ source, kind, at, bytes }) => {
        const whole = sources[source]!;
        const position = Math.floor(at * (whole.length - 1));
        const rest = { flip: 1, truncate: whole.length, insert: 0, remove: bytes.length, overwrite: bytes.length }[
          kind
        ];
        const put =
          kind === 'flip'
            ? [whole[position]! ^ (1 << (bytes[0]! % 8))]
            : kind === 'remove' || kind === 'truncate'
              ? []
              : bytes;
        const changed = Buffer.concat([whole.subarray(0, position), Buffer.from(put), whole.subarray(position + rest)]);
        writeFileSync(path, changed);
        let code = 'read';
        try {
          await contents(path);
        } catch (error) {
          code = (error as { code: string }).code;
        }
        const allowed =
          source === 1 || changed.equals(whole)
            ? /^(read|CORRUPT_FILE|FOREIGN_FILE)$/
            : /^(CORRUPT_FILE|FOREIGN_FILE)$/;
        expect(code).toMatch(allowed);
      }),
      { numRuns: 600 },
    );
  });
});
