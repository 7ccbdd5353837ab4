// The version of this library, from its package.json: the nearest one above this file, in a checkout as in dist.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

function find(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    const manifest = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>) : {};
    if (manifest.name === 'downhill') return manifest.version!;
    if (dirname(folder) === folder) return 'unknown';
  }
}

let version: string | undefined;

/** Such as "1.2.3"; "unknown" where a bundler took the code out of its package. */
export function libraryVersion(): string {
  version ??= find();
  return version;
}
