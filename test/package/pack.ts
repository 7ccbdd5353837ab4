// Packs the package with a prebuilt addon of this machine, and installs it as a user would, out of reach of any compiler.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export const temporary = (): string => mkdtempSync(join(tmpdir(), 'downhill-'));

export interface Tarball {
  file: string;
  /** Bytes of the tarball. */
  size: number;
  /** Paths inside the package. */
  files: string[];
}

/** Builds dist and the prebuilt addon, and packs them. prebuilt false: leaves the addon out. */
export function pack(folder: string, { prebuilt = true } = {}): Tarball {
  const script = (name: string) => execFileSync(process.execPath, [join(root, 'scripts', name)], { cwd: root });
  script('build-ts.mjs');
  script('prebuild.mjs');
  // npm packs what the working folder holds: a copy of it with the addon left out packs the other kind.
  const source = prebuilt ? root : withoutAddon(folder);
  const printed = npm(source, ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]);
  const [{ filename, size, files }] = JSON.parse(printed);
  return { file: join(folder, filename), size, files: files.map(({ path }: { path: string }) => path) };
}

function withoutAddon(folder: string): string {
  const copy = join(folder, 'source');
  mkdirSync(copy);
  const { files } = pack(folder);
  for (const file of files.filter((path) => !path.startsWith('prebuilds/'))) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(root, file), join(copy, file));
  }
  return copy;
}

/** Runs npm with the scripts of this process's own npm run hidden from it, and returns what it prints. */
export function npm(cwd: string, args: string[], env: NodeJS.ProcessEnv = {}): string {
  return execFileSync('npm', args, { cwd, env: { ...cleanEnvironment(), ...env }, encoding: 'utf8', stdio: 'pipe' });
}

/** The environment without npm's own variables, sanitizers' and a named prebuild. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(npm_(?!config_(cache|registry))|LD_PRELOAD|DOWNHILL_|VITEST|NODE_)/i.test(name),
  );
  return Object.fromEntries(inherited);
}

/** A PATH with the given tools (name → file) and nothing else. */
export function pathWith(folder: string, tools: Record<string, string>): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  for (const [name, file] of Object.entries(tools)) symlinkSync(file, join(bin, name));
  return bin;
}

export const which = (name: string): string =>
  execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();

/** An empty project with the tarball installed, no script run, on a PATH with node and npm alone. */
export function installed(tarball: Tarball): { project: string; env: NodeJS.ProcessEnv } {
  const project = temporary();
  const env = { ...cleanEnvironment(), PATH: pathWith(project, { node: process.execPath, npm: which('npm') }) };
  writeFileSync(join(project, 'package.json'), '{ "private": true }\n');
  npm(project, ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', tarball.file], env);
  return { project, env };
}

/** A user's program, in both kinds of module. Prints one line of JSON: loss before and after a small fit, and whether both kinds share one library. */
export const program = {
  'program.cjs': `
    const required = require('downhill');
    import('./program.mjs').then(async ({ imported, train }) => {
      const [first, last] = await train(required);
      console.log(JSON.stringify({ first, last, shared: required.sequential === imported.sequential }));
    });
  `,
  'program.mjs': `
    import * as imported from 'downhill';
    import { sequential, layers, seed } from 'downhill';
    export { imported };
    export async function train(dh) {
      seed(1);
      const net = sequential([layers.dense({ units: 8, activation: 'tanh', inputShape: [2] }), dh.layers.dense({ units: 1 })]);
      net.compile({ optimizer: dh.optimizers.sgd({ learningRate: 0.1 }), loss: 'meanSquaredError' });
      const x = new Float32Array([0, 0, 0, 1, 1, 0, 1, 1]);
      const { history } = await net.fit(x, new Float32Array([0, 1, 1, 0]), { epochs: 50, batchSize: 4, verbose: 0 });
      return [history.loss[0], history.loss.at(-1)];
    }
  `,
};

/** Writes the program into a project, runs it with `node` and returns what it prints. */
export function runProgram(
  project: string,
  env: NodeJS.ProcessEnv,
  node = process.execPath,
): { first: number; last: number; shared: boolean } {
  for (const [name, text] of Object.entries(program)) writeFileSync(join(project, name), text);
  return JSON.parse(execFileSync(node, ['program.cjs'], { cwd: project, env, encoding: 'utf8' }));
}
