// prebuildify --napi --strip --tag-libc: prebuilds/<platform>-<arch>/downhill.<libc>.node for the machine at hand; with
// --cuda, libdownhill_cuda.so beside it, for all GPUs.
// From a folder of its own, since prebuildify moves the file it finds and build/Release must stay as it is.
import { execFileSync } from 'node:child_process';
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
if (process.argv.includes('--cuda')) {
  const library = ['cuda', '--release', '--work', 'build-cuda-release', '--out', prebuilds];
  execFileSync(process.execPath, [join(root, 'scripts', 'build-library.mjs'), ...library], { stdio: 'inherit' });
  execFileSync('strip', [join(prebuilds, 'libdownhill_cuda.so')]);
}
for (const file of readdirSync(prebuilds))
  console.log(`${join(prebuilds, file)}: ${statSync(join(prebuilds, file)).size} bytes`);
