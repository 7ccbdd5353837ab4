// Programs of loss functions with gradients, for minimize: traced at each call, planned once per structure.
import { binding, type Storage, type Workspace } from '../binding/index.js';
import { chosenDevice } from '../devices.js';
import { scalarOutput } from '../graph/gradients.js';
import { LruCache } from '../graph/lru.js';
import { TracedProgram } from '../graph/program.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import { callTraced, Trace } from '../graph/trace.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Variable } from '../tensor/variable.js';
import { idsOf } from './variable-ids.js';

/** Structures of losses that are kept. */
const kPrograms = 16;

export interface TracedLoss {
  trace: Trace;
  /** The loss, then the gradient of each variable. */
  outputs: SymbolicTensor[];
  /** What differs between structures: ops, shapes, numbers, variables. */
  key: string;
}

export class LossPrograms {
  readonly #programs = new LruCache<TracedProgram>(kPrograms);
  #workspace: Workspace | null = null;
  /** Dropout draws anew at each run. */
  #runs = 0;

  /** seed: what gradients begin with. Captured Tensors become inputs, so that a new batch in the closure does not mean a new plan. */
  trace(
    where: string,
    lossFn: () => unknown,
    variables: readonly Variable[],
    seed: (trace: Trace) => SymbolicTensor | undefined,
  ): TracedLoss {
    const trace = new Trace('input');
    try {
      const outputs = trace.run(() => {
        const loss = scalarOutput(where, trace, callTraced(where, lossFn, []));
        const leaves = variables.map((variable) => trace.variable(variable));
        return [loss, ...trace.gradients(loss, leaves, seed(trace))];
      });
      const key = `${idsOf(variables)}|${idsOf(trace.variables.keys())}|${trace.signature.join('\n')}`;
      return { trace, outputs, key };
    } finally {
      trace.ended = true;
    }
  }

  /** Computes the loss, and the gradients into their storages. */
  run({ trace, outputs, key }: TracedLoss, gradients: readonly Storage[]): ReturnType<TracedProgram['run']> {
    const device = chosenDevice();
    const program = this.#programs.get(`${device} ${key}`, () => {
      this.#workspace ??= binding.workspaceNew();
      return new TracedProgram(trace, outputs, this.#workspace, device, [null, ...gradients]);
    });
    const captured = trace.inputs.filter((input): input is Tensor => input !== null);
    return program.run([], captured, this.#runs++);
  }

  clear(): void {
    this.#programs.clear();
    this.#workspace = null;
  }
}
