import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Inspection } from '../../lib/cli/inspect.js';
import { run } from '../../lib/cli/run.js';
import { writeFile } from '../../lib/io/safetensors.js';
import { fileOf, floats, temporaryFolder, tensorOf, writeSample } from '../io/files.js';

const folder = temporaryFolder();

async function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await run(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

async function model(): Promise<string> {
  const path = join(folder, 'model.safetensors');
  const dense = (name: string, units: number, activation: string) => ({
    className: 'Dense',
    config: { name, units, activation },
  });
  await writeFile(
    path,
    [
      floats('hidden/kernel', Array(12).fill(1), [3, 4]),
      floats('hidden/bias', Array(4).fill(0)),
      floats('optimizer/momentum/hidden/kernel', Array(12).fill(0), [3, 4]),
    ],
    {
      format: 'downhill',
      format_version: '1',
      library_version: '0.1.0',
      content: 'model',
      model: JSON.stringify({ className: 'Sequential', config: { name: 'net', layers: [dense('hidden', 4, 'relu')] } }),
      compile: JSON.stringify({
        optimizer: { className: 'SGD', config: { learningRate: 0.25, momentum: 0.9, nesterov: false } },
        loss: 'meanSquaredError',
        metrics: ['accuracy'],
      }),
      state: JSON.stringify({ iterations: 42, training: { epoch: 3, step: 7, batchSize: 32 } }),
      note: 'of \u001b[31mours\u001b[0m',
    },
  );
  return path;
}

describe('inspect', () => {
  test('tells people what is in a model', async () => {
    const { code, out, err } = await cli('inspect', await model(), '--verify');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const part of [
      /model of downhill 0\.1\.0 \(format 1\), .*checksum correct/,
      /Model "net" \(Sequential\)/,
      /hidden +Dense +16 +units 4, activation relu/,
      /3 tensors, 16 parameters/,
      /hidden\/kernel +F32 +\[3, 4\] +48 B/,
      /optimizer\/momentum\/hidden\/kernel/,
      /Optimizer: SGD \(learningRate 0\.25, momentum 0\.9\)/,
      /Loss: meanSquaredError/,
      /Metrics: accuracy/,
      /42 updates done; in epoch 3, after 7 batches of 32/,
    ])
      expect(out).toMatch(part);
  });

  test('lets no file command the terminal', async () => {
    const { out } = await cli('inspect', await model());
    expect(out).toContain('note: of \\u001b[31mours');
    expect(out).not.toContain('\u001b');
  });

  test('--json gives the same to programs', async () => {
    const path = await model();
    const report: Inspection = JSON.parse((await cli('inspect', '--json', path)).out);
    expect(report).toMatchObject({
      file: path,
      format: 'downhill',
      formatVersion: '1',
      libraryVersion: '0.1.0',
      content: 'model',
      checksum: 'present',
      parameters: 16,
      state: { iterations: 42, training: { epoch: 3 } },
      compile: { loss: 'meanSquaredError' },
      metadata: { note: 'of \u001b[31mours\u001b[0m' },
    });
    expect(report.tensors[0]).toEqual({ name: 'hidden/kernel', dtype: 'F32', shape: [3, 4], bytes: 48 });
  });

  test('takes files of other libraries', async () => {
    const python = join(import.meta.dirname, '..', 'io', 'fixtures', 'python.safetensors');
    const { code, out } = await cli('inspect', python, '--verify');
    expect(code).toBe(0);
    expect(out).toMatch(/safetensors \(np\).*checksum absent/);
    expect(out).toMatch(/9 tensors, 34 parameters/);
  });

  test('survives models and states that are not what they should be', async () => {
    const path = join(folder, 'odd');
    const odd = ['null', '5', '[]', '{"config":{"layers":[null,5,{"config":null}]}}', '{"training":7}', '"x"'];
    for (const text of odd) {
      await writeFile(path, [], { format: 'downhill', model: text, compile: text, state: text });
      expect(await cli('inspect', path), text).toMatchObject({ code: 0, err: '' });
    }
  });

  test.each<[string, (path: string) => void | Promise<void>, RegExp]>([
    ['a missing file', () => {}, /there is no such file/],
    ['a folder', (path) => void mkdirSync(path), /this is a folder/],
    [
      'a damaged head',
      (path) => writeFileSync(path, fileOf({ a: tensorOf('F32', [1], 0, 8) }, 8)),
      /takes 4 bytes, but has 8/,
    ],
    ['another format', (path) => writeFileSync(path, '\x89HDF\r\n\x1a\n', 'latin1'), /HDF5/],
    [
      'a text that is no JSON',
      (path) => writeFile(path, [], { format: 'downhill', model: '{' }),
      /"model".* is no JSON/,
    ],
    [
      'a text of deep JSON',
      (path) => writeFile(path, [], { format: 'downhill', model: '['.repeat(1e5) }),
      /more than 200 deep/,
    ],
  ])('%s: exit code 1 and a message', async (name, make, message) => {
    const path = join(folder, name.replaceAll(' ', '-'));
    await make(path);
    const { code, out, err } = await cli('inspect', path, '--json');
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(message);
    expect(err).toContain(path);
  });

  test('--verify finds damage in the data', async () => {
    const path = join(folder, 'data');
    await writeSample(path);
    const damaged = execFileSync('cat', [path]);
    damaged[damaged.length - 20]! ^= 4;
    writeFileSync(path, damaged);
    expect((await cli('inspect', path)).code).toBe(0);
    expect(await cli('inspect', path, '--verify')).toMatchObject({ code: 1, err: expect.stringMatching(/checksum/) });
  });
});

describe('arguments', () => {
  test.each<[string[], RegExp]>([
    [[], /expected a command/],
    [['explode'], /unknown command "explode"/],
    [['inspect'], /needs a file/],
    [['inspect', 'a', 'b'], /one file; received 2/],
    [['inspect', 'a', '--yaml'], /--yaml/],
  ])('%j: exit code 2 and the usage', async (args, message) => {
    const { code, out, err } = await cli(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
    expect(err).toContain('Usage: downhill inspect');
  });

  test('--help and --version', async () => {
    expect(await cli('--help')).toMatchObject({ code: 0, out: expect.stringContaining('Usage') });
    expect((await cli('--version')).out).toMatch(/^\d+\.\d+\.\d+/);
  });

  test('the program: exit codes, standard error, a reader that stops early', async () => {
    const main = join(import.meta.dirname, '../../lib/cli/main.ts');
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', main, 'inspect', folder], {
      encoding: 'utf8',
    });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toBe(`downhill: Cannot read ${folder}: this is a folder. Name a file.\n`);
    const piped = `"$0" --import tsx "$1" inspect "$2" | true`;
    const early = spawnSync('sh', ['-c', piped, process.execPath, main, await model()], { encoding: 'utf8' });
    expect(early.stderr).toBe('');
  });
});
