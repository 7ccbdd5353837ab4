// prebuildify --napi --strip --tag-libc: prebuilds/<platform>-<arch>/downhill.<libc>.node for the machine at hand.
// From a folder of its own, since prebuildify moves the file it finds and build/Release must stay as it is.
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import prebuildify from 'prebuildify';
import { root } from './headers.mjs';

const cwd = join(root, 'build-prebuild');
const prebuilds = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
rmSync(prebuilds, { recursive: true, force: true });
mkdirSync(cwd, { recursive: true });
await promisify(prebuildify)({
  napi: true,
  strip: true,
  tagLibc: true,
  name: 'downhill',
  cwd,
  out: root,
  nodeGyp: join(root, 'scripts', 'node-gyp-shim.mjs'),
});
for (const file of readdirSync(prebuilds))
  console.log(`${join(prebuilds, file)}: ${statSync(join(prebuilds, file)).size} bytes`);
