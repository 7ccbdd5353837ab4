// clang-format, as WebAssembly from npm: the same version on every machine.
//   node scripts/format-native.mjs [--check] [FILE ...]
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { format } from '@wasm-fmt/clang-format';
import { root } from './headers.mjs';

const check = process.argv.includes('--check');
const named = process.argv.slice(2).filter((argument) => argument !== '--check');
const style = readFileSync(join(root, '.clang-format'), 'utf8');
const sources = ['native', 'test/native'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true })
    .filter((file) => /\.(cpp|h|cu|cuh)$/.test(file))
    .map((file) => join(root, folder, file)),
);

let differing = 0;
for (const file of named.length > 0 ? named : sources) {
  const text = readFileSync(file, 'utf8');
  const formatted = format(text, file.replace(/\.cuh?$/, '.cpp'), style);
  if (formatted === text) continue;
  differing += 1;
  if (check) console.error(`${relative(root, file)} is not formatted (npm run format)`);
  else writeFileSync(file, formatted);
}
console.log(`${differing} ${check ? 'files differ' : 'files formatted'}`);
process.exitCode = check && differing > 0 ? 1 : 0;
