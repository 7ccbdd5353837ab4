// Builds and runs the native test programs, test/native/*.test.cpp.
//   node scripts/native-tests.mjs [--sanitize thread|address,undefined] [--report FILE.json]
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './headers.mjs';

const folder = join(root, 'test', 'native');

export function nativeTestNames() {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith('.test.cpp'))
    .map((file) => file.slice(0, -'.test.cpp'.length))
    .sort();
}

/** Builds every program and returns the folder they are in. Shares the addon's work folder when not sanitized. */
export function buildNativeTests(sanitize = '') {
  const work = join(root, sanitize ? `build-${sanitize.replace(/\W/g, '-')}` : 'build-native');
  const quiet = { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] };
  if (!existsSync(join(work, 'CMakeCache.txt'))) {
    execFileSync('cmake', ['-S', root, '-B', work, `-DDOWNHILL_SANITIZE=${sanitize}`], quiet);
  }
  const jobs = String(availableParallelism());
  execFileSync('cmake', ['--build', work, '--target', 'native_tests', '--parallel', jobs], quiet);
  return work;
}

/** Runs one program. A sanitizer's report ends it with a status other than 0. */
export function runNativeTest(programs, name) {
  const { status, signal, stdout, stderr } = spawnSync(join(programs, `test_${name}`), {
    cwd: root,
    encoding: 'utf8',
    timeout: 900_000,
    env: {
      ...process.env,
      UBSAN_OPTIONS: 'print_stacktrace=1',
      TSAN_OPTIONS: 'halt_on_error=1 second_deadlock_stack=1',
    },
  });
  return { passed: status === 0, ending: signal ?? `exit status ${status}`, output: `${stdout}${stderr}` };
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: { sanitize: { type: 'string', default: '' }, report: { type: 'string' } },
  });
  const programs = buildNativeTests(values.sanitize);
  const results = nativeTestNames().map((name) => {
    const result = runNativeTest(programs, name);
    console.log(result.passed ? `ok    ${name}` : `FAIL  ${name} (${result.ending})\n${result.output}`);
    return result.passed;
  });
  const numPassedTests = results.filter(Boolean).length;
  const numFailedTests = results.length - numPassedTests;
  console.log(
    `native tests${values.sanitize ? ` under ${values.sanitize}` : ''}: ${numPassedTests} of ${results.length}`,
  );
  if (values.report) writeFileSync(values.report, JSON.stringify({ numPassedTests, numFailedTests }));
  process.exitCode = numFailedTests > 0 ? 1 : 0;
}
