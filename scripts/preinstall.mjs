// Runs before "install": node-gyp-build. Where no prebuilt addon fits, building with CMake here leaves node-gyp-build nothing
// to do: going through node-gyp would need Python and might download Node's headers.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { require, resolvable, root } from './headers.mjs';

function hasAddon() {
  try {
    require('node-gyp-build').path(root);
    return true;
  } catch {
    return false;
  }
}

// A checkout is always brought up to date (an incremental build), an installed package only when nothing fits.
const checkout = existsSync(join(root, 'lib'));
// Some package managers run this before the dependencies are there; node-gyp-build then does the work, after them.
const ready = resolvable('node-gyp-build') && resolvable('node-addon-api/package.json');
if (ready && (checkout || !hasAddon())) {
  const { status } = spawnSync(process.execPath, [join(root, 'scripts', 'build-native.mjs')], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
}
