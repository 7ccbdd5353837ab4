// What ptxas says of the CUDA kernels: registers, shared memory, spills. Ends with 1 when one spills, or needs more
// registers than the number of blocks that should share a multiprocessor leaves it. Needs nvcc, no GPU.
//   node scripts/check-spills.mjs [--architectures "75;80;90a"] [--all] [FILE.cu ...]
//       --all: print every kernel, not only matrix products and what is wrong
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './headers.mjs';

const kRegisters = 65536; // of a multiprocessor, on every architecture

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    architectures: { type: 'string', default: '75;80;90a' },
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

/** The most registers a thread may have; 255 is what the instruction set can name. */
function budgetOf(name) {
  const tile = /GemmTileI(?:Li(\d+)E)(?:Li(\d+)E)Li\d+E(?:Li(\d+)E)(?:Li(\d+)E)Li\d+E(?:Li(\d+)E)/.exec(name);
  if (!tile) return 255;
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
      .replace(/matmul_kernel<(\w+)<(\w+).*GemmTile<(\d+), (\d+),.*>, \(Along\)(\d), \(Along\)(\d)>/, (...found) => {
        const along = ['depth', 'rows', 'either'];
        return `matmul ${found[2]} ${found[3]}x${found[4]} a: ${along[found[5]]}, b: ${along[found[6]]}`;
      }),
  );
}

/** [{ name, registers, stack, spills }] of a file's kernels. */
function compile(file, architecture, output) {
  const contracts = basename(file).startsWith('matmul'); // as in CMakeLists.txt
  const options = ['-std=c++17', '-I', join(root, 'native'), `-arch=sm_${architecture}`, `--fmad=${contracts}`];
  const { status, stderr, stdout, error } = spawnSync(
    'nvcc',
    [...options, '-Xptxas', '-v', '-cubin', '-o', output, file],
    { encoding: 'utf8' },
  );
  if (error) throw new Error(`nvcc cannot be run (${error.message}): install the CUDA toolkit, or add it to PATH.`);
  if (status !== 0) throw new Error(`nvcc failed for ${file}, sm_${architecture}:\n${stderr}`);
  const kernels = [];
  for (const line of (stderr + stdout).split('\n')) {
    const started = /Compiling entry function '(\w+)'/.exec(line);
    if (started) kernels.push({ name: started[1], registers: 0, stack: 0, spills: 0 });
    const kernel = kernels.at(-1);
    const stack = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
    if (kernel && stack && kernel.registers === 0) {
      kernel.stack = Number(stack[1]);
      kernel.spills = Number(stack[2]) + Number(stack[3]);
    }
    const used = /Used (\d+) registers/.exec(line);
    if (kernel && used) kernel.registers = Number(used[1]);
  }
  return kernels;
}

const work = mkdtempSync(join(tmpdir(), 'spills-'));
let wrong = 0;
try {
  for (const architecture of values.architectures.split(';')) {
    for (const file of files) {
      const began = Date.now();
      const kernels = compile(file, architecture, join(work, 'kernels.cubin'));
      const seconds = ((Date.now() - began) / 1000).toFixed(0);
      console.log(`sm_${architecture} ${basename(file)}: ${kernels.length} kernels, ${seconds} s`);
      const names = readable(kernels.map((kernel) => kernel.name));
      kernels.forEach(({ name, registers, stack, spills }, i) => {
        const budget = budgetOf(name);
        const bad = spills > 0 || registers > budget;
        if (bad) wrong += 1;
        if (!bad && !values.all && !name.includes('GemmTile')) return;
        const numbers = `${registers}/${budget} registers, ${stack} B stack, ${spills} B spilled`;
        console.log(`  ${bad ? 'WRONG ' : '      '}${names[i].padEnd(52)} ${numbers}`);
      });
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(wrong === 0 ? 'No kernel spills or exceeds its registers.' : `${wrong} kernels spill or exceed registers.`);
process.exitCode = wrong === 0 ? 0 : 1;
