// What compile, grad, valueAndGrad and hvp share: a body that is traced per input shapes, and called on concrete values or inside
// another trace.
import { binding, type Workspace } from '../binding/index.js';
import { chosenDevice } from '../devices.js';
import { DownhillError } from '../errors.js';
import type { Profile, ProfileOptions } from '../profile/profile.js';
import type { TensorLike } from '../tensor/convert.js';
import { asTensor } from '../tensor/make.js';
import { shapeText } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { LruCache } from './lru.js';
import { TracedProgram } from './program.js';
import { type Flat, flattenOutputs } from './structure.js';
import type { SymbolicTensor } from './symbolic.js';
import { currentTrace, Trace, traceOf, type Value } from './trace.js';

/** Plans of one function that are kept; the least recently used goes first. */
const kPlans = 64;

/** Builds the function's outputs in the running trace from its arguments. */
export type Body = (trace: Trace, args: SymbolicTensor[]) => unknown;

interface Plan {
  program: TracedProgram;
  rebuild: Flat['rebuild'];
}

export class TracedFunction {
  readonly #plans = new LruCache<Plan>(kPlans);
  #workspace: Workspace | null = null;
  /** Dropout draws anew at each call. */
  #calls = 0;
  #disposed = false;

  /** where: prefix of messages, e.g. "grad". */
  constructor(
    readonly where: string,
    readonly body: Body,
    /** Where it runs; null: on the device chosen at the call. */
    readonly device: string | null = null,
  ) {}

  /** Inside a trace the body joins it and the result is symbolic; otherwise a promise of Tensors. */
  call(args: readonly Value[]): unknown {
    // Errors of concrete calls are rejections, as all asynchronous work; inside a trace they are thrown.
    let trace: Trace | null;
    try {
      trace = traceOf(this.where, args);
    } catch (error) {
      if (currentTrace()) throw error;
      return Promise.reject(error);
    }
    return trace ? this.inline(trace, args) : this.execute(args as readonly TensorLike[]);
  }

  inline(trace: Trace, args: readonly Value[]): unknown {
    this.#check();
    const lifted = args.map((arg, i) => trace.lift(`${this.where}: argument ${i}`, arg));
    return trace.run(() => {
      const flat = flattenOutputs(this.where, this.body(trace, lifted));
      return flat.rebuild(flat.values.map((value) => trace.lift(this.where, value)));
    });
  }

  async execute(args: readonly TensorLike[]): Promise<unknown> {
    this.#check();
    const tensors = this.#tensors(args);
    const { program, rebuild } = this.plan(tensors);
    const { outputs, done } = program.run(tensors, [], this.#calls++);
    if (done) await done;
    return rebuild(outputs);
  }

  plan(args: readonly Tensor[]): Plan {
    const device = this.device ?? chosenDevice();
    const signature = args.map((arg) => arg.dtype + shapeText(arg.shape)).join(';');
    return this.#plans.get(`${device} ${signature}`, () => {
      const trace = new Trace();
      const inputs = args.map((arg, i) => trace.input(arg.shape, arg.dtype, `argument ${i}`));
      try {
        const flat = trace.run(() => flattenOutputs(this.where, this.body(trace, inputs)));
        const outputs = flat.values.map((value) => trace.lift(this.where, value));
        this.#workspace ??= binding.workspaceNew();
        return { program: new TracedProgram(trace, outputs, this.#workspace, device), rebuild: flat.rebuild };
      } finally {
        trace.ended = true;
      }
    });
  }

  describe(args: readonly TensorLike[]): string {
    this.#check();
    return this.plan(this.#tensors(args)).program.describe();
  }

  profile(args: readonly TensorLike[], options: ProfileOptions | undefined): Promise<Profile> {
    this.#check();
    const tensors = this.#tensors(args);
    return this.plan(tensors).program.profile(tensors, options);
  }

  get plans(): number {
    return this.#plans.size;
  }

  dispose(): void {
    this.#disposed = true;
    this.#plans.clear();
    this.#workspace = null;
  }

  #tensors(args: readonly TensorLike[]): Tensor[] {
    return args.map((arg, i) => asTensor(`${this.where}: argument ${i}`, arg));
  }

  #check(): void {
    if (this.#disposed)
      throw new DownhillError('DISPOSED', `${this.where}: this function has been disposed of. Make a new one.`);
  }
}
