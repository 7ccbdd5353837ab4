// Builds and runs the native test programs, test/native/*.test.cpp.
//   node scripts/native-tests.mjs [--sanitize thread|address,undefined] [--report FILE.json]
import { execFile, execFileSync } from 'node:child_process';
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
    const definitions = [`-DDOWNHILL_SANITIZE=${sanitize}`];
    // Work is cut and handed to threads alike in all instruction sets; these two have the most kernels of their own.
    if (sanitize === 'thread' && process.arch === 'x64') definitions.push('-DDOWNHILL_ISAS=baseline;avx512');
    execFileSync('cmake', ['-S', root, '-B', work, ...definitions], quiet);
  }
  const jobs = String(availableParallelism());
  execFileSync('cmake', ['--build', work, '--target', 'native_tests', '--parallel', jobs], quiet);
  return work;
}

/** Runs one program. A sanitizer's report ends it with a status other than 0. */
export function runNativeTest(programs, name) {
  const options = {
    cwd: root,
    timeout: 900_000,
    maxBuffer: 1 << 28,
    env: {
      ...process.env,
      UBSAN_OPTIONS: 'print_stacktrace=1',
      TSAN_OPTIONS: 'halt_on_error=1 second_deadlock_stack=1',
    },
  };
  return new Promise((resolve) => {
    execFile(join(programs, `test_${name}`), options, (error, stdout, stderr) => {
      const ending = error ? (error.signal ?? `exit status ${error.code}`) : 'exit status 0';
      resolve({ passed: !error, ending, output: `${stdout}${stderr}` });
    });
  });
}

/** Runs all of them, as many at a time as there are cores; gives how each ended. */
async function runAll(programs) {
  const left = nativeTestNames();
  const results = [];
  const work = async () => {
    for (let name = left.shift(); name; name = left.shift()) {
      const { passed, ending, output } = await runNativeTest(programs, name);
      console.log(passed ? `ok    ${name}` : `FAIL  ${name} (${ending})\n${output}`);
      results.push(passed);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return results;
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: { sanitize: { type: 'string', default: '' }, report: { type: 'string' } },
  });
  const results = await runAll(buildNativeTests(values.sanitize));
  const numPassedTests = results.filter(Boolean).length;
  const numFailedTests = results.length - numPassedTests;
  console.log(
    `native tests${values.sanitize ? ` under ${values.sanitize}` : ''}: ${numPassedTests} of ${results.length}`,
  );
  if (values.report) writeFileSync(values.report, JSON.stringify({ numPassedTests, numFailedTests }));
  process.exitCode = numFailedTests > 0 ? 1 : 0;
}
