// What the system refuses: the old file stays and loads, nothing else is left, and the message says why.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { readHead, type TensorToWrite, verify, writeFile } from '../../lib/io/safetensors.js';
import { fails } from '../support.js';
import { floats, temporaryFolder, writeSample } from './files.js';

const base = temporaryFolder();
const fresh = () => mkdtempSync(join(base, 'f'));
const root = process.getuid?.() === 0;
const NOBODY = 65534;

const zeros = (megabytes: number): TensorToWrite => {
  const elements = megabytes * 250_000;
  return { name: 'big', dtype: 'F32', shape: [elements], storage: binding.arena([4 * elements])[0]! };
};

/** The sample is whole, and the folder holds it and `others` only. */
async function stillThere(path: string, others: string[] = []): Promise<void> {
  const head = await readHead(path);
  expect([...head.tensors.keys()]).toEqual(['dense/kernel', 'dense/bias']);
  await verify(path, head);
  const name = path.slice(path.lastIndexOf('/') + 1);
  expect(readdirSync(join(path, '..')).sort()).toEqual([name, ...others].sort());
}

/** Runs as a user without rights; as root only. */
async function powerless(work: () => Promise<void>): Promise<void> {
  process.seteuid!(NOBODY);
  try {
    await work();
  } finally {
    process.seteuid!(0);
  }
}

/** Whether this process may mount; containers often may not. */
function canMount(): boolean {
  const folder = fresh();
  if (!root || spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).status !== 0) return false;
  execFileSync('umount', [folder]);
  return true;
}

describe('writing', () => {
  test('beyond a limit of file sizes', { timeout: 60_000 }, async () => {
    const path = join(fresh(), 'model');
    await writeSample(path);
    const program = join(import.meta.dirname, 'programs', 'write.ts');
    const run = (megabytes: number) => {
      const command = `ulimit -f 16384; exec "$0" --import tsx "$@"`; // 8 or 16 MiB, as the shell counts
      const { stdout } = spawnSync('sh', ['-c', command, process.execPath, program, path, String(megabytes)], {
        encoding: 'utf8',
      });
      return stdout.trim();
    };
    expect(run(40)).toMatch(/^FILE_ERROR: Cannot write .*model: File too large\. .*ulimit -f/);
    await stillThere(path);
    expect(run(1)).toBe('written');
  });

  test.skipIf(!canMount())('to a disk that is full', async () => {
    const folder = fresh();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', folder]);
    try {
      const path = join(folder, 'model');
      await writeSample(path);
      for (let i = 0; i < 3; i++)
        await fails('FILE_ERROR', /Cannot write .*model: No space left on device\. Free space/, () =>
          writeFile(path, [zeros(4)], {}),
        );
      await stillThere(path);
      await writeFile(path, [zeros(2)], {}); // nothing of the failures holds space
    } finally {
      execFileSync('umount', [folder]);
    }
  });

  test.skipIf(!canMount())('a rename that fails', async () => {
    const folder = fresh();
    const path = join(folder, 'model');
    await writeSample(path);
    execFileSync('mount', ['--bind', path, path]);
    try {
      await fails('FILE_ERROR', /Cannot rename .*model: .*busy.*mount point/, () => writeSample(path, 2));
      await stillThere(path);
    } finally {
      execFileSync('umount', [path]);
    }
    await stillThere(path);
    await writeSample(path, 2);
    await stillThere(path);
  });

  test('a folder that appears in place of the file', async () => {
    const folder = fresh();
    const path = join(folder, 'model');
    const writing = writeFile(path, [zeros(80)], {});
    while (!existsSync(folder) || readdirSync(folder).length === 0) await new Promise((done) => setTimeout(done, 0));
    mkdirSync(path);
    await fails('FILE_ERROR', /Cannot rename a temporary file to .*model: .*Name a file|name a file/i, () => writing);
    expect(readdirSync(folder)).toEqual(['model']);
  });

  test('a folder, a missing folder, a file as folder, a device', async () => {
    const folder = fresh();
    await fails('FILE_ERROR', new RegExp(`Cannot write ${folder}: Is a directory.*name a file`), () =>
      writeSample(folder),
    );
    await fails('FILE_ERROR', /missing\/model: No such file or directory.*folder must exist/, () =>
      writeSample(join(folder, 'missing', 'model')),
    );
    const file = join(folder, 'file');
    writeFileSync(file, '');
    await fails('FILE_ERROR', /Not a directory/, () => writeSample(join(file, 'model')));
    await fails('FILE_ERROR', /Cannot write \/dev\/null: it is a device/, () => writeSample('/dev/null'));
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
    await fails('INVALID_ARGUMENT', /NUL/, () => writeSample('a\0b'));
    await fails('INVALID_ARGUMENT', /path of a file/, () => writeSample(''));
    expect(readdirSync(folder)).toEqual(['file']);
  });

  test.runIf(root)('without permission', async () => {
    const folder = fresh();
    const path = join(folder, 'model');
    await writeSample(path);
    chmodSync(base, 0o755);
    chmodSync(folder, 0o755);
    await powerless(() =>
      fails('FILE_ERROR', /Permission denied.*permissions/, () => writeSample(join(folder, 'new'))),
    );
    chownSync(folder, NOBODY, NOBODY);
    await powerless(() => fails('FILE_ERROR', /Cannot write .*model: Permission denied/, () => writeSample(path)));
    chmodSync(path, 0o600);
    await powerless(() => fails('FILE_ERROR', /Cannot read .*model: permission denied/, () => readHead(path)));
    await stillThere(path);
  });

  test('keeps the mode, follows links, leaves temporary files of others alone', async () => {
    const folder = fresh();
    const path = join(folder, 'model');
    await writeSample(path);
    chmodSync(path, 0o640);
    symlinkSync('model', join(folder, 'latest'));
    const left = ['model.1.0.tmp', ...Array.from({ length: 300 }, (_, i) => `model.${process.pid}.${i}.tmp`)];
    for (const name of left) writeFileSync(join(folder, name), 'left');
    await writeSample(join(folder, 'latest'), 2);
    expect(statSync(path).mode & 0o7777).toBe(0o640);
    await stillThere(path, ['latest', ...left]);
    for (const name of left) expect(readFileSync(join(folder, name), 'utf8')).toBe('left');
  });

  test('while another reads: it sees the old or the new file, never a mixture', async () => {
    const path = join(fresh(), 'model');
    await writeSample(path);
    let done = false;
    const writer = (async () => {
      for (let i = 0; i < 60; i++) await writeSample(path, i);
      done = true;
    })();
    while (!done) {
      const head = await readHead(path);
      try {
        await verify(path, head);
      } catch (error) {
        expect((error as Error).message).toMatch(/was replaced while it was read/);
      }
    }
    await writer;
    await verify(path, await readHead(path)); // however the two were scheduled
    await stillThere(path);
  });
});

describe('reading', () => {
  test('a folder, nothing, a file as folder, a device, a pipe', async () => {
    const folder = fresh();
    const file = join(folder, 'file');
    writeFileSync(file, 'x');
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    await fails('FILE_ERROR', new RegExp(`Cannot read ${folder}: this is a folder`), () => readHead(folder));
    await fails('FILE_ERROR', /missing: there is no such file/, () => readHead(join(folder, 'missing')));
    await fails('FILE_ERROR', /a file, not a folder/, () => readHead(join(file, 'x')));
    await fails('FILE_ERROR', /device, pipe or socket/, () => readHead('/dev/zero'));
    await fails('FILE_ERROR', /device, pipe or socket/, () => readHead(join(folder, 'pipe')));
  });

  test('a file cut short between head and tensors', async () => {
    const path = join(fresh(), 'model');
    await writeFile(path, [floats('a', [1, 2, 3])], {});
    const head = await readHead(path);
    const entry = head.tensors.get('a')!;
    writeFileSync(path, readFileSync(path).subarray(0, entry.begin + 4));
    const [storage] = binding.arena([12]);
    await fails('CORRUPT_FILE', /model: the file is truncated/, () =>
      binding.fileRead(path, [entry.begin], [storage!], false),
    );
    await fails('CORRUPT_FILE', /model/, () => verify(path, head));
  });
});

describe('the addon', () => {
  test('refuses arguments that make no sense', async () => {
    const [storage] = binding.arena([12]);
    await fails('INVALID_ARGUMENT', /as many offsets/, () => binding.fileRead('x', [0, 1], [storage!], false));
    await fails('OUT_OF_RANGE', /offset of -1/, () => binding.fileRead('x', [-1], [storage!], false));
    await fails('INVALID_ARGUMENT', /Uint8Array/, () =>
      binding.fileWrite('x', new Float32Array(1) as unknown as Uint8Array, [], false),
    );
    await fails('INVALID_ARGUMENT', /Storage/, () => binding.fileWrite('x', new Uint8Array(1), [{} as never], false));
  });

  test('copies storages at one moment', async () => {
    const views = binding.arena([12, 0, 8]);
    binding.storagesWrite(
      [views[0]!, views[2]!],
      ['float32', 'int32'],
      [Float32Array.of(1, 2, 3), Int32Array.of(4, 5)],
    );
    const copies = await binding.arenaAsync([12, 0, 8, 12]);
    expect(copies.map((copy) => binding.storageBytes(copy))).toEqual([12, 0, 8, 12]);
    await binding.storagesCopyAsync([...views, views[0]!], copies);
    binding.storagesWrite([views[0]!], ['float32'], [Float32Array.of(9, 9, 9)]);
    for (const i of [0, 3]) expect([...binding.storageRead(copies[i]!, 'float32')]).toEqual([1, 2, 3]);
    expect([...binding.storageRead(copies[2]!, 'int32')]).toEqual([4, 5]);
    const [version] = binding.storageVersions([copies[0]!]);
    await binding.storagesCopyAsync([views[0]!], [copies[0]!]);
    expect(binding.storageVersions([copies[0]!])).not.toEqual([version]);
    await fails('SHAPE_MISMATCH', /12 bytes, received 8/, () => binding.storagesCopyAsync([copies[0]!], [copies[2]!]));
    await fails('INVALID_ARGUMENT', /as many targets/, () => binding.storagesCopyAsync(copies, []));
    await fails('OUT_OF_RANGE', /size of -1/, () => binding.arenaAsync([-1]));
  });

  test('writes no file of storages that have changed', async () => {
    const path = join(fresh(), 'file');
    const views = binding.arena([12, 3 << 20]);
    const versions = binding.storageVersions(views);
    const head = Uint8Array.of(1, 2);
    expect(await binding.fileWrite(path, head, views, false, versions)).toBe(true);
    expect(statSync(path).size).toBe(2 + 12 + (3 << 20));
    const before = readFileSync(path);
    binding.storagesWrite([views[0]!], ['float32'], [Float32Array.of(9, 9, 9)]);
    expect(await binding.fileWrite(path, head, views, false, versions)).toBe(false);
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(join(path, '..'))).toEqual(['file']);
    await fails('INVALID_ARGUMENT', /as many versions/, () => binding.fileWrite(path, head, views, false, [1]));
  });
});
