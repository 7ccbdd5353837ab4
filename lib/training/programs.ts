// The programs of a model: traced for a number of rows, planned once, kept while in use.
import { binding, type Program, type Storage } from '../binding/index.js';
import { DownhillError } from '../errors.js';
import * as ops from '../graph/ops.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import { Trace } from '../graph/trace.js';
import type { Weight } from '../layers/weight.js';
import type { Measure } from '../losses/loss.js';
import type { RowType } from './columns.js';
import type { Compiled } from './compiled.js';
import type { Network } from './network.js';

/** Programs per model: several batch sizes with their remainders, and the powers of two of evaluation and prediction. */
export const kPrograms = 64;

/** Σ of the regularizers' penalties, or null. */
function penaltyOf(weights: readonly Weight[]): SymbolicTensor | null {
  let total: SymbolicTensor | null = null;
  for (const { name, owner, regularizer, variable } of weights) {
    if (!regularizer) continue;
    const penalty = regularizer(variable) as SymbolicTensor;
    if (penalty.shape.length !== 0)
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `The regularizer of ${owner.name}/${name} must return a scalar; it returned shape [${penalty.shape.join(', ')}].`,
      );
    total = total ? ops.add(total, penalty) : penalty;
  }
  return total;
}

/** The loss to differentiate, and the sums and weights of loss and metrics in the order of the labels. */
interface Numbers {
  loss: SymbolicTensor;
  logs: SymbolicTensor[];
}

function numbersOf(
  network: Network,
  compiled: Compiled,
  rows: number,
  target: RowType,
  trace: Trace,
  training: boolean,
): Numbers {
  const x = trace.input([rows, ...network.inputShape], network.inputDtype, 'x');
  const y = trace.input([rows, ...target.shape], target.dtype, 'y');
  const prediction = network.call(x, { training }) as SymbolicTensor;
  const logs: SymbolicTensor[] = [];
  const measure = ({ contribute }: Measure) => {
    const { sum, weight } = contribute(y, prediction);
    return { sum: sum as SymbolicTensor, weight };
  };
  const { sum, weight } = measure(compiled.loss);
  const penalty = penaltyOf(network.weights);
  const mean = ops.div(sum, weight);
  // The penalty counts once per row, so that means over rows contain it once.
  logs.push(penalty ? ops.add(sum, ops.mul(penalty, weight)) : sum, trace.scalar(weight, 'float32'));
  for (const metric of compiled.metrics) {
    const part = measure(metric);
    logs.push(part.sum, trace.scalar(part.weight, 'float32'));
  }
  return { loss: penalty ? ops.add(mean, penalty) : mean, logs };
}

function build(
  { device, precision }: Network,
  body: (trace: Trace) => { outputs: SymbolicTensor[]; targets?: (Storage | null)[] },
): Program {
  const trace = new Trace();
  try {
    const { outputs, targets } = trace.run(() => body(trace));
    const nodes = outputs.map((output) => output.node);
    return binding.compile(trace.graph, nodes, targets ?? [], trace.writes, device, precision);
  } finally {
    trace.ended = true;
  }
}

/** One training step but its update: logs, and gradients into their storages. */
export function trainProgram(
  network: Network,
  compiled: Compiled,
  rows: number,
  target: RowType,
  trained: readonly Weight[],
  gradients: readonly Storage[],
): Program {
  return build(network, (trace) => {
    const { loss, logs } = numbersOf(network, compiled, rows, target, trace, true);
    const leaves = trained.map((weight) => trace.variable(weight.variable));
    const outputs = [...logs, ...trace.gradients(loss, leaves, compiled.optimizer.lossSeed(trace))];
    return { outputs, targets: [...logs.map(() => null), ...gradients] };
  });
}

/** The logs of a batch, without training. */
export function evaluateProgram(network: Network, compiled: Compiled, rows: number, target: RowType): Program {
  return build(network, (trace) => ({ outputs: numbersOf(network, compiled, rows, target, trace, false).logs }));
}

/** The outputs of a batch. */
export function predictProgram(network: Network, rows: number): Program {
  return build(network, (trace) => {
    const x = trace.input([rows, ...network.inputShape], network.inputDtype, 'x');
    return { outputs: [network.call(x, { training: false }) as SymbolicTensor] };
  });
}

/** Sizes of the batches that a session cuts `rows` rows into: a remainder is one batch (train) or powers of two. */
export function batchRows(kind: 'train' | 'evaluate' | 'predict', rows: number, batchSize: number): number[] {
  const sizes = rows >= batchSize ? [batchSize] : [];
  let left = rows % batchSize;
  if (kind === 'train') return left > 0 ? [...sizes, left] : sizes;
  for (let power = 2 ** 30; left > 0; power /= 2) {
    if (power > left) continue;
    sizes.push(power);
    left -= power;
  }
  return sizes;
}
