// Kernels compiled for AVX2 or AVX-512 must not give the linker a weak symbol that other code might be bound to: an inline
// function or template instantiation of theirs would crash older processors. Only names inside their own namespace may be weak.
//   node scripts/check-isa-symbols.mjs [WORK FOLDER]
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { root } from './headers.mjs';

const objects = join(resolve(root, process.argv[2] ?? 'build-native'), 'CMakeFiles');
const isas = ['avx2', 'avx512', 'avx512_bf16', 'amx'];

/** Weak functions and unique data, less typeinfo and the personality pointer, which are data alike everywhere. */
function weakSymbols(file) {
  const lines = execFileSync('nm', ['--defined-only', file], { encoding: 'utf8', maxBuffer: 1 << 28 }).split('\n');
  return lines.flatMap((line) => {
    const [, kind, name] = line.trim().split(/\s+/);
    return /^[WVu]$/.test(kind) && !/^(DW\.ref\.|_ZT[ISV])/.test(name) ? [name] : [];
  });
}

function checkedObjects(isa) {
  const folder = join(objects, `kernels_${isa}.dir`);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .filter((file) => /\.o(bj)?$/.test(file))
    .map((file) => join(folder, file));
}

let count = 0;
const leaks = [];
for (const isa of isas) {
  const namespace = `${isa.length}${isa}`; // as mangled
  for (const file of checkedObjects(isa)) {
    count += 1;
    for (const name of weakSymbols(file)) if (!name.includes(namespace)) leaks.push(`${file}: ${name}`);
  }
}
if (count === 0 && process.arch === 'x64') {
  console.error(`No kernel objects in ${objects}: run npm run build:native first.`);
  process.exitCode = 1;
} else if (leaks.length > 0) {
  const demangled = execFileSync('c++filt', { input: `${leaks.join('\n')}\n`, encoding: 'utf8' });
  console.error(`Weak symbols outside their instruction set's namespace:\n${demangled}`);
  console.error('Put the function into namespace downhill::DH_ISA or an anonymous one, or force it inline.');
  process.exitCode = 1;
} else {
  console.log(`${count} kernel objects, no weak symbol outside its own namespace`);
}
