// What every model can do; how its layers are connected is its subclass's affair.
import type { DType, Precision } from '../binding/native.js';
import type { Logs } from '../callbacks/callback.js';
import type { History } from '../callbacks/history.js';
import { type Serialized, serialize } from '../config/registry.js';
import type { Config } from '../config/values.js';
import { resolveDevice } from '../devices.js';
import { DownhillError } from '../errors.js';
import type { SymbolicSparse } from '../graph/sparse.js';
import { SymbolicTensor } from '../graph/symbolic.js';
import type { Value } from '../graph/trace.js';
import { type LoadWeightsOptions, loadWeights, type WeightsReport } from '../io/load-weights.js';
import { save } from '../io/save.js';
import type { CallContext, Computed, Layer } from '../layers/layer.js';
import { placeWeights, type Weight } from '../layers/weight.js';
import { checkFunction, checkOneOf, Options } from '../options.js';
import type { ProgramView } from '../profile/profile.js';
import type { TensorLike } from '../tensor/convert.js';
import { asTensor } from '../tensor/make.js';
import { type Shape, sizeOf } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Variable } from '../tensor/variable.js';
import type { DataLike, InputLike } from '../training/columns.js';
import { Compiled, type CompileOptions } from '../training/compiled.js';
import { type EvaluateOptions, evaluate } from '../training/evaluate.js';
import type { Batches } from '../training/feed.js';
import { fit as runFit } from '../training/fit.js';
import type { FitOptions } from '../training/fit-options.js';
import type { Network } from '../training/network.js';
import { type PredictOptions, predict } from '../training/predict.js';
import { type ModelProfileOptions, profileModel } from '../training/profile.js';
import type { TrainWeightOptions } from '../training/sample-weights.js';
import { trainOnBatch } from '../training/train-on-batch.js';
import { Trainer, type TrainingBatch } from '../training/trainer.js';
import { type SummaryRow, summaryText } from './summary.js';
import { copyWeights, writeWeights } from './weights.js';

export type { Precision };

export interface ModelOptions {
  name?: string;
  /** Where it computes; by default what setDevice chose. */
  device?: string;
  /** How matrix products are computed: 'float32' (default), 'tf32' or 'bfloat16' (not on the CPU); weights are float32. */
  precision?: Precision;
}

/** Base of the models. */
export abstract class Model implements Network {
  readonly name: string;
  readonly device: string;
  readonly precision: Precision;
  readonly #trainer = new Trainer(this);
  #stopTraining = false;
  #stop: () => void = () => {};

  constructor(kind: string, options: ModelOptions | undefined) {
    const read = new Options<ModelOptions>(kind, options, ['name', 'device', 'precision']);
    this.name = read.text('name', kind);
    this.device = resolveDevice(read.what('device'), read.raw.device);
    this.precision =
      read.raw.precision === undefined
        ? 'float32'
        : checkPrecision(read.what('precision'), read.raw.precision, this.device);
  }

  abstract readonly layers: readonly Layer[];
  abstract readonly built: boolean;
  /** Shapes of one example, without the batch; throws NOT_BUILT. */
  abstract readonly inputShape: Shape;
  abstract readonly inputDtype: DType;
  abstract readonly outputShape: Shape;

  /** Fixes the input shape, without the batch, of a model whose first layer states none. */
  abstract build(inputShape: Shape): void;

  /** The layers' functions, one after another. */
  abstract call(x: Computed | SymbolicSparse, context: CallContext): Computed;

  /** What makes an equal model with fresh weights, as plain JSON. Where it computes is no part of it. */
  abstract getConfig(): Config;

  /**
   * The model as plain JSON: layers, names, options and shapes, without the values of weights. JSON.stringify(net) uses it;
   * modelFromJSON rebuilds the model.
   */
  toJSON(): Serialized {
    return serialize(this);
  }

  /** @internal What compile() fixed; null before it. */
  get compiled(): Compiled | null {
    return this.#trainer.isCompiled ? this.#trainer.compiled : null;
  }

  /** @internal The rows of a step of the training in progress: 0 the next one, 1 the last one, …; null where there is none. */
  trainingBatch(back: number): TrainingBatch | null {
    return this.#trainer.batch(back);
  }

  /** Rows of summary(). */
  protected abstract rows(): SummaryRow[];

  /** @internal */
  get weights(): readonly Weight[] {
    this.checkBuilt();
    const weights = this.layers.flatMap((layer) => layer.weights);
    placeWeights(weights);
    return weights;
  }

  /** The weights as named Variables, layer by layer: dense/kernel, dense/bias, … */
  get parameters(): Variable[] {
    return this.weights.map((weight) => weight.variable);
  }

  /**
   * Fixes how the model is trained.
   *
   * @param options optimizer and loss, by name or object (the loss also as a function (yTrue, yPred) of ops); metrics, a list
   * @throws UNKNOWN_NAME with the nearest name, UNKNOWN_OPTION, BUSY while a fit runs
   * @example
   * net.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
   */
  compile(options: CompileOptions): void {
    this.#trainer.compiled = new Compiled(options);
  }

  /**
   * Trains on a native thread; JavaScript goes on meanwhile.
   *
   * x: inputs [n, …inputShape], as typed arrays, nested arrays or Tensors, or data.SparseRows for a model that begins with a dense layer; y:
   * targets [n] or [n, …outputShape]. Or, in their place, an (async) iterable of batches [x, y] or [x, y, sampleWeight].
   *
   * @returns the numbers of every epoch
   * @throws (rejects) SHAPE_MISMATCH, EMPTY_DATA, NON_FINITE, LABEL_OUT_OF_RANGE, NOT_COMPILED, BUSY while another fit runs, the
   *   signal's reason, whatever a callback throws; the weights are then those of the last finished step
   * @example
   * const history = await net.fit(x, y, { batchSize: 128, epochs: 10, validationSplit: 0.1 });
   * history.history.val_loss;
   */
  fit(batches: Batches, options?: FitOptions): Promise<History>;
  fit(batches: Batches, y: undefined, options?: FitOptions): Promise<History>;
  fit(x: InputLike, y: DataLike, options?: FitOptions): Promise<History>;
  async fit(x: InputLike | Batches, y?: DataLike | FitOptions, options?: FitOptions): Promise<History> {
    const [targets, given] = splitArguments<FitOptions>(y, options);
    return runFit(this.#trainer, this, x, targets, given, (stop) => {
      this.#stop = stop;
    });
  }

  /**
   * Loss and metrics over a data set, weighted by rows.
   *
   * @throws (rejects) as fit
   * @example
   * const { loss, accuracy } = await net.evaluate(test.x, test.y);
   */
  evaluate(batches: Batches, options?: EvaluateOptions): Promise<Logs>;
  evaluate(batches: Batches, y: undefined, options?: EvaluateOptions): Promise<Logs>;
  evaluate(x: InputLike, y: DataLike, options?: EvaluateOptions): Promise<Logs>;
  async evaluate(x: InputLike | Batches, y?: DataLike | EvaluateOptions, options?: EvaluateOptions): Promise<Logs> {
    const [targets, given] = splitArguments<EvaluateOptions>(y, options);
    return evaluate(this.#trainer, this, x, targets, given);
  }

  /**
   * The outputs [n, …outputShape] for inputs [n, …inputShape]; also during a fit, from the weights of one finished step.
   *
   * @throws (rejects) SHAPE_MISMATCH, EMPTY_DATA, NOT_BUILT
   */
  async predict(x: InputLike, options?: PredictOptions): Promise<Tensor> {
    return predict(this.#trainer, this, x, options);
  }

  /**
   * One update from one batch; gives its loss and metrics before the update.
   *
   * @param options sampleWeight and classWeight, as for fit
   * @throws (rejects) as fit
   */
  async trainOnBatch(x: InputLike, y: DataLike, options?: TrainWeightOptions): Promise<Logs> {
    this.#trainer.checkAlive();
    return trainOnBatch(this.#trainer, this, x, y, options);
  }

  /** Copies of the weights in Keras's order; of one finished step also during a fit. */
  getWeights(): Tensor[] {
    this.#trainer.checkAlive();
    return copyWeights(this.weights);
  }

  /**
   * Overwrites the weights, in the order of getWeights().
   *
   * @param values Tensors, typed arrays or nested arrays
   * @throws SHAPE_MISMATCH, and then nothing has changed
   */
  setWeights(values: readonly TensorLike[]): void {
    this.#trainer.checkAlive();
    writeWeights(this.weights, values);
  }

  /**
   * Saves the model in one safetensors file: layers, weights, what it was compiled with, the optimizer's state, and where its fit stands. During
   * a fit it is the model as of the last finished step, and training goes on while the file is written.
   *
   * @throws (rejects) NOT_BUILT, FILE_ERROR; an older file of that name is then still whole
   * @example
   * await net.save('digits.safetensors');
   * const twin = await loadModel('digits.safetensors');
   */
  async save(path: string): Promise<void> {
    await save(this, this.#trainer, path, 'model');
  }

  /** Saves the values of the weights alone, by the names of `parameters`, as a safetensors file. */
  async saveWeights(path: string): Promise<void> {
    await save(this, this.#trainer, path, 'weights');
  }

  /**
   * Reads weights from a safetensors file, of this library or another, by name.
   *
   * @param options map: from names of the file to { name, transpose? } or null; strict, true by default: all must match
   * @returns what did not match: { missing, unexpected, mismatched }
   * @throws (rejects) UNKNOWN_NAME, SHAPE_MISMATCH with a list of what does not match, FILE_ERROR, CORRUPT_FILE, FOREIGN_FILE; nothing has
   *   changed then
   * @example
   * // PyTorch's Linear keeps its weight as [out, in]
   * await net.loadWeights('torch.safetensors', {
   *   map: (name) => (name === 'fc.weight' ? { name: 'dense/kernel', transpose: true } : 'dense/bias'),
   * });
   */
  async loadWeights(path: string, options?: LoadWeightsOptions): Promise<WeightsReport> {
    this.#trainer.checkAlive();
    return loadWeights(this, path, options);
  }

  /** Number of weights, trainable or not. */
  countParams(): number {
    this.checkBuilt();
    return this.layers.flatMap((layer) => layer.weights).reduce((total, weight) => total + weight.size, 0);
  }

  /**
   * Prints a table of the layers with output shapes and numbers of parameters.
   *
   * @param print receives the text, line breaks included; console.log by default
   * @throws NOT_BUILT
   */
  summary(print: (text: string) => void = console.log): void {
    checkFunction('summary: print', print);
    this.checkBuilt();
    const weights = this.layers.flatMap((layer) => layer.weights);
    const count = (trainable: boolean) =>
      weights.filter((weight) => weight.trainable === trainable).reduce((total, { shape }) => total + sizeOf(shape), 0);
    print(summaryText(this.name, this.rows(), { trainable: count(true), nonTrainable: count(false) }));
  }

  /**
   * The model as a function of a batch [n, …inputShape]: symbolic inside a traced function, computed at once on values.
   *
   * @example
   * const gradient = grad((x) => ops.sum(net.apply(x)));
   */
  apply(x: SymbolicTensor, context?: Partial<CallContext>): SymbolicTensor;
  apply(x: TensorLike, context?: Partial<CallContext>): Tensor;
  apply(x: Value, { training = false }: Partial<CallContext> = {}): Computed {
    this.#trainer.checkAlive();
    const input =
      x instanceof SymbolicTensor ? x : asTensor(`model "${this.name}"`, x, this.built ? this.inputDtype : undefined);
    if (!this.built) this.build(input.shape.slice(1));
    return this.call(input, { training });
  }

  /** Sets the rate of the compiled optimizer, also while a fit runs: the next step uses it. */
  setLearningRate(rate: number): void {
    this.#trainer.compiled.optimizer.learningRate = rate;
  }

  /** Set to true, it ends a fit after the batch or epoch in hand. */
  get stopTraining(): boolean {
    return this.#stopTraining;
  }

  set stopTraining(stop: boolean) {
    this.#stopTraining = stop;
    if (stop) this.#stop();
  }

  /**
   * The plan of the latest training step, or of a prediction of as many rows: as text, and where its time goes. A profile is made of random data
   * unless x and y are given, and a training step of copies of weights, gradients and slots: the model stays as it is, and a fit may go on
   * meanwhile (and disturb the times).
   *
   * @throws profile() rejects with NOT_COMPILED, SHAPE_MISMATCH, UNKNOWN_OPTION; UNSUPPORTED on other devices than the CPU
   * @example
   * console.log(String(await net.program('train').profile({ batchSize: 128 })));
   */
  program(kind: 'train' | 'predict'): ProgramView<ModelProfileOptions> {
    checkOneOf('program: kind', kind, ['train', 'predict'] as const);
    this.#trainer.checkAlive();
    this.checkBuilt();
    return {
      describe: () => this.#trainer.describe(kind),
      profile: async (options) => {
        this.#trainer.checkAlive();
        return profileModel(this.#trainer, kind, options);
      },
    };
  }

  /** Releases weights, gradients and programs. A fit in progress ends after its step and rejects with DISPOSED. */
  dispose(): void {
    const weights = this.built ? this.layers.flatMap((layer) => layer.weights) : [];
    this.#trainer.dispose();
    for (const weight of weights) if (weight.placed) weight.variable.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Layers were added: programs and gradients no longer fit. Throws BUSY while a fit runs. */
  protected changed(): void {
    this.#trainer.reset();
  }

  protected checkBuilt(): void {
    if (this.built) return;
    throw new DownhillError(
      'NOT_BUILT',
      `The model "${this.name}" has no input shape yet, so it has no weights. Give inputShape to its first layer, begin with ` +
        'layers.input({ shape }), or call net.build(inputShape).',
    );
  }
}

function checkPrecision(what: string, value: unknown, device: string): Precision {
  const precision = checkOneOf(what, value, ['float32', 'tf32', 'bfloat16'] as const);
  if (precision !== 'float32' && device === 'cpu')
    throw new DownhillError('UNSUPPORTED', `${what}: "${precision}" is not available on the CPU; use "float32".`);
  return precision;
}

/** (x, y, options), or (batches, options): options are a plain object. */
function splitArguments<T>(y: unknown, options: T | undefined): [targets: unknown, options: T | undefined] {
  const plain = typeof y === 'object' && y !== null && Object.getPrototypeOf(y) === Object.prototype;
  return plain && options === undefined ? [undefined, y as T] : [y, options];
}
