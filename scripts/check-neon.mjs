// Compiles the native core and the native tests for aarch64 (NEON) without running them, with aarch64-linux-gnu-g++ (Debian:
// g++-aarch64-linux-gnu) or the compiler named by CXX.
import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { root } from './headers.mjs';

const work = join(root, 'build-aarch64');
const run = (args) => execFileSync('cmake', args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
run([
  ...['-S', root, '-B', work],
  '-DCMAKE_SYSTEM_NAME=Linux',
  '-DCMAKE_SYSTEM_PROCESSOR=aarch64',
  ...['-DCMAKE_BUILD_TYPE=Debug', '-DCMAKE_CXX_FLAGS_DEBUG=-O0'], // nothing is run
  `-DCMAKE_CXX_COMPILER=${process.env.CXX ?? 'aarch64-linux-gnu-g++'}`,
]);
run(['--build', work, '--target', 'downhill_core', 'native_tests', '--parallel', String(availableParallelism())]);
console.log('The native core compiles and links for aarch64.');
