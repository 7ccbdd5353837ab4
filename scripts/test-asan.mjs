// The vitest suite against an addon built with AddressSanitizer and UBSan; further arguments go to vitest.
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
run(process.execPath, [vitest, 'run', '--project', 'suite', ...process.argv.slice(2)], sanitizedEnvironment());
