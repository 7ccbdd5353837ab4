// The GPU's benchmarks: our kernels and trainings beside PyTorch's and JAX's, one after another on the same device. See bench/README.md.
//   node --import tsx bench/gpu/run.ts [--device cuda] [--kernels PATH] [--python PATH] [--seconds N] [--json FILE] [--tiny]
// Every part is a process of its own with what time is left; one that fails or runs out of time is named, the others count. The JSON is
// written after each.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { goals, networkCases, tiny } from './cases.js';

const { values: options } = parseArgs({
  options: {
    device: { type: 'string', default: 'cuda' },
    kernels: { type: 'string', default: 'build-gpu/native/bench_gpu_kernels' },
    python: { type: 'string', default: 'python3' },
    seconds: { type: 'string', default: '300' },
    json: { type: 'string' },
    tiny: { type: 'boolean', default: false },
  },
});

const deadline = performance.now() + Number(options.seconds) * 1000;
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

interface Line {
  case?: string;
  way?: string;
  microseconds?: number;
  flops?: number;
  bytes?: number;
  error?: string;
  note?: string;
  versions?: Record<string, string>;
}

interface Row {
  case: string;
  flops?: number;
  bytes?: number;
  /** Microseconds of one run or step: ours under 'downhill'. */
  times: Record<string, number>;
}

const rows = new Map<string, Row>();
const leftOut: string[] = [];
const versions: Record<string, string> = {};

function take(text: string, who: string) {
  let line: Line;
  try {
    line = JSON.parse(text) as Line;
  } catch {
    leftOut.push(`${who}: not understood: ${text.slice(0, 200)}`); // NaN, or somebody else's output
    return;
  }
  Object.assign(versions, line.versions);
  if (line.note) leftOut.push(line.note);
  if (!line.case) return;
  const way = line.way ?? who;
  if (line.error) leftOut.push(`${line.case} by ${way}: ${line.error}`);
  if (line.microseconds === undefined) return;
  const row: Row = rows.get(line.case) ?? { case: line.case, times: {} };
  row.times[way] = line.microseconds;
  if (line.flops) row.flops = line.flops;
  if (line.bytes) row.bytes = line.bytes;
  rows.set(line.case, row);
}

/** Of the part that runs; it has a process group of its own, since compilers of PyTorch's outlive it. */
let running: ChildProcess | undefined;
function end() {
  try {
    if (running?.pid) process.kill(-running.pid, 'SIGKILL');
  } catch {
    // There is none any more.
  }
}
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    end();
    process.exit(1);
  });

/** Runs a command and takes the lines of JSON that it prints, with a share of the time that is left. */
async function part(who: string, share: number, command: string, args: string[]): Promise<void> {
  const milliseconds = (deadline - performance.now()) * share;
  if (milliseconds < 2000) {
    leftOut.push(`${who}: no time was left for it`);
    return;
  }
  // JAX would take most of the memory at once.
  const env = { ...process.env, XLA_PYTHON_CLIENT_PREALLOCATE: 'false' };
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env });
  running = child;
  let rest = '';
  let complaint = '';
  child.stdout.on('data', (data: Buffer) => {
    const lines = (rest + data).split('\n');
    rest = lines.pop()!;
    for (const line of lines) if (line.startsWith('{')) take(line, who);
  });
  child.stderr.on('data', (data: Buffer) => {
    complaint = (complaint + data).slice(-2000);
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    end();
  }, milliseconds);
  const status = await new Promise<number | string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    // Not "close" alone: it never comes while a process that it left behind holds its output.
    child.on('exit', (code, signal) => setTimeout(() => resolve(code ?? signal ?? 'unknown'), 500));
    child.on('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  clearTimeout(timer);
  end();
  running = undefined;
  if (late)
    leftOut.push(`${who}: ended after ${(milliseconds / 1000).toFixed(0)} s, the cases after its last one are missing`);
  else if (status !== 0) leftOut.push(`${who}: ${status}; ${complaint.trim().split('\n').at(-1) ?? ''}`);
  save();
}

const digits = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

function table(): string {
  const copy = rows.get('copy')?.times.downhill;
  const rate = copy ? rows.get('copy')!.bytes! / copy : 0; // bytes per microsecond
  const peers = [...new Set([...rows.values()].flatMap(({ times }) => Object.keys(times)))].filter(
    (way) => way !== 'downhill',
  );
  const head = ['case', 'µs', 'rate', ...peers.map((way) => `${way} ÷ ours`), 'goal: first, best'];
  const lines = [...rows.values()].map((row) => {
    const ours = row.times.downhill;
    const speed = !ours
      ? ''
      : row.flops
        ? `${digits(row.flops / ours / 1e6)} TFLOP/s`
        : row.bytes
          ? `${digits(row.bytes / ours / 1e3)} GB/s${rate && row.case !== 'copy' ? `, ${(row.bytes / ours / rate).toFixed(2)} of copy` : ''}`
          : '';
    const wanted = goals.filter(({ cases }) => cases.test(row.case));
    return [
      row.case,
      ours ? digits(ours) : '',
      speed,
      ...peers.map((way) => (ours && row.times[way] ? digits(row.times[way] / ours) : '')),
      wanted.map(({ against, first, best }) => `${against}: ${first}, ${best}`).join('; '),
    ];
  });
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function text(): string {
  const launch = rows.get('launch-1')?.times.downhill;
  const smallest = rows.get('smallest-step')?.times.downhill;
  const notes = [
    'Microseconds of one run of a kernel (captured, replayed), or of one training step of fit; a peer’s number is its time ÷ ours.',
    'PyTorch’s bfloat16 operands are bfloat16 in memory already, ours are float32 there. "copy": the share of the rate at which the device copies.',
    ...(launch && smallest
      ? [
          `Host: the smallest step takes ${digits(smallest)} µs, the launch of a graph of one command ${digits(launch)} µs: ${digits(smallest / launch)}.`,
        ]
      : []),
  ];
  return [table(), ...notes].join('\n\n');
}

function save() {
  if (!options.json) return;
  const found = { versions, rows: [...rows.values()], leftOut, table: text() };
  writeFileSync(options.json, `${JSON.stringify(found, null, 1)}\n`);
}

async function main(): Promise<void> {
  const networks = options.tiny ? networkCases.map(tiny) : networkCases;
  // A family at a time: a kernel that breaks the device for its process leaves the others.
  const families = { memory: 0.15, rows: 0.1, matmul: 0.25 };
  if (existsSync(options.kernels))
    for (const [family, share] of Object.entries(families))
      await part('downhill', share, options.kernels, [options.device, family, ...(options.tiny ? ['tiny'] : [])]);
  else leftOut.push(`kernels alone: ${options.kernels} is not built (cmake target bench_gpu_kernels)`);
  const names = [...rows.keys()].filter((name) => !name.startsWith('launch'));
  const worker = [...process.execArgv, here('./train.ts'), JSON.stringify(networks), options.device];
  await part('downhill', 0.35, process.execPath, worker);
  await part('torch', 0.75, options.python, [here('./torch_peer.py'), JSON.stringify(names), JSON.stringify(networks)]);
  await part('jax', 0.95, options.python, [here('./jax_peer.py'), JSON.stringify(networks)]);

  console.log(text());
  for (const reason of leftOut) console.log(`Left out: ${reason}`);
  save();
  if (rows.size === 0) throw new Error('Nothing was measured.');
}

try {
  await main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
