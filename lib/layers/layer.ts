// What every layer is: options, weights, and a function of its input that can be traced.
import { binding } from '../binding/index.js';
import type { DType } from '../binding/native.js';
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
import { resolveRegularizer } from '../regularizers/resolve.js';
import { asTensor } from '../tensor/make.js';
import type { Shape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { penalizeActivity } from './activity.js';
import {
  contextOf,
  copyWith,
  givenMasks,
  type Mask,
  maskOf,
  masksOf,
  noMaskInGraphs,
  setMask,
  withMask,
} from './mask.js';
import { baseOf, type LayerOptions, layerOptions } from './layer-options.js';
import { nameApart } from './names.js';
import { observed } from './observe.js';
import { connect, type LayerOutput, layerOutputs, type OneOrMore, shapesOf } from './output.js';
import { Place } from './place.js';
import { Weight } from './weight.js';

export { type LayerOptions, layerOptions } from './layer-options.js';

/** A value that ops give: symbolic while tracing, a Tensor otherwise. */
export type Computed = Result;

export interface CallContext {
  /** Whether this is a training step: dropout drops. */
  training: boolean;
  /**
   * Which time steps of the input count, 1 or 0, [n, steps]; null: all, whatever the input brings. A list with one for each where a layer takes several. By
   * default what the input brings with it from the layer that made it.
   */
  mask?: OneOrMore<Mask>;
}

/** The scope of the graph's nodes: names of the layers being applied. */
let scope = '';

/**
 * Base of the layers, and of your own. Shapes here are those of one example, without the batch.
 *
 * A subclass gives `type` (its name in summary()), `computeOutputShape`, and `call`, of ops; one with weights makes them in `declareWeights`, by
 * `addWeight`. One that takes several inputs says `severalInputs = true` and receives lists: of shapes, and of values. `getConfig` adds its options.
 *
 * @example
 * class Gate extends layers.Layer {
 *   readonly type = 'Gate';
 *   override readonly severalInputs = true;
 *   #strength;
 *   constructor(options) { super('gate', options); }
 *   computeOutputShape([x]) { return x; }
 *   declareWeights([x]) { this.#strength = this.addWeight('strength', [x.at(-1)], initializers.ones()); }
 *   call([x, gate]) { return ops.mul(x, ops.sigmoid(ops.mul(gate, this.#strength.variable))); }
 * }
 */
export abstract class Layer {
  /** Keras's name of the class, as in summary(): "Dense". */
  abstract readonly type: string;
  /** Whether it takes a list of inputs; false: one. */
  readonly severalInputs: boolean = false;
  /** Whether what it gives has a mask, that of its input unless `computeMask` says otherwise; by default if it has a computeMask. */
  readonly supportsMasking: boolean = this.computeMask !== Layer.prototype.computeMask;
  /** The user chose the name; otherwise a model may append a number. */
  readonly named: boolean;
  /** @internal */
  readonly place: Place;
  /** Whether training computes again for the backward pass what the layer makes. */
  readonly recompute: boolean;
  readonly activityRegularizer: Regularizer | null;
  readonly #inputShape: Shape | null;
  readonly #weights: Weight[] = [];
  readonly #inner: Layer[] = [];
  #name: string;
  #trainable: boolean;
  #built: OneOrMore<Shape> | null = null;

  /** `options`: those that all layers have; a subclass checks its own. */
  constructor(kind: string, options: Options<LayerOptions> | LayerOptions = {}) {
    const read = options instanceof Options ? options : layerOptions(kind, baseOf(options), []);
    this.place = new Place(this, kind);
    this.named = read.has('name');
    this.#name = read.text('name', kind);
    this.#inputShape = read.has('inputShape') ? read.shape('inputShape', undefined, 1) : null;
    this.#trainable = read.flag('trainable', true);
    this.recompute = read.flag('recompute', false);
    this.activityRegularizer = resolveRegularizer(read.what('activityRegularizer'), read.raw.activityRegularizer);
  }

  get name(): string {
    return this.#name;
  }

  /** As its options state it. */
  get inputShape(): Shape | null {
    return this.#inputShape;
  }

  get trainable(): boolean {
    return this.#trainable;
  }

  /** As in Keras, takes effect at the next compile(); that of a model is that of all its layers. */
  set trainable(value: boolean) {
    this.#trainable = checkFlag(`layer "${this.#name}": trainable`, value);
    for (const layer of this.innerLayers) layer.trainable = value;
  }

  /** Its own flag alone: what a config says of a model, whose layers have theirs. @internal */
  markTrainable(value: boolean): void {
    this.#trainable = value;
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
    return this.declaredWeights;
  }

  /** Without those of the layers in it. @internal */
  get ownWeights(): readonly Weight[] {
    return this.#weights;
  }

  /** Its own and those of the layers in it, each once, wherever they live or will. @internal */
  get declaredWeights(): readonly Weight[] {
    return [...new Set([...this.#weights, ...this.innerLayers.flatMap((layer) => layer.declaredWeights)])];
  }

  /** Layers whose weights are its own: those of a model, or that addLayer was given. @internal */
  get innerLayers(): readonly Layer[] {
    return this.#inner;
  }

  /** Whether calls of it may have several inputs. @internal */
  get takesSeveral(): boolean {
    return this.severalInputs;
  }

  /**
   * What it gives where it is applied to symbolic values, or in a sequential model, for models that end there. Throws INVALID_ARGUMENT unless that is
   * one place and one value.
   */
  get output(): LayerOutput {
    const outputs = this.place.called().flatMap((call) => call.outputs);
    if (outputs.length === 1) return outputs[0];
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `Layer "${this.#name}" has ${outputs.length} symbolic outputs, not one: keep what apply() gives.`,
    );
  }

  /** Takes over the seed that getConfig() of an equal layer gave; for layers that draw while they train. */
  restoreSeed?(seed: number): void;

  /** Gives an automatic name its number; for models. */
  rename(name: string): void {
    this.#name = name;
    this.place.renamed();
  }

  /** Its name, behind those of the models that it is in where they are layers of others: "encoder/dense". */
  get path(): string {
    return `${this.place.scope}${this.#name}`;
  }

  /**
   * The options that make an equal layer, as plain JSON. A subclass adds its own: { ...super.getConfig(), units }; its constructor, or
   * a static fromConfig, takes the result.
   */
  getConfig(): Config {
    const { inputShape, recompute, activityRegularizer } = this;
    return {
      name: this.#name,
      trainable: this.#trainable,
      ...(recompute && { recompute }),
      ...(inputShape && { inputShape: [...inputShape] }),
      ...(activityRegularizer && { activityRegularizer: serialize(activityRegularizer) }),
    };
  }

  /**
   * Shape of the output for one example, or of several outputs; of inputs of these dtypes, where it depends on them. Throws SHAPE_MISMATCH for an input
   * that the layer cannot take.
   */
  abstract computeOutputShape(inputShape: OneOrMore<Shape>, inputDtypes?: readonly DType[]): OneOrMore<Shape>;

  /** dtype of the output for inputs of these, 'float32' unless a subclass says otherwise. */
  computeOutputDtype(_inputDtypes: readonly DType[], _inputShape?: OneOrMore<Shape>): OneOrMore<DType> {
    return 'float32';
  }

  /** The layer's function, of ops: of a batch, or of a list of them where it takes several. */
  abstract call(x: OneOrMore<Computed>, context: CallContext): OneOrMore<Computed>;

  /**
   * The mask of what it gives, or a list of them for several outputs, from inputs and their masks, each one or a list. Called for layers that support
   * masking.
   */
  computeMask(_x: OneOrMore<Computed>, mask: OneOrMore<Mask>): OneOrMore<Mask> {
    return mask;
  }

  /** Declares the weights for inputs of this shape. */
  protected declareWeights(_inputShape: OneOrMore<Shape>): void {}

  /** Checks the shape and declares the weights; again with the same shape it does nothing. */
  build(inputShape: OneOrMore<Shape>, inputDtypes?: readonly DType[]): void {
    this.computeOutputShape(inputShape, inputDtypes);
    if (this.#built) return;
    this.declareWeights(inputShape);
    this.#built = [...inputShape] as OneOrMore<Shape>;
  }

  /**
   * The layer applied to a batch: symbolic inside a traced function, computed at once on anything else. On symbolic values of layers, what `input` and
   * other layers give, it becomes part of the graph that `model` takes.
   *
   * @param x [n, …shape of one example], or a list of them for a layer that takes several
   * @param context training: whether it behaves as in training; in a graph, where it is not left to the model. mask: of values; by default the one that
   *   they bring
   */
  apply<T extends OneOrMore<LayerOutput> = LayerOutput>(x: OneOrMore<LayerOutput>, context?: Partial<CallContext>): T;
  apply(x: OneOrMore<Value>, context?: Partial<CallContext>): Computed;
  apply(x: OneOrMore<Value | LayerOutput>, context: Partial<CallContext> = {}): unknown {
    const symbols = layerOutputs(`layer "${this.#name}"`, x);
    if (symbols) {
      this.#checkCount(symbols.length);
      noMaskInGraphs(this.#name, context);
      const outputs = connect(this, symbols, context.training);
      return outputs.length === 1 ? outputs[0] : outputs;
    }
    const outputs = this.applyEach(this.#inputsOf(x), { training: false, ...context });
    return outputs.length === 1 ? outputs[0] : outputs;
  }

  /** apply() of a list of values, to a list. @internal */
  applyEach(given: readonly (SymbolicTensor | Tensor)[], context: CallContext): readonly Computed[] {
    this.#checkCount(given.length);
    if (given.some(({ shape }) => shape.length === 0))
      throw new DownhillError('SHAPE_MISMATCH', `Layer "${this.#name}" expects a batch, [n, …]; received a scalar.`);
    const shapes = given.map(({ shape }) => shape.slice(1));
    const several = this.severalInputs || given.length > 1;
    this.build(
      several ? shapes : shapes[0],
      given.map(({ dtype }) => dtype),
    );
    const masksGiven = givenMasks(`layer "${this.#name}"`, context, given);
    const inputs = given.map((input, i) => withMask(input, masksGiven[i]));
    const masks = inputs.map(maskOf);
    const [x, mask] = several ? [inputs, masks] : [inputs[0]!, masks[0]!];
    const call = () => [this.call(x, contextOf(context.training, mask))].flat() as Computed[];
    const symbolic = inputs.find((input) => input instanceof SymbolicTensor);
    if (!symbolic) return this.#masked(call(), inputs, x, mask);
    return this.#scoped(symbolic.trace, () =>
      this.#masked(
        call().map((output) => this.#shown(output)),
        inputs,
        x,
        mask,
      ),
    );
  }

  /** An input that is given back is marked as the output alone, not for others that read it. */
  #masked(
    outputs: readonly Computed[],
    inputs: readonly Computed[],
    x: OneOrMore<Computed>,
    mask: OneOrMore<Mask>,
  ): readonly Computed[] {
    const makes = this.supportsMasking && this.computeMask !== Layer.prototype.computeMask;
    if (!makes && [...masksOf(mask), ...inputs.map(maskOf)].every((one) => one === null)) return outputs;
    const masks = this.supportsMasking ? masksOf(this.computeMask(x, mask)) : [];
    return outputs.map((output, i) => {
      const own = masks[i] ?? null;
      if (inputs.includes(output)) return maskOf(output) === own ? output : copyWith(output, own);
      setMask(output, own);
      return output;
    });
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

  #inputsOf(x: OneOrMore<Value | LayerOutput>): (SymbolicTensor | Tensor)[] {
    const several =
      Array.isArray(x) &&
      (this.severalInputs || x.some((item) => item instanceof SymbolicTensor || item instanceof Tensor));
    const values = several ? x : [x];
    return values.map((value) =>
      value instanceof SymbolicTensor ? value : asTensor(`layer "${this.#name}"`, value as Value),
    );
  }

  #checkCount(count: number): void {
    if (this.takesSeveral ? count > 0 : count === 1) return;
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `Layer "${this.#name}" (${this.type}) takes ${this.severalInputs ? 'a list of inputs' : 'one input'}; received ${count}.`,
    );
  }

  #scoped<T>(trace: Trace, body: () => T): T {
    const { graph } = trace;
    const outer = scope;
    scope = this.path;
    binding.graphScope(graph, scope);
    try {
      return trace.unit(this.recompute, body);
    } finally {
      scope = outer;
      binding.graphScope(graph, scope);
    }
  }

  /** The output, as observers and the penalty have seen it. */
  #shown(output: Computed): Computed {
    const seen = observed(this, output);
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

  /**
   * A weight that no optimizer changes: `call` writes it while it trains, by `variable.assign`; it is saved, loaded and counted like others, and each step
   * of a fit writes it natively.
   */
  protected addState(name: string, shape: Shape, initializer: Initializer): Weight {
    const state = new Weight(name, shape, initializer, null, null, this, false);
    this.#weights.push(state);
    return state;
  }

  /** A layer that `declareWeights` builds and `call` applies: its weights count as this one's, behind its name. */
  protected addLayer<T extends Layer>(layer: T): T {
    nameApart(`layer "${this.#name}"`, layer, this.#inner);
    this.#inner.push(layer);
    layer.place.enter(`${this.path}/`);
    return layer;
  }

  protected mismatch(expected: string, received: OneOrMore<Shape>): DownhillError {
    const text = shapesOf(received).map((shape) => `[${['n', ...shape].join(', ')}]`);
    return new DownhillError(
      'SHAPE_MISMATCH',
      `Layer "${this.#name}" (${this.type}) expects ${expected}; received ${text.join(' and ')}.`,
    );
  }

  /** For layers whose weights fix the last axis. */
  protected checkFeatures(inputShape: Shape): void {
    const features = this.#built?.at(-1);
    if (this.#built && features !== inputShape.at(-1))
      throw this.mismatch(`${features} features on the last axis, as when it was built`, inputShape);
  }
}
