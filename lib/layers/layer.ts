// What every layer is: options, weights, and a function of its input that can be traced.
import { binding, type DType } from '../binding/index.js';
import { serialize } from '../config/registry.js';
import type { Config } from '../config/values.js';
import type { Constraint } from '../constraints/constraint.js';
import { DownhillError } from '../errors.js';
import type { Result } from '../graph/signatures.js';
import type { SymbolicSparse } from '../graph/sparse.js';
import { SymbolicTensor } from '../graph/symbolic.js';
import type { Trace, Value } from '../graph/trace.js';
import type { Initializer } from '../initializers/index.js';
import { checkFlag, Options } from '../options.js';
import type { Regularizer } from '../regularizers/regularizer.js';
import { type RegularizerLike, resolveRegularizer } from '../regularizers/resolve.js';
import { asTensor } from '../tensor/make.js';
import type { Shape } from '../tensor/shape.js';
import { penalizeActivity } from './activity.js';
import { Weight } from './weight.js';

/** A value that ops give: symbolic while tracing, a Tensor otherwise. */
export type Computed = Result;

export interface LayerOptions {
  /** Unique within a model; by default the kind of layer, then with _1, _2, … */
  name?: string;
  /** Shape of one example, without the batch; for the first layer of a model. */
  inputShape?: readonly number[];
  /** Whether training changes its weights; true by default. */
  trainable?: boolean;
  /** A penalty on the layer's output, divided by the rows of the batch, that is added to the loss. */
  activityRegularizer?: RegularizerLike | null;
}

export interface CallContext {
  /** Whether this is a training step: dropout drops. */
  training: boolean;
}

/** Sees what a layer gives while a model is traced, and gives what the next layer takes. */
export type LayerObserver = (layer: Layer, output: SymbolicTensor) => SymbolicTensor;

let observer: LayerObserver | null = null;

/** Runs `body`; each layer that is applied in a trace meanwhile shows its output to `see`. */
export function observeLayers<T>(see: LayerObserver, body: () => T): T {
  const outer = observer;
  observer = see;
  try {
    return body();
  } finally {
    observer = outer;
  }
}

const baseKeys = ['name', 'inputShape', 'trainable', 'activityRegularizer'] as const;

/** Reads the options of a layer: its own keys and those that all layers have. */
export function layerOptions<T extends LayerOptions>(
  factory: string,
  options: T | undefined,
  keys: readonly (keyof T & string)[],
): Options<T> {
  return new Options<T>(`layers.${factory}`, options, [...keys, ...baseKeys] as (keyof T & string)[]);
}

function baseOf(options: LayerOptions): LayerOptions {
  return Object.fromEntries(baseKeys.map((key) => [key, options[key]]));
}

/** Base of the layers. Shapes here are those of one example, without the batch. */
export abstract class Layer {
  /** Keras's name of the class, as in summary(): "Dense". */
  abstract readonly type: string;
  /** The user chose the name; otherwise a model may append a number. */
  readonly named: boolean;
  readonly inputShape: Shape | null;
  readonly activityRegularizer: Regularizer | null;
  readonly #weights: Weight[] = [];
  #name: string;
  #trainable: boolean;
  #built: Shape | null = null;

  /** `options`: those that all layers have; a subclass checks its own. */
  constructor(kind: string, options: Options<LayerOptions> | LayerOptions = {}) {
    const read = options instanceof Options ? options : layerOptions(kind, baseOf(options), []);
    this.named = read.has('name');
    this.#name = read.text('name', kind);
    this.inputShape = read.has('inputShape') ? read.shape('inputShape', undefined, 1) : null;
    this.#trainable = read.flag('trainable', true);
    this.activityRegularizer = resolveRegularizer(read.what('activityRegularizer'), read.raw.activityRegularizer);
  }

  get name(): string {
    return this.#name;
  }

  get trainable(): boolean {
    return this.#trainable;
  }

  /** As in Keras, takes effect at the next compile(). */
  set trainable(value: boolean) {
    this.#trainable = checkFlag(`layer "${this.#name}": trainable`, value);
  }

  get built(): boolean {
    return this.#built !== null;
  }

  /** What a model that begins with it takes. */
  get inputDtype(): DType {
    return 'float32';
  }

  /** Kernel before bias, as Keras orders them. */
  get weights(): readonly Weight[] {
    return this.#weights;
  }

  /** Takes over the seed that getConfig() of an equal layer gave; for layers that draw while they train. */
  restoreSeed?(seed: number): void;

  /** Gives an automatic name its number; for models. */
  rename(name: string): void {
    this.#name = name;
  }

  /**
   * The options that make an equal layer, as plain JSON. A subclass adds its own: { ...super.getConfig(), units }; its constructor, or
   * a static fromConfig, takes the result.
   */
  getConfig(): Config {
    const { inputShape, activityRegularizer } = this;
    return {
      name: this.#name,
      trainable: this.#trainable,
      ...(inputShape && { inputShape: [...inputShape] }),
      ...(activityRegularizer && { activityRegularizer: serialize(activityRegularizer) }),
    };
  }

  /** Shape of the output for one example. Throws SHAPE_MISMATCH for an input that the layer cannot take. */
  abstract computeOutputShape(inputShape: Shape): Shape;

  /** The layer's function, of ops. */
  abstract call(x: Computed, context: CallContext): Computed;

  /** Declares the weights for inputs of this shape. */
  protected declareWeights(_inputShape: Shape): void {}

  /** Checks the shape and declares the weights; again with the same shape it does nothing. */
  build(inputShape: Shape): void {
    this.computeOutputShape(inputShape);
    if (this.#built) return;
    this.declareWeights(inputShape);
    this.#built = [...inputShape];
  }

  /**
   * The layer applied to a batch: symbolic inside a traced function, computed at once on anything else.
   *
   * @param x [n, …shape of one example]
   */
  apply(x: Value, { training = false }: Partial<CallContext> = {}): Computed {
    const input = x instanceof SymbolicTensor ? x : asTensor(`layer "${this.#name}"`, x);
    if (input.shape.length === 0)
      throw new DownhillError('SHAPE_MISMATCH', `Layer "${this.#name}" expects a batch, [n, …]; received a scalar.`);
    this.build(input.shape.slice(1));
    if (!(input instanceof SymbolicTensor)) return this.call(input, { training });
    return this.#scoped(input.trace, () => this.#shown(this.call(input, { training })));
  }

  /** The layer applied to a batch of sparse rows [n, columns] in a traced function. Throws UNSUPPORTED. */
  applySparse(x: SymbolicSparse, context: CallContext): Computed | SymbolicSparse {
    this.build(x.shape.slice(1));
    return this.#scoped(x.indptr.trace, () => {
      const output = this.callSparse(x, context);
      return 'indptr' in output ? output : this.#shown(output);
    });
  }

  /** The layer's function of sparse rows, for layers that have one. */
  protected callSparse(_x: SymbolicSparse, _context: CallContext): Computed | SymbolicSparse {
    throw new DownhillError(
      'UNSUPPORTED',
      `Layer "${this.#name}" (${this.type}) cannot take sparse rows: only dense layers can, and dropout in front of them. Begin the ` +
        'model with one, or pass dense rows: x.toDense(), or x.batches(y) as batches.',
    );
  }

  #scoped<T>({ graph }: Trace, body: () => T): T {
    binding.graphScope(graph, this.#name);
    try {
      return body();
    } finally {
      binding.graphScope(graph, '');
    }
  }

  /** The output, as observers and the penalty have seen it. */
  #shown(output: Computed): Computed {
    const seen = observer && output instanceof SymbolicTensor ? observer(this, output) : output;
    if (this.activityRegularizer) penalizeActivity(this.#name, this.activityRegularizer, seen);
    return seen;
  }

  protected addWeight(
    name: string,
    shape: Shape,
    initializer: Initializer,
    regularizer: Regularizer | null = null,
    constraint: Constraint | null = null,
  ): Weight {
    const weight = new Weight(name, shape, initializer, regularizer, constraint, this);
    this.#weights.push(weight);
    return weight;
  }

  protected mismatch(expected: string, received: Shape): DownhillError {
    return new DownhillError(
      'SHAPE_MISMATCH',
      `Layer "${this.#name}" (${this.type}) expects ${expected}; received [${['n', ...received].join(', ')}].`,
    );
  }

  /** For layers whose weights fix the last axis. */
  protected checkFeatures(inputShape: Shape): void {
    const built = this.#built;
    if (built && built.at(-1) !== inputShape.at(-1))
      throw this.mismatch(`${built.at(-1)} features on the last axis, as when it was built`, inputShape);
  }
}
