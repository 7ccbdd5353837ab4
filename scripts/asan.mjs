// The addon and the emulator's library with AddressSanitizer and UBSan in build-asan/, and the environment that Node needs to load it.
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './headers.mjs';

export const sanitize = 'address,undefined';
export const prebuild = join(root, 'build-asan');

const library = (name) => execFileSync('c++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();

/** Runs a command in the checkout; ends this process where it fails. */
export function run(command, args, env = {}) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  if (status !== 0) process.exit(status ?? 1);
}

export function buildSanitized() {
  const out = join(prebuild, 'build', 'Release');
  const script = (name, ...args) => run(process.execPath, [join(root, 'scripts', name), ...args, '--out', out]);
  script('build-native.mjs', '--work', 'build-address-undefined', `-DDOWNHILL_SANITIZE=${sanitize}`);
  script('build-library.mjs', 'simt', '--work', 'build-address-undefined');
}

export const sanitizedEnvironment = () => ({
  DOWNHILL_PREBUILD: prebuild,
  // Node's own executable is not instrumented, so the runtime comes first; libstdc++ beside it, or throwing is not intercepted.
  LD_PRELOAD: `${library('libasan.so')} ${library('libstdc++.so.6')}`,
  ASAN_OPTIONS: 'detect_leaks=0:halt_on_error=1:abort_on_error=1:detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
});
