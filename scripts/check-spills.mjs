// What ptxas says of the CUDA kernels: registers, shared memory, spills. Ends with 1 when one spills, needs more
// registers than the number of blocks that should share a multiprocessor leaves it, or makes nvcc warn. Needs nvcc, no
// GPU. The result for all architectures is in docs/cuda.md.
//   node scripts/check-spills.mjs [--architectures "80,90a"] [--all] [FILE.cu ...]
//       --all: print every kernel, not only matrix products, each other file's largest and what is wrong
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './headers.mjs';

const kRegisters = 65536; // of a multiprocessor, on every architecture

// The most registers of a thread, by file; matrix products have theirs by tile. With blocks of 256 threads 40 fill a
// multiprocessor of 1536 threads, 64 leave room for 4 blocks, 128 for 2.
const kBudgets = {
  'elementwise.cu': 40,
  'indexing.cu': 40,
  'movement.cu': 40,
  'noise.cu': 40,
  'step.cu': 40,
  'matmul.cu': 64, // blocks of 128
  'normalization.cu': 128, // a thread keeps its part of a row, of its gradient and of the sums of both
  'rows.cu': 128, // a thread keeps its part of a row
};
const kBudget = 64; // of the others

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    architectures: { type: 'string', default: '80,90a' },
    all: { type: 'boolean', default: false },
  },
});
const folder = join(root, 'native', 'backend', 'cuda', 'kernels');
const files =
  positionals.length > 0
    ? positionals
    : readdirSync(folder)
        .filter((file) => file.endsWith('.cu'))
        .sort()
        .map((file) => join(folder, file));

/** Blocks of a matrix product's kernel that a multiprocessor should hold: as many as its shared memory. */
function blocksWanted(rows, columns) {
  if (rows * columns >= 128 * 128) return 1; // more where the tile says so
  return rows * columns === 64 * 64 ? 3 : 4;
}

/** The most registers a thread of a kernel may have; 255 is what the instruction set can name. */
function budgetOf(file, name) {
  const tile = /GemmTileI(?:Li(\d+)E)(?:Li(\d+)E)Li\d+E(?:Li(\d+)E)(?:Li(\d+)E)Li\d+E(?:Li(\d+)E)/.exec(name);
  if (!tile) return kBudgets[basename(file)] ?? kBudget;
  const [rows, columns, warpRows, warpColumns, blocks] = tile.slice(1).map(Number);
  const threads = 32 * (rows / warpRows) * (columns / warpColumns);
  const most = kRegisters / (threads * Math.max(blocks, blocksWanted(rows, columns)));
  return Math.min(255, Math.floor(most / 8) * 8);
}

/** Mangled name → name, where binutils are installed; without namespaces and arguments. */
function readable(names) {
  const { status, stdout } = spawnSync('c++filt', { input: names.join('\n'), encoding: 'utf8' });
  const plain = status === 0 ? stdout.split('\n') : names;
  return plain.map((name) =>
    name
      .replace(/^void /, '')
      .replace(/downhill::(cuda::)?|\(anonymous namespace\)::|generic::/g, '')
      .replace(/\((?!Along).*$/, '')
      .replace(
        /matmul_kernel<(\w+)<(\w+).*GemmTile<(\d+), (\d+),.*>, \(Along\)(\d), \(Along\)(\d), (\w+)>/,
        (...found) => {
          const along = ['depth', 'rows', 'either'];
          const sums = found[7] === 'true' ? ', sums' : '';
          return `matmul ${found[2]} ${found[3]}x${found[4]} a: ${along[found[5]]}, b: ${along[found[6]]}${sums}`;
        },
      ),
  );
}

/** [{ name, registers, shared, stack, spills }] of a file's kernels, with the functions that they call. */
function compile(file, architecture, output) {
  const contracts = basename(file).startsWith('matmul'); // as in CMakeLists.txt
  const options = ['-std=c++17', '-I', join(root, 'native'), `-arch=sm_${architecture}`, `--fmad=${contracts}`];
  const { status, stderr, stdout, error } = spawnSync(
    process.env.CUDACXX ?? 'nvcc',
    [...options, '-Werror', 'all-warnings', '-Xptxas', '-v', '-cubin', '-o', output, file],
    { encoding: 'utf8' },
  );
  if (error)
    throw new Error(
      `nvcc cannot be run (${error.message}): install the CUDA toolkit and add it to PATH, or set CUDACXX.`,
    );
  if (status !== 0) throw new Error(`nvcc failed for ${file}, sm_${architecture}:\n${stderr}`);
  const kernels = [];
  for (const line of (stderr + stdout).split('\n')) {
    const started = /Compiling entry function '(\w+)'/.exec(line);
    if (started) kernels.push({ name: started[1], registers: 0, shared: 0, stack: 0, spills: 0 });
    const kernel = kernels.at(-1);
    if (!kernel) continue;
    const stack = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
    if (stack) {
      kernel.stack += Number(stack[1]);
      kernel.spills += Number(stack[2]) + Number(stack[3]);
    }
    kernel.registers ||= Number(/Used (\d+) registers/.exec(line)?.[1] ?? 0);
    kernel.shared ||= Number(/(\d+) bytes smem/.exec(line)?.[1] ?? 0);
  }
  const unread = kernels.find((kernel) => kernel.registers === 0);
  if (unread || kernels.length === 0)
    throw new Error(`ptxas does not tell the registers of ${unread?.name ?? 'any kernel'} in ${file}: another format?`);
  return kernels;
}

/** One line of the table; the heading without a kernel. */
function row(mark, file, kernel, architecture, ...numbers) {
  const right = numbers.map((number, i) => String(number).padStart([9, 6, 8, 7, 7][i])).join(' ');
  return `${mark.padEnd(5)} ${file.padEnd(20)} ${kernel.padEnd(52)} ${architecture.padEnd(5)} ${right}`;
}

const work = mkdtempSync(join(tmpdir(), 'spills-'));
let wrong = 0;
let seen = 0;
try {
  console.log(row('', 'file', 'kernel', 'sm_', 'registers', 'most', 'shared B', 'stack B', 'spill B'));
  for (const file of files) {
    for (const architecture of values.architectures.split(/[,;]/)) {
      const kernels = compile(file, architecture, join(work, 'kernels.cubin'));
      const names = readable(kernels.map((kernel) => kernel.name));
      const largest = kernels.reduce((a, b) => (b.registers > a.registers ? b : a));
      kernels.forEach((kernel, i) => {
        const { name, registers, shared, stack, spills } = kernel;
        const budget = budgetOf(file, name);
        const bad = spills > 0 || registers > budget;
        seen += 1;
        if (bad) wrong += 1;
        if (!bad && !values.all && !name.includes('GemmTile') && kernel !== largest) return;
        const numbers = [registers, budget, shared, stack, spills];
        console.log(row(bad ? 'WRONG' : '', basename(file), names[i], architecture, ...numbers));
      });
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(
  wrong === 0
    ? `None of ${seen} kernels spills or exceeds its registers.`
    : `${wrong} of ${seen} kernels spill or exceed their registers.`,
);
process.exitCode = wrong === 0 ? 0 : 1;
