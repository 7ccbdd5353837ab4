// What scripts/gpu-check.sh found, as one JSON and one readable table: <date>-<GPU>.json and .md.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    logs: { type: 'string' },
    out: { type: 'string' },
    device: { type: 'string' },
    gpu: { type: 'string', default: '' },
    tiny: { type: 'boolean', default: false },
  },
});

function version(command, args, pattern) {
  try {
    return pattern.exec(execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))?.[1];
  } catch {
    return undefined;
  }
}
/** Of the checkout that a bundle was made of: scripts/gpu-bundle.sh. */
function bundledCommit() {
  return existsSync('build-gpu/commit')
    ? `${readFileSync('build-gpu/commit', 'utf8').trim()} (of the bundle)`
    : undefined;
}
/** Null where it is not there, or was not written to its end. */
const read = (name) => {
  try {
    return JSON.parse(readFileSync(join(values.logs, name), 'utf8'));
  } catch {
    return null;
  }
};
const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows]
    .map((row) => `| ${row.map((cell) => String(cell ?? '').replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');

const steps = readFileSync(join(values.logs, 'steps.tsv'), 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => {
    const [stage, step, result, seconds, detail] = line.split('\t');
    return { stage, step, result, seconds: Number(seconds), detail };
  });
const tests = ['devices', 'conformance', 'golden'].map((part) => read(`tests-${part}.json`)).filter(Boolean);
const bench = read('bench.json');
const [name, driver, capability, memory] = values.gpu.split(',').map((field) => field.trim());
const report = {
  date: new Date().toISOString().slice(0, 10),
  commit: version('git', ['rev-parse', '--short', 'HEAD'], /(\w+)/) ?? bundledCommit(),
  device: values.device,
  gpu: name ? { name, driver, capability, memory } : null,
  host: { cpu: cpus()[0]?.model.trim(), cores: availableParallelism() },
  versions: { node: process.version, nvcc: version('nvcc', ['--version'], /V([\d.]+)/), ...bench?.versions },
  steps,
  tests:
    tests.length === 0
      ? null
      : {
          passed: tests.reduce((sum, { numPassedTests }) => sum + numPassedTests, 0),
          failed: tests.reduce((sum, { numFailedTests }) => sum + numFailedTests, 0),
          failures: tests
            .flatMap(({ testResults }) => testResults)
            .flatMap(({ assertionResults }) => assertionResults)
            .filter(({ status }) => status === 'failed')
            .map(({ fullName, failureMessages }) => ({ name: fullName, message: failureMessages[0]?.slice(0, 300) })),
        },
  bench: bench?.rows ?? null,
  left_out: bench?.leftOut ?? [],
};

const text = [
  `# ${name || `No GPU; device ${values.device}`}, ${report.date}${values.tiny ? ', tiny sizes: times mean nothing' : ''}`,
  `Commit ${report.commit ?? 'unknown'}; ${name ? `driver ${driver}, compute capability ${capability}, ${memory}; ` : ''}${report.host.cores} cores of ${report.host.cpu}; ${Object.entries(
    report.versions,
  )
    .filter(([, value]) => value)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ')}.`,
  table(['stage', 'step', 'result', 's', ''], steps.map(Object.values)),
  ...(report.tests?.failures.length
    ? [`Failed tests:\n${report.tests.failures.map((test) => `- ${test.name}`).join('\n')}`]
    : []),
  ...(bench?.table ? [bench.table] : ['Nothing was measured.']),
  ...report.left_out.map((reason) => `Left out: ${reason}`),
].join('\n\n');

mkdirSync(values.out, { recursive: true });
const slug = (name || `none-${values.device}`).toLowerCase().replace(/[^a-z0-9]+/g, '-');
const file = join(values.out, `${report.date}-gpu-${slug}${values.tiny ? '-tiny' : ''}`);
writeFileSync(
  `${file}.json`,
  `${JSON.stringify(report, (_, value) => (typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value), 1)}\n`,
);
writeFileSync(`${file}.md`, `${text}\n`);
console.log(`\n${text}\n\nWritten: ${file}.json, ${file}.md`);
