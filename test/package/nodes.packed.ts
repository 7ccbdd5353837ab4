// Run by npm run test:packed: downloads other versions of Node from npm, and builds the package from its tarball.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  cleanEnvironment,
  installed,
  npm,
  pack,
  pathWith,
  runProgram,
  type Tarball,
  temporary,
  which,
} from './pack.js';

describe('the packed tarball elsewhere', () => {
  let folder: string;
  let tarball: Tarball;
  let project: string;
  let env: NodeJS.ProcessEnv;
  const made: string[] = [];

  beforeAll(() => {
    folder = temporary();
    tarball = pack(folder);
    ({ project, env } = installed(tarball));
    made.push(folder, project);
  }, 900_000);

  afterAll(() => {
    for (const path of made) rmSync(path, { recursive: true, force: true });
  });

  test.each(['22', '24'])('trains under Node %s', { timeout: 600_000 }, (version) => {
    const versions = temporary();
    made.push(versions);
    const name = `node-${process.platform}-${process.arch}`;
    writeFileSync(join(versions, 'package.json'), '{ "private": true }\n');
    npm(versions, ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', `${name}@${version}`]);
    const { first, last, shared } = runProgram(project, env, join(versions, 'node_modules', name, 'bin', 'node'));
    expect(shared).toBe(true);
    expect(last).toBeLessThan(first);
  });

  test('builds from source with cmake, make and a compiler, without Python or node-gyp', { timeout: 900_000 }, () => {
    const sources = temporary();
    const target = temporary();
    made.push(sources, target);
    const bare = pack(sources, { prebuilt: false });
    const tools = ['npm', 'cmake', 'make', 'c++', 'cc', 'as', 'ld', 'ar', 'ranlib', 'sh', 'uname', 'env', 'nm', 'sed'];
    const files = Object.fromEntries(tools.map((tool) => [tool, which(tool)]));
    const environment = { ...cleanEnvironment(), PATH: pathWith(target, { ...files, node: process.execPath }) };
    writeFileSync(join(target, 'package.json'), '{ "private": true }\n');
    npm(target, ['install', '--no-audit', '--no-fund', '--prefer-offline', bare.file], environment);
    expect(existsSync(join(target, 'node_modules', 'downhill', 'build', 'Release', 'downhill.node'))).toBe(true);
    expect(runProgram(target, environment).shared).toBe(true);
  });
});
