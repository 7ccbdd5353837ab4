// What every model can do; how its layers are connected is its subclass's affair.
import type { DType, Precision } from '../binding/native.js';
import type { Logs } from '../callbacks/callback.js';
import type { History } from '../callbacks/history.js';
import { type Serialized, serialize } from '../config/registry.js';
import type { Config } from '../config/values.js';
import { resolveDevice } from '../devices.js';
import { DownhillError, show, unknownName } from '../errors.js';
import type { SymbolicSparse } from '../graph/sparse.js';
import { SymbolicTensor } from '../graph/symbolic.js';
import type { Value } from '../graph/trace.js';
import { type LoadWeightsOptions, loadWeights, type WeightsReport } from '../io/load-weights.js';
import { save } from '../io/save.js';
import { type CallContext, type Computed, Layer, type LayerOptions } from '../layers/layer.js';
import { connect, type LayerOutput, layerOutputs, type OneOrMore } from '../layers/output.js';
import { placeWeights, type Weight } from '../layers/weight.js';
import { checkFunction, checkOneOf, Options } from '../options.js';
import type { ProgramView } from '../profile/profile.js';
import type { TensorLike } from '../tensor/convert.js';
import { asTensor } from '../tensor/make.js';
import { type Shape, sizeOf } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Variable } from '../tensor/variable.js';
import type { InputLike, Targets } from '../training/columns.js';
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
import { checkPrecision, splitArguments } from './arguments.js';
import type { ByPort, Packed, Ports } from './ports.js';
import { type SummaryRow, summaryText } from './summary.js';
import { copyWeights, writeWeights } from './weights.js';

export type { Precision };

export interface ModelOptions {
  name?: string;
  /** Where it computes; by default what setDevice chose. */
  device?: string;
  /**
   * How matrix products are computed: 'float32' (default), 'tf32' (GPUs) or 'bfloat16'; weights, sums and updates are float32. On a processor that
   * is not known to be faster with bfloat16, products stay float32: net.program('train').describe() tells. docs/numerics.md
   */
  precision?: Precision;
}

/** Base of the models. A model is a layer, too: of others, by apply() on symbolic values or within sequential. */
export abstract class Model extends Layer implements Network {
  readonly device: string;
  readonly precision: Precision;
  readonly #trainer = new Trainer(this);
  #stopTraining = false;
  #stop: () => void = () => {};

  constructor(kind: string, options: ModelOptions | undefined) {
    const read = new Options<ModelOptions>(kind, options, ['name', 'device', 'precision']);
    super(kind, read as unknown as Options<LayerOptions>);
    this.device = resolveDevice(read.what('device'), read.raw.device);
    this.precision =
      read.raw.precision === undefined
        ? 'float32'
        : checkPrecision(read.what('precision'), read.raw.precision, this.device);
  }

  abstract readonly layers: readonly Layer[];
  abstract override get built(): boolean;
  /** @internal */
  abstract readonly inputPorts: Ports;
  /** @internal */
  abstract readonly outputPorts: Ports;

  /** Shape of one example, without the batch; throws NOT_BUILT, and UNSUPPORTED where there are several inputs. */
  override get inputShape(): Shape {
    this.checkBuilt();
    return this.inputPorts.only(this.name).shape;
  }

  get inputDtype(): DType {
    return this.inputPorts.only(this.name).dtype;
  }

  get outputShape(): Shape {
    this.checkBuilt();
    return this.outputPorts.only(this.name).shape;
  }

  /** Fixes the input shape, without the batch, of a model whose first layer states none. */
  abstract override build(inputShape: OneOrMore<Shape>): void;

  /** The layers' functions, from a value for each input to one for each output. @internal */
  abstract run(inputs: readonly (Computed | SymbolicSparse)[], context: CallContext): readonly Computed[];

  override call(x: OneOrMore<Computed>, context: CallContext): OneOrMore<Computed> {
    const outputs = this.run([x].flat() as Computed[], context);
    return outputs.length === 1 ? outputs[0] : outputs;
  }

  override get takesSeveral(): boolean {
    return this.inputPorts.all.length > 1;
  }

  override get innerLayers(): readonly Layer[] {
    return this.layers;
  }

  /**
   * The layer of that name, or at that place.
   *
   * @throws UNKNOWN_NAME with the nearest name, OUT_OF_RANGE
   */
  getLayer(which: string | number): Layer {
    const { layers } = this;
    const found = typeof which === 'number' ? layers.at(which) : layers.find(({ name }) => name === which);
    if (found) return found;
    if (typeof which === 'string')
      throw unknownName(
        'layer',
        which,
        layers.map(({ name }) => name),
      );
    throw new DownhillError(
      'OUT_OF_RANGE',
      `getLayer: the model has ${layers.length} layers; received ${show(which)}.`,
    );
  }

  /** What makes an equal model with fresh weights, as plain JSON. Where it computes is no part of it. */
  abstract override getConfig(): Config;

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
  override get weights(): readonly Weight[] {
    this.checkBuilt();
    const weights = this.declaredWeights;
    placeWeights(weights);
    return weights;
  }

  /** The weights as named Variables, layer by layer: dense/kernel, dense/bias, …; those of a model that is a layer behind its name. */
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
    this.#trainer.compiled = new Compiled(options, this.outputPorts);
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
  fit(x: ByPort<InputLike>, y: Targets, options?: FitOptions): Promise<History>;
  async fit(x: ByPort<InputLike> | Batches, y?: Targets | FitOptions, options?: FitOptions): Promise<History> {
    const [targets, given] = splitArguments<FitOptions>(this.outputPorts, x, y, options);
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
  evaluate(x: ByPort<InputLike>, y: Targets, options?: EvaluateOptions): Promise<Logs>;
  async evaluate(
    x: ByPort<InputLike> | Batches,
    y?: Targets | EvaluateOptions,
    options?: EvaluateOptions,
  ): Promise<Logs> {
    const [targets, given] = splitArguments<EvaluateOptions>(this.outputPorts, x, y, options);
    return evaluate(this.#trainer, this, x, targets, given);
  }

  /**
   * The outputs [n, …outputShape] for inputs [n, …inputShape]; also during a fit, from the weights of one finished step.
   *
   * @throws (rejects) SHAPE_MISMATCH, EMPTY_DATA, NOT_BUILT
   */
  async predict<T extends Packed<Tensor> = Tensor>(x: ByPort<InputLike>, options?: PredictOptions): Promise<T> {
    return predict<T>(this.#trainer, this, x, options);
  }

  /**
   * One update from one batch; gives its loss and metrics before the update.
   *
   * @param options sampleWeight and classWeight, as for fit
   * @throws (rejects) as fit
   */
  async trainOnBatch(x: ByPort<InputLike>, y: Targets, options?: TrainWeightOptions): Promise<Logs> {
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
    return this.declaredWeights.reduce((total, weight) => total + weight.size, 0);
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
    const weights = this.declaredWeights;
    const count = (trainable: boolean) =>
      weights.filter((weight) => weight.trainable === trainable).reduce((total, { shape }) => total + sizeOf(shape), 0);
    print(summaryText(this.name, this.rows(), { trainable: count(true), nonTrainable: count(false) }));
  }

  /**
   * The model as a function of a batch [n, …inputShape], or of several: symbolic inside a traced function, computed at once on values. On symbolic
   * values of layers it becomes a layer of another model. Outputs come in the model's form: one, a list or an object.
   *
   * @example
   * const gradient = grad((x) => ops.sum(net.apply(x)));
   */
  override apply<T extends Packed<LayerOutput> = LayerOutput>(
    x: ByPort<LayerOutput>,
    context?: Partial<CallContext>,
  ): T;
  override apply(x: SymbolicTensor, context?: Partial<CallContext>): SymbolicTensor;
  override apply(x: TensorLike, context?: Partial<CallContext>): Tensor;
  override apply<T extends Packed<Computed> = Computed>(x: ByPort<Value>, context?: Partial<CallContext>): T;
  override apply(x: unknown, { training }: Partial<CallContext> = {}): unknown {
    this.#trainer.checkAlive();
    const what = `model "${this.name}"`;
    const given = this.inputPorts.spread(what, x);
    const symbols = layerOutputs(what, given);
    if (symbols) return this.outputPorts.pack(connect(this, symbols, training));
    const inputs = given.map((value, i) =>
      value instanceof SymbolicTensor
        ? value
        : asTensor(what, value, this.built ? this.inputPorts.all[i].dtype : undefined),
    );
    return this.outputPorts.pack(this.applyEach(inputs, { training: training ?? false }));
  }

  override applyEach(inputs: readonly (SymbolicTensor | Tensor)[], context: CallContext): readonly Computed[] {
    if (!this.built) this.build(inputs[0].shape.slice(1));
    return this.run(inputs, context);
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
    const weights = this.built ? this.declaredWeights : [];
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

  /** A layer of this model: its weights are named so. */
  protected adopt(layer: Layer): void {
    layer.enter(this.owned ? `${this.path}/` : '');
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
