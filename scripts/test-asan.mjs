// The native test programs, and the vitest suite against an addon, built with AddressSanitizer and UBSan.
//   node scripts/test-asan.mjs [--all] [ARGUMENTS OF VITEST ...]
// Without --all the longest tables of the suite are thinned (test/thin.ts).
// Left out, being no part of the project `suite` of vitest.config.ts: test/package, test/native (its programs run sanitized
// below) and test/soak (measures time and resident memory, which a sanitizer changes).
// Leaks are not looked for: Node keeps memory until the process ends. Leaks of native buffers are counted by tests (memory()).
import { join } from 'node:path';
import { buildSanitized, prebuild, run, sanitize, sanitizedEnvironment } from './asan.mjs';
import { require, root } from './headers.mjs';

buildSanitized();
const report = join(prebuild, 'asan-native.json');
run(process.execPath, [join(root, 'scripts', 'native-tests.mjs'), '--sanitize', sanitize, '--report', report]);

const vitest = join(root, 'node_modules', 'vitest', require('vitest/package.json').bin.vitest);
const args = process.argv.slice(2);
const thinned = args.includes('--all') ? {} : { DOWNHILL_TESTS: 'thinned', CONFORMANCE_RUNS: '3' };
run(process.execPath, [vitest, 'run', '--project', 'suite', ...args.filter((arg) => arg !== '--all')], {
  ...sanitizedEnvironment(),
  ...thinned,
});
