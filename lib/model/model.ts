// What every model can do; how its layers are connected is its subclass's affair.
import type { Precision } from '../binding/native.js';
import type { Logs } from '../callbacks/callback.js';
import type { History } from '../callbacks/history.js';
import { resolveDevice } from '../devices.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import { type LoadWeightsOptions, loadWeights, type WeightsReport } from '../io/load-weights.js';
import { save } from '../io/save.js';
import type { LayerOptions } from '../layers/layer.js';
import { checkOneOf, Options } from '../options.js';
import type { ProgramView } from '../profile/profile.js';
import type { Tensor } from '../tensor/tensor.js';
import type { InputLike, Targets } from '../training/columns.js';
import { Compiled, type CompileOptions } from '../training/compiled.js';
import { type EvaluateOptions, evaluate } from '../training/evaluate.js';
import type { Batches } from '../training/feed.js';
import { fit as runFit } from '../training/fit.js';
import type { FitOptions } from '../training/fit-options.js';
import { type Memory, type MemoryOptions, memoryOf } from '../training/memory.js';
import type { Network } from '../training/network.js';
import { type PredictOptions, predict } from '../training/predict.js';
import { type ModelProfileOptions, profileModel } from '../training/profile.js';
import type { TrainWeightOptions } from '../training/sample-weights.js';
import { trainOnBatch } from '../training/train-on-batch.js';
import { Trainer, type TrainingBatch } from '../training/trainer.js';
import { checkPrecision, splitArguments } from './arguments.js';
import { ModelLayer } from './model-layer.js';
import type { ByPort, Packed } from './ports.js';

export type { Precision };

export interface ModelOptions {
  name?: string;
  /** Where it computes; by default what setDevice chose. */
  device?: string;
  /**
   * How matrix products and convolutions are computed: 'float32' (default), 'tf32' (GPUs) or 'bfloat16'; weights, sums and updates are float32. On a processor that
   * is not known to be faster with bfloat16, products stay float32: net.program('train').describe() tells. docs/numerics.md
   */
  precision?: Precision;
  /**
   * As a layer of another model, or applied in a trainStep: whether the backward pass computes again what its layers make, all of it together, in place of
   * keeping it; false by default. docs/memory.md
   */
  recompute?: boolean;
}

/** Base of the models. A model is a layer, too: of others, by apply() on symbolic values or within sequential. */
export abstract class Model extends ModelLayer implements Network {
  readonly device: string;
  readonly precision: Precision;
  readonly #trainer = new Trainer(this);
  #stopTraining = false;
  #stop: () => void = () => {};

  constructor(kind: string, options: ModelOptions | undefined) {
    const read = new Options<ModelOptions>(kind, options, ['name', 'device', 'precision', 'recompute']);
    super(kind, read as unknown as Options<LayerOptions>);
    this.device = resolveDevice(read.what('device'), read.raw.device);
    this.precision =
      read.raw.precision === undefined
        ? 'float32'
        : checkPrecision(read.what('precision'), read.raw.precision, this.device);
  }

  /** @internal What compile() fixed; null before it. */
  get compiled(): Compiled | null {
    return this.#trainer.isCompiled ? this.#trainer.compiled : null;
  }

  /** @internal The rows of a step of the training in progress: 0 the next one, 1 the last one, …; null where there is none. */
  trainingBatch(back: number): TrainingBatch | null {
    return this.#trainer.batch(back);
  }

  /**
   * Fixes how the model is trained.
   *
   * @param options optimizer and loss, by name or object (the loss also as a function (yTrue, yPred) of ops); metrics, a list. For several outputs loss,
   *   lossWeights and metrics are lists or objects with an entry for each. Or, in place of the loss, trainStep: a function of a batch that gives the loss
   * @throws UNKNOWN_NAME with the nearest name, UNKNOWN_OPTION, BUSY while a fit runs
   * @example
   * net.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
   */
  compile<X = SymbolicTensor, Y = SymbolicTensor>(options: CompileOptions<X, Y>): void {
    this.#trainer.compiled = new Compiled(options, this.outputPorts);
  }

  /**
   * Trains on a native thread; JavaScript goes on meanwhile.
   *
   * x: inputs [n, …inputShape], as typed arrays, nested arrays or Tensors, or data.SparseRows for a model that begins with a dense layer; y:
   * targets [n] or [n, …outputShape]; for several inputs or outputs a list or an object by name. Or, in their place, an (async) iterable of batches
   * [x, y] or [x, y, sampleWeight].
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
  fit(x: ByPort<InputLike>, y: Targets | undefined, options?: FitOptions): Promise<History>;
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
  evaluate(x: ByPort<InputLike>, y: Targets | undefined, options?: EvaluateOptions): Promise<Logs>;
  async evaluate(
    x: ByPort<InputLike> | Batches,
    y?: Targets | EvaluateOptions,
    options?: EvaluateOptions,
  ): Promise<Logs> {
    const [targets, given] = splitArguments<EvaluateOptions>(this.outputPorts, x, y, options);
    return evaluate(this.#trainer, this, x, targets, given);
  }

  /**
   * The outputs [n, …outputShape] for inputs [n, …inputShape]; also during a fit, from the weights of one finished step. Several outputs come as a list
   * or an object, as the model was given them.
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
  async trainOnBatch(x: ByPort<InputLike>, y?: Targets, options?: TrainWeightOptions): Promise<Logs> {
    this.#trainer.checkAlive();
    return trainOnBatch(this.#trainer, this, x, y, options);
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

  /**
   * Bytes that a training step takes, before any is made: parameters, gradients, slots of the optimizer, activations at the planned peak, batches; docs/memory.md.
   *
   * @param options batchSize, by default that of the latest training, or 32
   * @throws NOT_COMPILED, NOT_BUILT; MEMORY_LIMIT where compile's memoryLimit cannot be kept to
   * @example
   * const { activations, total } = net.memory({ batchSize: 128 });
   */
  memory(options?: MemoryOptions): Memory {
    this.#trainer.checkAlive();
    this.checkBuilt();
    return memoryOf(this.#trainer, options);
  }

  /**
   * Releases gradients, programs, and the weights of layers that no other model has: those of models that are its layers stay. A fit in progress ends
   * after its step and rejects with DISPOSED.
   */
  dispose(): void {
    this.#trainer.dispose();
    this.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  protected override checkAlive(): void {
    this.#trainer.checkAlive();
  }

  /** Layers were added: programs and gradients no longer fit. Throws BUSY while a fit runs. */
  protected changed(): void {
    this.#trainer.reset();
  }
}
