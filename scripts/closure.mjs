// The folders of packages and of all that they need, for scripts/gpu-bundle.sh: node scripts/closure.mjs vitest tsx …
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './headers.mjs';

const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
const found = new Set();

/** Where a package finds another: beside it, or in a folder above. */
function locate(from, name) {
  for (let at = from; ; at = at.slice(0, Math.max(at.lastIndexOf('/node_modules/'), 0))) {
    const path = `${at && `${at}/`}node_modules/${name}`;
    if (packages[path] && existsSync(join(root, path))) return path;
    if (at === '') return null;
  }
}

function visit(path) {
  if (!path || found.has(path)) return;
  found.add(path);
  const { dependencies, optionalDependencies, peerDependencies } = packages[path];
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }))
    visit(locate(path, name));
}

for (const name of process.argv.slice(2)) {
  const path = locate('', name);
  if (!path) throw new Error(`${name} is not installed: npm ci`);
  visit(path);
}
console.log([...found].sort().join('\n'));
