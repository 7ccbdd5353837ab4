// Builds the addon from CMakeLists.txt and puts it where node-gyp-build looks, build/Release/downhill.node.
//   node scripts/build-native.mjs [--out FOLDER] [--work FOLDER] [-DNAME=VALUE ...]
// With cmake-js in a checkout; with cmake alone where only the package's own dependencies are installed.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { headerFolders, require, resolvable, root } from './headers.mjs';

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'build/Release' },
    work: { type: 'string', default: 'build-native' },
    define: { type: 'string', multiple: true, short: 'D', default: [] },
  },
});
const work = resolve(root, values.work);
const out = resolve(root, values.out);

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error?.code === 'ENOENT') {
    throw new Error(
      `${command} was not found. A build from source needs cmake (3.18 or newer), make and a C++17 compiler.`,
    );
  }
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed (exit status ${status}).`);
}

function build() {
  const jobs = String(availableParallelism());
  const generator = generatorOf(work);
  const generatorOption = generator ? ['-G', generator] : [];
  const cmakeJsManifest = resolvable('cmake-js/package.json');
  if (cmakeJsManifest) {
    const cmakeJs = join(dirname(cmakeJsManifest), require(cmakeJsManifest).bin['cmake-js']);
    const common = ['--out', work, '--config', 'Release', '--log-level', 'warn', ...generatorOption];
    // cmake-js ignores definitions in `compile` once a cache exists, hence the step of its own.
    run(process.execPath, [cmakeJs, 'configure', ...common, ...values.define.map((definition) => `--CD${definition}`)]);
    run(process.execPath, [cmakeJs, 'build', ...common, '--parallel', jobs]);
  } else {
    const definitions = ['CMAKE_BUILD_TYPE=Release', `CMAKE_JS_INC=${headerFolders().join(';')}`, ...values.define];
    run('cmake', ['-S', root, '-B', work, ...generatorOption, ...definitions.map((definition) => `-D${definition}`)]);
    run('cmake', ['--build', work, '--config', 'Release', '--parallel', jobs]);
  }
  const built = [join(work, 'Release', 'downhill.node'), join(work, 'downhill.node')].find((file) => existsSync(file));
  if (!built) throw new Error(`The build left no downhill.node in ${work}: ${readdirSync(work).join(', ')}`);
  mkdirSync(out, { recursive: true });
  // A rename, not a copy over it: a process may have the old file mapped.
  const target = join(out, 'downhill.node');
  copyFileSync(built, `${target}.new`);
  renameSync(`${target}.new`, target);
}

/** CMake refuses a folder configured for another place (a moved checkout) or with another generator: drop it, keep to it. */
function generatorOf(folder) {
  const file = join(folder, 'CMakeCache.txt');
  const cache = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const entry = (name) => cache.match(new RegExp(`^${name}:INTERNAL=(.*)$`, 'm'))?.[1];
  if (cache && entry('CMAKE_HOME_DIRECTORY') !== root) {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  return entry('CMAKE_GENERATOR');
}

try {
  build();
} catch (error) {
  console.error(`downhill: ${error.message}`);
  process.exitCode = 1;
}
