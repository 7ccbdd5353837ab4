// The vitest suite against an addon built with AddressSanitizer and UBSan; further arguments go to vitest.
// Left out, being no part of the project `suite` of vitest.config.ts: test/package, test/native (its programs run sanitized
// below) and test/soak (measures time and resident memory, which a sanitizer changes).
// Leaks are not looked for: Node keeps memory until the process ends. Leaks of native buffers are counted by tests (memory()).
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { require, root } from './headers.mjs';

const sanitize = 'address,undefined';
const work = 'build-address-undefined';
const prebuild = join(root, 'build-asan');

function run(command, args, env = {}) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  if (status !== 0) process.exit(status ?? 1);
}
const script = (name, ...args) => run(process.execPath, [join(root, 'scripts', name), ...args]);
const library = (name) => execFileSync('c++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();

script(
  'build-native.mjs',
  '--work',
  work,
  '--out',
  join(prebuild, 'build', 'Release'),
  `-DDOWNHILL_SANITIZE=${sanitize}`,
);
script('native-tests.mjs', '--sanitize', sanitize, '--report', join(prebuild, 'asan-native.json'));

const vitest = join(root, 'node_modules', 'vitest', require('vitest/package.json').bin.vitest);
run(process.execPath, [vitest, 'run', '--project', 'suite', ...process.argv.slice(2)], {
  DOWNHILL_PREBUILD: prebuild,
  // Node's own executable is not instrumented, so the runtime comes first; libstdc++ beside it, or throwing is not intercepted.
  LD_PRELOAD: `${library('libasan.so')} ${library('libstdc++.so.6')}`,
  ASAN_OPTIONS: 'detect_leaks=0:halt_on_error=1:abort_on_error=1:detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
});
