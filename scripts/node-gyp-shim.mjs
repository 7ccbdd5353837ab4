#!/usr/bin/env node
// Stands in for node-gyp under prebuildify: the same build through CMake, without Python and without downloading headers.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './headers.mjs';

const out = join(process.cwd(), 'build', 'Release');
const { status } = spawnSync(process.execPath, [join(root, 'scripts', 'build-native.mjs'), '--out', out], {
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
