// A finished trace as a program that runs on concrete values.
import { binding, type DType, type Program, type Storage, type Workspace } from '../binding/index.js';
import { Options } from '../options.js';
import { type Profile, type ProfileOptions, profileJob, profileKeys, readProfileOptions } from '../profile/profile.js';
import type { Shape } from '../tensor/shape.js';
import { pendingOf, storageOf, Tensor } from '../tensor/tensor.js';
import { Variable } from '../tensor/variable.js';
import type { SymbolicTensor } from './symbolic.js';
import type { Trace } from './trace.js';

export class TracedProgram {
  readonly #program: Program;
  readonly #variables: readonly Variable[];
  /** In graph order: whether an input is an argument; the others are captured Tensors. */
  readonly #isArgument: readonly boolean[];
  readonly #outputs: readonly { readonly shape: Shape; readonly dtype: DType }[];

  /** targets: parallel to outputs, storages that outputs are written to; such outputs are not returned by run(). */
  constructor(
    trace: Trace,
    outputs: readonly SymbolicTensor[],
    readonly workspace: Workspace,
    readonly device: string,
    targets: (Storage | null)[] = [],
  ) {
    trace.ended = true;
    this.#variables = [...trace.variables.keys()];
    this.#isArgument = trace.inputs.map((input) => input === null);
    // Frozen, so that a Tensor takes the shape itself.
    this.#outputs = outputs
      .filter((_, i) => !targets[i])
      .map(({ shape, dtype }) => ({ shape: Object.freeze([...shape]), dtype }));
    const nodes = outputs.map((output) => output.node);
    this.#program = binding.compile(trace.graph, nodes, targets, trace.writes, device, 'float32');
  }

  /**
   * Runs once. Inputs are the arguments and what this run's trace captured, each in order. step: the counter of dropout. Throws DISPOSED when a Variable that the
   * program reads has been disposed of.
   */
  run(
    args: readonly Tensor[],
    captured: readonly Tensor[] = [],
    step = 0,
  ): { outputs: Tensor[]; done: Promise<void> | null } {
    const inputs = this.#inputs(args, captured);
    const run = binding.programRun(this.#program, this.workspace, inputs, step);
    const done = run[0];
    const outputs = this.#outputs.map(({ shape, dtype }, i) => new Tensor(run[i + 1] as Storage, shape, dtype, done));
    return { outputs, done };
  }

  /** Runs several times with every step timed; nothing is written. Rejects as run() throws, and with UNSUPPORTED. */
  async profile(args: readonly Tensor[], options: ProfileOptions | undefined): Promise<Profile> {
    const wanted = readProfileOptions(new Options<ProfileOptions>('profile', options, profileKeys));
    const inputs = this.#inputs(args, []);
    const workspace = binding.workspaceNew();
    const work = { batches: null, updater: null, gather: null, update: null };
    return profileJob({ ...work, device: this.device, program: this.#program, workspace, inputs }, wanted);
  }

  #inputs(args: readonly Tensor[], captured: readonly Tensor[]): Storage[] {
    for (const variable of this.#variables) storageOf(variable);
    let arg = 0;
    let other = 0;
    const inputs: Storage[] = [];
    for (const isArgument of this.#isArgument) inputs.push(inputStorage(isArgument ? args[arg++] : captured[other++]));
    return inputs;
  }

  describe(): string {
    return binding.programDescribe(this.#program);
  }

  stats(): { steps: number; arenaBytes: number; flops: number; bytes: number } {
    return binding.programStats(this.#program);
  }
}

/** A Variable as an argument is read as of this moment: an update that runs meanwhile must not change it under the program. */
function inputStorage(tensor: Tensor): Storage {
  const storage = storageOf(tensor);
  return tensor instanceof Variable ? binding.storagesCopy([storage])[0] : storage;
}

/** Settles when all these values are there; never rejects. */
export async function arrived(tensors: readonly Tensor[]): Promise<void> {
  await Promise.allSettled(tensors.map((tensor) => pendingOf(tensor)));
}
