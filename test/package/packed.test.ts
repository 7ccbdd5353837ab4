import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installed, pack, root, runProgram, type Tarball, temporary } from './pack.js';

describe('the packed tarball', () => {
  let folder: string;
  let tarball: Tarball;
  let project: string;
  let env: NodeJS.ProcessEnv;

  beforeAll(() => {
    folder = temporary();
    tarball = pack(folder);
    ({ project, env } = installed(tarball));
  }, 900_000);

  afterAll(() => {
    for (const made of [folder, project]) if (made) rmSync(made, { recursive: true, force: true });
  });

  test('holds the built library, the prebuilt addon, the native sources and nothing else', () => {
    const expected = [
      /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|CMakeLists\.txt|binding\.gyp)$/,
      /^dist\/(cjs|esm)\/.*\.d\.ts$/,
      /^dist\/(cjs\/((index|cli)\.js|package\.json|THIRD_PARTY_LICENSES\.txt)|esm\/index\.js)$/,
      /^native\/(?!backend\/cuda\/simt\/).*\.(h|cpp|def|map|cu|cuh)$/,
      /^prebuilds\/[\w-]+\/downhill\.[\w.]+\.node$/,
      /^scripts\/(build-native|headers|preinstall)\.mjs$/,
    ];
    expect(tarball.files.filter((file) => !expected.some((pattern) => pattern.test(file)))).toEqual([]);
    for (const pattern of expected) expect(tarball.files.some((file) => pattern.test(file))).toBe(true);
    expect(tarball.files.filter((file) => file.startsWith('prebuilds/'))).toHaveLength(1);
    expect(tarball.size).toBeLessThan(5_000_000);
  });

  test('depends at run time on node-gyp-build and node-addon-api alone', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(Object.keys(manifest.dependencies).sort()).toEqual(['node-addon-api', 'node-gyp-build']);
    const { packages } = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8'));
    expect(Object.keys(packages).sort()).toEqual([
      '',
      'node_modules/downhill',
      'node_modules/node-addon-api',
      'node_modules/node-gyp-build',
    ]);
  });

  test.runIf(process.platform === 'linux')(
    'needs of the system its C library alone, and shows it only the entry points',
    () => {
      const addon = tarball.files.find((file) => file.endsWith('.node'))!;
      const dynamic = execFileSync('readelf', ['-d', join(root, addon)], { encoding: 'utf8' });
      const needed = [...dynamic.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, library]) => library);
      expect(needed).not.toEqual([]);
      const exported = execFileSync('nm', ['-D', '--defined-only', join(root, addon)], { encoding: 'utf8' });
      expect(exported.match(/\S+$/gm)!.sort()).toEqual([
        'napi_register_module_v1',
        'node_api_module_get_api_version_v1',
      ]);
      expect(needed.filter((library) => !/^(libc|libm|libpthread|ld-linux[\w-]*)\.so/.test(library!))).toEqual([]);
    },
  );

  test('trains by require and by import, with one library behind both', () => {
    const { first, last, shared } = runProgram(project, env);
    expect(shared).toBe(true);
    expect(last).toBeLessThan(first);
  });

  test('has a program that inspects files, also where the addon cannot be loaded', () => {
    const file = join(root, 'test', 'io', 'fixtures', 'ours.safetensors');
    const downhill = (args: string[], variables: NodeJS.ProcessEnv = {}) =>
      execFileSync(join(project, 'node_modules', '.bin', 'downhill'), ['inspect', file, ...args], {
        cwd: project,
        env: { ...env, ...variables },
        encoding: 'utf8',
      });
    const inspect = (variables?: NodeJS.ProcessEnv) => JSON.parse(downhill(['--json'], variables));
    const report = inspect();
    expect(report.tensors.map(({ name }: { name: string }) => name)).toContain('dense/kernel');
    expect(inspect({ DOWNHILL_PREBUILD: project })).toEqual(report);
    expect(downhill(['--verify'])).toContain('checksum correct');
  });

  test('has a program that tells which devices there are, and verifies them', () => {
    const output = execFileSync(join(project, 'node_modules', '.bin', 'downhill'), ['doctor', '--json', '--verify'], {
      cwd: project,
      env,
      encoding: 'utf8',
    });
    const { problem, devices, verifications } = JSON.parse(output);
    expect(problem).toBeNull();
    expect(devices[0]).toMatchObject({ id: 'cpu', available: true });
    expect(devices.find(({ id }: { id: string }) => id === 'simt').reason).toContain('no library of the SIMT emulator');
    expect(verifications[0]).toMatchObject({ device: 'cpu', passed: true });
  });

  test('has types for both kinds of module', () => {
    const use = `
      const net = sequential([layers.dense({ units: 1, inputShape: [2] })]);
      export const parameters: number = net.countParams();
      // @ts-expect-error a misspelt option
      layers.dense({ unitz: 1 });
    `;
    writeFileSync(join(project, 'use.mts'), `import { layers, sequential } from 'downhill';\n${use}`);
    writeFileSync(
      join(project, 'use.cts'),
      `import downhill = require('downhill');\nconst { layers, sequential } = downhill;\n${use}`,
    );
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const types = ['--typeRoots', join(root, 'node_modules', '@types'), '--types', 'node'];
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2022', ...types];
    // No skipLibCheck: our own declarations must stand with Node's types alone.
    const { stdout } = spawnSync(process.execPath, [tsc, ...options, 'use.mts', 'use.cts'], {
      cwd: project,
      encoding: 'utf8',
    });
    expect(stdout).toBe('');
  });

  test('says what to do when no addon fits the platform', () => {
    const failing = `try { require('downhill') } catch (error) { console.log(error.code, error.message) }`;
    const output = execFileSync(process.execPath, ['-e', failing], {
      cwd: project,
      env: { ...env, npm_config_platform: 'sunos' },
      encoding: 'utf8',
    });
    expect(output).toMatch(/^ADDON_MISSING .*no native addon/);
    expect(output).toContain('npm rebuild downhill');
  });
});
