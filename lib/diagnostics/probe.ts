// Loss, gradient and Hessian-vector products of a model as functions of a copy of its weights, which training does not disturb and which
// disturbs no training.
import { breather } from '../breather.js';
import { binding, type Program, type Storage } from '../binding/index.js';
import { DownhillError } from '../errors.js';
import { LruCache } from '../graph/lru.js';
import * as ops from '../graph/ops.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import { Trace } from '../graph/trace.js';
import type { Weight } from '../layers/weight.js';
import type { Model } from '../model/model.js';
import { type Shape, sizeOf } from '../tensor/shape.js';
import { storageOf, Tensor } from '../tensor/tensor.js';
import type { Compiled } from '../training/compiled.js';
import { type Numbers, numbersOf, type RowTypes } from '../training/programs.js';
import { type Batch, zeros } from './data.js';
import { Vectors } from './vectors.js';

/** Programs that are kept: a few kinds, each for a full batch and a remainder. */
const kPrograms = 16;

/** What a program computes of a traced loss. `parameters`: the trained weights; `extra`: its own inputs. */
export interface Kind {
  name: string;
  /** Shapes of its own inputs. */
  extra: readonly Shape[];
  /** Weights at which the loss is traced, by default the copies. */
  shift?(parameters: readonly SymbolicTensor[], extra: readonly SymbolicTensor[]): SymbolicTensor[];
  body(traced: Traced): SymbolicTensor[];
  /** Runs the tracing, e.g. under an observer. */
  around?<T>(trace: () => T): T;
}

export interface Traced extends Numbers {
  trace: Trace;
  parameters: readonly SymbolicTensor[];
  extra: readonly SymbolicTensor[];
}

export interface Gradient {
  /** All trained weights one after the other, [parameters]. */
  vector: Tensor;
  /** Mean over the rows, with the regularizers' penalties. */
  loss: number;
}

export interface ProbeOptions {
  /** Whether layers behave as in training: dropout drops. */
  training: boolean;
  /** The masks that dropout draws; the same in each evaluation. */
  seed: number;
}

export class Probe {
  readonly trained: readonly Weight[];
  /** Number of trained parameters. */
  readonly size: number;
  readonly device: string;
  readonly #weights: readonly Weight[];
  readonly vectors: Vectors;
  readonly #programs = new LruCache<{ program: Program; shapes: readonly Shape[] }>(kPrograms);
  readonly #workspace = binding.workspaceNew();
  #values: readonly Storage[] = [];
  /** Small programs run at once; others shall not wait for all of them. */
  readonly #breathe = breather();

  /** types: of the rows. Takes a copy of the weights. */
  constructor(
    readonly where: string,
    readonly net: Model,
    readonly compiled: Compiled,
    readonly types: RowTypes,
    readonly options: ProbeOptions,
  ) {
    this.#weights = net.weights;
    this.trained = this.#weights.filter((weight) => weight.trainable);
    this.size = this.trained.reduce((total, weight) => total + weight.size, 0);
    this.device = net.device;
    this.vectors = new Vectors(net.device);
    if (this.size === 0)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${where}: the model has no trainable weights, so it has no gradient.`,
      );
    this.refresh();
  }

  /** The weights as of now: of one finished step. */
  refresh(): void {
    this.#values = binding.storagesCopy(this.#weights.map((weight) => storageOf(weight.variable)));
  }

  /** The copies of the trained weights. */
  trainedValues(): Tensor[] {
    return this.trained.map(
      (weight) => new Tensor(this.#values[this.#weights.indexOf(weight)], weight.shape, 'float32'),
    );
  }

  /** A vector's parts by trained weight, in a trace. */
  split(vector: SymbolicTensor): SymbolicTensor[] {
    let begin = 0;
    return this.trained.map(({ shape, size }) => {
      const part = ops.reshape(ops.slice(vector, [begin], [size]), shape);
      begin += size;
      return part;
    });
  }

  /** The gradient of the mean loss over all rows of the batches. */
  async gradient(batches: readonly Batch[]): Promise<Gradient> {
    const kind: Kind = {
      name: 'gradient',
      extra: [[this.size]],
      body: ({ trace, loss, logs, parameters, extra }) => {
        const gradient = flat(trace.gradients(loss, parameters));
        return [ops.add(extra[0], ops.mul(gradient, logs[1])), logs[0], logs[1]];
      },
    };
    return this.#mean(kind, batches, []);
  }

  /** The Hessian of the mean loss times a vector [parameters]. */
  async hessianVector(batches: readonly Batch[], vector: Tensor): Promise<Tensor> {
    const kind: Kind = {
      name: 'hessianVector',
      extra: [[this.size], [this.size]],
      body: ({ trace, loss, logs, parameters, extra }) => {
        const along = this.split(extra[1]);
        const slope = trace
          .gradients(loss, parameters)
          .map((gradient, i) => ops.sum(ops.mul(gradient, along[i])))
          .reduce((total, part) => ops.add(total, part));
        return [ops.add(extra[0], ops.mul(flat(trace.gradients(slope, parameters)), logs[1])), logs[0], logs[1]];
      },
    };
    return (await this.#mean(kind, batches, [vector])).vector;
  }

  /** Runs a program of this kind on a batch, with its own inputs. */
  async run(kind: Kind, batch: Batch, extra: readonly Tensor[]): Promise<Tensor[]> {
    const program = this.#programs.get(`${kind.name} ${batch.rows}`, () => this.#build(kind, batch.rows));
    const inputs = [...this.#values, ...extra.map(storageOf), ...batch.inputs];
    const [done, ...outputs] = binding.programRun(
      program.program,
      this.#workspace,
      inputs,
      this.options.seed + batch.index,
    );
    if (done) await done;
    await this.#breathe();
    return outputs.map((storage, i) => new Tensor(storage, program.shapes[i], 'float32'));
  }

  /** The mean over rows of a vector, which each batch adds to its first own input, and of the loss. */
  async #mean(kind: Kind, batches: readonly Batch[], extra: readonly Tensor[]): Promise<Gradient> {
    let vector = zeros(this.size, this.device);
    let [sum, weight] = [0, 0];
    for (const batch of batches) {
      const [added, lossSum, rows] = await this.run(kind, batch, [vector, ...extra]);
      vector.dispose();
      vector = added;
      sum += lossSum.dataSync()[0];
      weight += rows.dataSync()[0];
    }
    const mean = await this.vectors.scale(vector, 1 / weight);
    vector.dispose();
    return { vector: mean, loss: sum / weight };
  }

  #build(kind: Kind, rows: number): { program: Program; shapes: readonly Shape[] } {
    const { net, compiled, types } = this;
    const trace = new Trace();
    const trained = new Set(this.trained);
    const body = () => {
      const leaves = this.#weights.map(({ name, shape }) => trace.input(shape, 'float32', name));
      const extra = kind.extra.map((shape) => trace.input(shape, 'float32'));
      const parameters = leaves.filter((_, i) => trained.has(this.#weights[i]));
      const values = kind.shift?.(parameters, extra) ?? parameters;
      this.#weights.forEach((weight, i) => {
        const at = this.trained.indexOf(weight);
        trace.substitute(weight.variable, at < 0 ? leaves[i] : values[at]);
      });
      const traced = () => numbersOf(net, compiled, rows, types, trace, this.options.training);
      const numbers = kind.around?.(traced) ?? traced();
      return kind.body({ ...numbers, trace, parameters, extra });
    };
    try {
      const outputs = trace.run(body);
      const nodes = outputs.map((output) => output.node);
      // Moving statistics that a layer would write are left as they are.
      const program = binding.compile(trace.graph, nodes, [], [], net.device, net.precision);
      return { program, shapes: outputs.map((output) => output.shape) };
    } finally {
      trace.ended = true;
    }
  }
}

/** Values one after the other, as a vector. */
function flat(values: readonly SymbolicTensor[]): SymbolicTensor {
  const parts = values.map((value) => ops.reshape(value, [sizeOf(value.shape)]));
  return parts.length === 1 ? parts[0] : ops.concat(parts);
}
