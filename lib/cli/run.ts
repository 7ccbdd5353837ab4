// The command line: arguments in, exit code out.
import { parseArgs } from 'node:util';
import { DownhillError } from '../errors.js';
import { libraryVersion } from '../version.js';
import { diagnose, healthy } from './doctor.js';
import { diagnosisText } from './doctor-text.js';
import { inspect } from './inspect.js';
import { inspectionText } from './text.js';

const usage = `Usage: downhill inspect FILE [--json] [--verify]
       downhill doctor [--json] [--verify]

  inspect FILE   what is in a safetensors file, of this library or another: layers, parameters, tensors, optimizer, versions, state
    --json       as JSON
    --verify     read all of the file and compare its checksum
  doctor         versions, the devices there are, and why the others cannot be used
    --json       as JSON
    --verify     compute a little on every device and compare; exit code 1 where the numbers are wrong
  --version      version of this library
  --help         this text
`;

export interface Output {
  out(text: string): void;
  err(text: string): void;
}

/** Runs a command; 0: it worked, 1: it failed, 2: the arguments are wrong. */
export async function run(args: readonly string[], { out, err }: Output): Promise<0 | 1 | 2> {
  const wrong = (message: string): 2 => {
    err(`downhill: ${message}\n\n${usage}`);
    return 2;
  };
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    return wrong((error as Error).message);
  }
  const { values, positionals } = parsed;
  if (values.help) {
    out(usage);
    return 0;
  }
  if (values.version) {
    out(`${libraryVersion()}\n`);
    return 0;
  }
  const [command, file, ...rest] = positionals;
  if (command === undefined) return wrong('expected a command.');
  const json = (report: unknown) => `${JSON.stringify(report, null, 2)}\n`;
  if (command === 'doctor') {
    if (file !== undefined) return wrong('doctor takes no file.');
    const diagnosis = await diagnose(values.verify);
    out(values.json ? json(diagnosis) : diagnosisText(diagnosis));
    return healthy(diagnosis) ? 0 : 1;
  }
  if (command !== 'inspect') return wrong(`unknown command "${command}". Known: inspect, doctor.`);
  if (file === undefined) return wrong('inspect needs a file.');
  if (rest.length > 0) return wrong(`inspect takes one file; received ${rest.length + 1}.`);
  try {
    const report = await inspect(file, values.verify);
    out(values.json ? json(report) : inspectionText(report));
    return 0;
  } catch (error) {
    if (!(error instanceof DownhillError)) throw error;
    err(`downhill: ${error.message}\n`);
    return 1;
  }
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      verify: { type: 'boolean', default: false },
      version: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
}
