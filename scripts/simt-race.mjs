// Looks for races between the threads of CUDA kernels: the kernels' native tests, run by the emulator under
// ThreadSanitizer, in every order of threads (docs/simt.md).
//   node scripts/simt-race.mjs [TEST ...]      e.g. cuda_reduce; default: all named cuda_* and simt*
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './headers.mjs';
import { nativeTestNames } from './native-tests.mjs';

const named = process.argv.slice(2);
const known = nativeTestNames().filter((name) => /^(cuda_|simt)/.test(name));
const unknown = named.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`unknown test ${unknown.join(', ')}; there are ${known.join(', ')}`);
  process.exit(1);
}
const names = named.length > 0 ? named : known;

const work = join(root, 'build-thread'); // the one of native-tests.mjs --sanitize thread
const quiet = { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] };
if (!existsSync(join(work, 'CMakeCache.txt'))) {
  execFileSync('cmake', ['-S', root, '-B', work, '-DDOWNHILL_SANITIZE=thread'], quiet);
}
const targets = ['downhill_simt', ...new Set([...names, 'simt'].map((name) => `test_${name}`))];
execFileSync('cmake', ['--build', work, '--parallel', '2', '--target', ...targets], quiet);

const run = (name, env) =>
  spawnSync(join(work, `test_${name}`), {
    cwd: root,
    encoding: 'utf8',
    timeout: 900_000,
    env: { ...process.env, TSAN_OPTIONS: 'halt_on_error=1', ...env },
  });

if (!/data race[\s\S]*without_barrier/.test(run('simt', { DOWNHILL_TEST_RACE: '1' }).stderr)) {
  console.error('a kernel with a race on purpose (test/native/simt.test.cpp) was not reported: nothing would be found');
  process.exit(1);
}

let failed = 0;
for (const name of names) {
  for (const order of ['forward', 'reverse', 'shuffle']) {
    const { status, signal, stdout, stderr } = run(name, { DOWNHILL_SIMT_ORDER: order });
    const passed = status === 0;
    if (!passed) failed += 1;
    console.log(`${passed ? 'ok  ' : 'FAIL'}  ${name}, ${order}`);
    if (!passed) console.log(`${signal ?? `exit status ${status}`}\n${stdout}${stderr}`);
  }
}
console.log(`races: ${failed} of ${names.length * 3} runs failed`);
process.exitCode = failed > 0 ? 1 : 0;
