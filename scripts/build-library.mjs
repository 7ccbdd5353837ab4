// Builds a library with the CUDA kernels and puts it beside the addon, where the addon looks for it.
//   node scripts/build-library.mjs simt [--work FOLDER] [--out FOLDER]
//       libdownhill_simt.so, the kernels run by the emulator; in the addon's work folder, whose sanitizers it shares
//   node scripts/build-library.mjs cuda [--release | --architectures "80;90a"] [--work FOLDER] [--out FOLDER]
//       libdownhill_cuda.so: for the GPUs of this machine, else for compute capability 8.0 and newer;
//       --release: for all of them
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './headers.mjs';

// Binary code for each, and PTX of the last for what comes after it.
const released = '75-real;80-real;86-real;89-real;90a-real;100-real;120';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string', default: 'build/Release' },
    work: { type: 'string' },
    release: { type: 'boolean', default: false },
    architectures: { type: 'string' },
  },
});

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  if (error?.code === 'ENOENT')
    throw new Error(`${command} was not found; the build needs cmake and a C++17 compiler.`);
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed (exit status ${status}).`);
}

function nvcc() {
  const { CUDACXX, CUDA_HOME, CUDA_PATH, PATH } = process.env;
  if (CUDACXX) return CUDACXX;
  const folders = [
    ...(PATH ?? '').split(delimiter),
    ...[CUDA_HOME, CUDA_PATH, '/usr/local/cuda'].map((at) => at && join(at, 'bin')),
  ];
  const found = folders
    .filter(Boolean)
    .map((folder) => join(folder, 'nvcc'))
    .find((file) => existsSync(file));
  if (found) return found;
  throw new Error(
    "CUDA's compiler nvcc was not found in PATH, CUDA_HOME or /usr/local/cuda. Install the CUDA toolkit, or name the " +
      'compiler: CUDACXX=/path/to/nvcc npm run build:cuda. Without it downhill computes on the CPU.',
  );
}

/** Of the GPUs here; 8.0 with PTX for all newer ones where there are none. */
function ownArchitectures() {
  const asked = spawnSync('nvidia-smi', ['--query-gpu=compute_cap', '--format=csv,noheader'], { encoding: 'utf8' });
  const found = asked.status === 0 ? asked.stdout.match(/^\d+\.\d$/gm) : null;
  if (!found) return '80';
  return [...new Set(found)]
    .map((version) => (version === '9.0' ? '90a-real' : `${version.replace('.', '')}-real`))
    .join(';');
}

function build(kind) {
  const work = resolve(root, values.work ?? (kind === 'simt' ? 'build-native' : 'build-cuda'));
  if (kind === 'cuda') {
    const architectures = values.architectures ?? (values.release ? released : ownArchitectures());
    console.log(`libdownhill_cuda.so for ${architectures.replaceAll(';', ', ')}`);
    const definitions = [
      '-DDOWNHILL_CUDA=ON',
      `-DCMAKE_CUDA_COMPILER=${nvcc()}`,
      `-DCMAKE_CUDA_ARCHITECTURES=${architectures}`,
    ];
    run('cmake', ['-S', root, '-B', work, ...definitions]);
  } else if (!existsSync(join(work, 'CMakeCache.txt'))) {
    run('cmake', ['-S', root, '-B', work]);
  }
  run('cmake', ['--build', work, '--target', `downhill_${kind}`, '--parallel', String(availableParallelism())]);
  const name = `libdownhill_${kind}.so`;
  const target = join(resolve(root, values.out), name);
  mkdirSync(resolve(root, values.out), { recursive: true });
  // A rename, not a copy over it: a process may have the old file mapped.
  copyFileSync(join(work, name), `${target}.new`);
  renameSync(`${target}.new`, target);
}

try {
  const [kind] = positionals;
  if (kind !== 'simt' && kind !== 'cuda') throw new Error('expected "simt" or "cuda".');
  build(kind);
} catch (error) {
  console.error(`downhill: ${error.message}`);
  process.exitCode = 1;
}
