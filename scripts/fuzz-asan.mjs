// npm run fuzz:asan: scripts/fuzz-files.mjs against an addon built with AddressSanitizer and UBSan; arguments go to it.
import { join } from 'node:path';
import { buildSanitized, run, sanitizedEnvironment } from './asan.mjs';
import { root } from './headers.mjs';

buildSanitized();
const script = join(root, 'scripts', 'fuzz-files.mjs');
run(process.execPath, ['--import', 'tsx', script, ...process.argv.slice(2)], sanitizedEnvironment());
