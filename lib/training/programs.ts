// The programs of a model: traced for a number of rows, planned once, kept while in use.
import { binding, type Program, type Storage } from '../binding/index.js';
import { DownhillError } from '../errors.js';
import * as ops from '../graph/ops.js';
import { SymbolicSparse } from '../graph/sparse.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import { Trace } from '../graph/trace.js';
import { withActivityPenalties } from '../layers/activity.js';
import type { Weight } from '../layers/weight.js';
import { maskedWeight } from '../losses/weights.js';
import type { Model } from '../model/model.js';
import { penaltyFor } from '../regularizers/regularizer.js';
import type { Variable } from '../tensor/variable.js';
import type { Columns, RowType } from './columns.js';
import type { Compiled } from './compiled.js';
import { limitOf } from './memory.js';
import type { Network } from './network.js';
import { type OwnStep, type StepBatch, stepNumbers } from './train-step.js';

/** Programs per model: several batch sizes with their remainders, and the powers of two of evaluation and prediction. */
export const kPrograms = 64;

/** Σ of the penalties on weights that are trained, as in Keras, and on what layers gave; null: there are none. */
function penaltyOf(weights: readonly Weight[], activity: readonly SymbolicTensor[]): SymbolicTensor | null {
  const penalties = weights
    .filter((weight) => weight.regularizer && weight.trainable)
    .map(({ path, regularizer, variable }) =>
      penaltyFor(`regularizer of ${path}`, regularizer!, variable),
    ) as SymbolicTensor[];
  penalties.push(...activity);
  return penalties.length ? penalties.reduce((total, penalty) => ops.add(total, penalty)) : null;
}

/** Of the columns beside the inputs, by output. */
export interface RowTypes {
  /** Null: nothing needs one. */
  targets: readonly (RowType | null)[];
  /** Null: no row has one. */
  weights: readonly (RowType | null)[];
}

export function typesOf({ targets, weights }: Columns): RowTypes {
  const type = (column: RowType | null) => column && { shape: column.shape, dtype: column.dtype };
  return { targets: targets.map(type), weights: weights.map(type) };
}

/** The loss to differentiate, and the sums and weights of loss and metrics in the order of the labels. */
export interface Numbers {
  /** By output; none where the loss is a function's own. */
  predictions: readonly SymbolicTensor[];
  loss: SymbolicTensor;
  logs: SymbolicTensor[];
}

/** The rows of a batch; `room`: for the values of sparse ones. */
function inputsOf(
  { inputPorts }: Network,
  rows: number,
  room: number | null,
  trace: Trace,
): (SymbolicTensor | SymbolicSparse)[] {
  const { all } = inputPorts;
  if (room !== null) return [SymbolicSparse.input(trace, rows, all[0].shape[0], room, 'x')];
  return all.map(({ shape, dtype }, i) => trace.input([rows, ...shape], dtype, inputPorts.label('x', i)));
}

/** Loss and logs of a batch in the running trace, whose next inputs become the data. `room`: for the values of sparse rows. */
export function numbersOf(
  network: Network,
  compiled: Compiled,
  rows: number,
  types: RowTypes,
  trace: Trace,
  training: boolean,
  room: number | null = null,
): Numbers {
  const x = inputsOf(network, rows, room, trace);
  const { outputPorts } = network;
  const rowsOf = (what: string, type: RowType | null, i: number) =>
    type && trace.input([rows, ...type.shape], type.dtype, outputPorts.label(what, i));
  const y = types.targets.map((type, i) => rowsOf('y', type, i));
  const w = types.weights.map((type, i) => rowsOf('sampleWeight', type, i));
  const batch = { x, y, w, rows, training };
  const { result, penalties } = withActivityPenalties(() =>
    compiled.step ? ownSums(network, compiled.step, batch, trace) : lossSums(network, compiled, batch, trace),
  );
  const { predictions, mean, sum, parts } = result;
  const penalty = penaltyOf(network.weights, penalties);
  // The penalty counts once per row, so that means over rows contain it once.
  const logs = [penalty ? ops.add(sum, ops.mul(penalty, rows)) : sum, trace.scalar(rows, 'float32'), ...parts];
  return { predictions, loss: penalty ? ops.add(mean, penalty) : mean, logs };
}

interface Batch {
  x: readonly (SymbolicTensor | SymbolicSparse)[];
  y: readonly (SymbolicTensor | null)[];
  w: readonly (SymbolicTensor | null)[];
  rows: number;
  training: boolean;
}

/** The loss without penalties, as mean and sum over the rows, and what logs add up beside it. */
interface Sums {
  predictions: readonly SymbolicTensor[];
  mean: SymbolicTensor;
  sum: SymbolicTensor;
  parts: SymbolicTensor[];
}

function lossSums(network: Network, compiled: Compiled, { x, y, w, rows, training }: Batch, trace: Trace): Sums {
  const predictions = network.run(x, { training }) as readonly SymbolicTensor[];
  // As Keras: divided by the rows, whatever they weigh.
  const sums = compiled.outputs.map(({ output, loss }) =>
    trace.lift('loss', loss.sum(y[output]!, predictions[output], w[output] ?? null)),
  );
  const sum = compiled.outputs
    .map(({ weight }, i) => (weight === 1 ? sums[i] : ops.mul(sums[i], weight)))
    .reduce((total, part) => ops.add(total, part));
  const metrics = compiled.metrics.flatMap(({ measure, output, weighted }) => {
    const weight = (weighted ? w[output] : null) ?? null;
    const prediction = predictions[output];
    return measure.contribute(y[output]!, prediction, measure.masks ? weight : maskedWeight(prediction, weight));
  });
  const parts = [...(sums.length > 1 ? sums : []), ...metrics.map((part) => trace.lift('metric', part))];
  return { predictions, mean: ops.div(sum, rows), sum, parts };
}

function ownSums(network: Network, step: OwnStep, { x, y, w, rows, training }: Batch, trace: Trace): Sums {
  const { inputPorts, outputPorts } = network;
  if (x.some((input) => input instanceof SymbolicSparse))
    throw new DownhillError('UNSUPPORTED', 'trainStep cannot take sparse rows: pass dense rows.');
  const given = <T>(values: readonly (T | null)[]) =>
    values.some((value) => value !== null) ? outputPorts.pack(values.map((value) => value ?? undefined)) : undefined;
  const batch = { x: inputPorts.pack(x), y: given(y), sampleWeight: given(w), training } as unknown as StepBatch<
    never,
    never
  >;
  const { loss, others } = stepNumbers(step, trace, batch, network as unknown as Model);
  return {
    predictions: [],
    mean: loss,
    sum: ops.mul(loss, rows),
    parts: others.map((other) => ops.mul(other, rows)),
  };
}

function build(
  { device, precision }: Network,
  body: (trace: Trace) => { outputs: SymbolicTensor[]; targets?: (Storage | null)[] },
  training = false,
  limit: ReturnType<typeof limitOf> = null,
): Program {
  const trace = new Trace();
  try {
    const { outputs, targets } = trace.run(() => body(trace));
    const nodes = outputs.map((output) => output.node);
    // Evaluation and prediction leave the state of layers as it is, also of those that always behave as in training.
    const writes = training ? trace.writes : [];
    return binding.compile(trace.graph, nodes, targets ?? [], writes, device, precision, limit);
  } finally {
    trace.ended = true;
  }
}

/** One training step but its update: logs, and gradients into their storages. `stands`: what is read in place of trained variables. */
export function trainProgram(
  network: Network,
  compiled: Compiled,
  rows: number,
  types: RowTypes,
  trained: readonly Weight[],
  gradients: readonly Storage[],
  room: number | null,
  stands: ReadonlyMap<Variable, Variable> = new Map(),
): Program {
  const body = (trace: Trace) => {
    for (const [variable, stand] of stands) trace.substitute(variable, trace.variable(stand));
    const { loss, logs } = numbersOf(network, compiled, rows, types, trace, true, room);
    const leaves = trained.map(({ variable }) => trace.variable(stands.get(variable) ?? variable));
    const outputs = [...logs, ...trace.gradients(loss, leaves, compiled.optimizer.lossSeed(trace))];
    return { outputs, targets: [...logs.map(() => null), ...gradients] };
  };
  return build(network, body, true, limitOf(network, compiled, trained));
}

/** The logs of a batch, without training. */
export function evaluateProgram(
  network: Network,
  compiled: Compiled,
  rows: number,
  types: RowTypes,
  room: number | null,
): Program {
  return build(network, (trace) => ({ outputs: numbersOf(network, compiled, rows, types, trace, false, room).logs }));
}

/** The outputs of a batch. */
export function predictProgram(network: Network, rows: number, room: number | null): Program {
  return build(network, (trace) => {
    const outputs = network.run(inputsOf(network, rows, room, trace), { training: false });
    // What a model merely passes on may be integers.
    return {
      outputs: outputs.map((output) =>
        output.dtype === 'float32' ? (output as SymbolicTensor) : (ops.cast(output, 'float32') as SymbolicTensor),
      ),
    };
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
