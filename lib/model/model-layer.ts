// What a model is as a layer: layers between inputs and outputs, their weights, and the function that they are.
import type { DType } from '../binding/native.js';
import { type Serialized, serialize } from '../config/registry.js';
import type { Config } from '../config/values.js';
import { DownhillError, show, unknownName } from '../errors.js';
import { SymbolicSparse } from '../graph/sparse.js';
import { SymbolicTensor } from '../graph/symbolic.js';
import type { Trace, Value } from '../graph/trace.js';
import { type CallContext, type Computed, Layer } from '../layers/layer.js';
import { givenMasks, noMaskInGraphs, withMask } from '../layers/mask.js';
import { connect, type LayerOutput, layerOutputs, type OneOrMore } from '../layers/output.js';
import { placeWeights, type Weight } from '../layers/weight.js';
import { checkFunction } from '../options.js';
import type { TensorLike } from '../tensor/convert.js';
import { asTensor } from '../tensor/make.js';
import { type Shape, sizeOf } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Variable } from '../tensor/variable.js';
import type { ByPort, Packed, Ports } from './ports.js';
import { type SummaryRow, summaryText } from './summary.js';
import { copyWeights, writeWeights } from './weights.js';

/** Base of the models but for their training. */
export abstract class ModelLayer extends Layer {
  #released = false;

  abstract readonly layers: readonly Layer[];
  abstract override get built(): boolean;
  /** Symbolic, for models of these layers by model({ inputs, outputs }). Throws NOT_BUILT. */
  abstract get inputs(): readonly LayerOutput[];
  abstract get outputs(): readonly LayerOutput[];
  /** @internal */
  abstract readonly inputPorts: Ports;
  /** @internal */
  abstract readonly outputPorts: Ports;

  /** Shape of one example, without the batch; throws NOT_BUILT, and UNSUPPORTED where there are several inputs. */
  override get inputShape(): Shape {
    this.checkBuilt();
    return this.inputPorts.only(this.name).shape;
  }

  override get inputDtype(): DType {
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
    const outputs = this.applyEach([x].flat() as Computed[], context);
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

  /** Copies of the weights in Keras's order; of one finished step also during a fit. */
  getWeights(): Tensor[] {
    this.checkAlive();
    return copyWeights(this.weights);
  }

  /**
   * Overwrites the weights, in the order of getWeights().
   *
   * @param values Tensors, typed arrays or nested arrays
   * @throws SHAPE_MISMATCH, and then nothing has changed
   */
  setWeights(values: readonly TensorLike[]): void {
    this.checkAlive();
    writeWeights(this.weights, values);
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
  override apply(x: unknown, context: Partial<CallContext> = {}): unknown {
    this.checkAlive();
    const what = `model "${this.name}"`;
    const given = this.inputPorts.spread(what, x);
    const symbols = layerOutputs(what, given);
    if (symbols) noMaskInGraphs(this.name, context);
    if (symbols) return this.outputPorts.pack(connect(this, symbols, context.training));
    const inputs = given.map((value, i) =>
      value instanceof SymbolicTensor
        ? value
        : asTensor(what, value, this.built ? this.inputPorts.all[i].dtype : undefined),
    );
    return this.outputPorts.pack(this.applyEach(inputs, { training: false, ...context }));
  }

  override applyEach(inputs: readonly (SymbolicTensor | Tensor)[], context: CallContext): readonly Computed[] {
    if (!this.built) this.build(inputs[0].shape.slice(1));
    const symbolic = inputs.find((input) => input instanceof SymbolicTensor);
    const masks = givenMasks(`model "${this.name}"`, context, inputs);
    const masked = inputs.map((input, i) => withMask(input, masks[i]));
    return this.asRegion(symbolic?.trace, () => this.run(masked, { training: context.training }));
  }

  /** What `body` adds is computed again together, where this model says so as a layer. */
  protected asRegion<T>(trace: Trace | undefined, body: () => T): T {
    return this.recompute && trace ? trace.unit(true, body) : body();
  }

  override applySparse(x: SymbolicSparse, context: CallContext): Computed {
    return this.asRegion(x.indptr.trace, () => this.run([x], context)[0]);
  }

  /** The value of an output. Throws UNSUPPORTED for sparse rows. */
  protected dense(output: string, value: Computed | SymbolicSparse): Computed {
    if (!(value instanceof SymbolicSparse)) return value;
    throw new DownhillError(
      'UNSUPPORTED',
      `The output "${output}" of model "${this.name}" would be sparse rows. End it with a dense layer, or pass dense rows.`,
    );
  }

  /** A layer of this model: its weights are named so. */
  protected adopt(layer: Layer, stack: (() => void) | null = null): void {
    layer.place.join(stack);
    layer.place.enter(this.place.owned ? `${this.path}/` : '');
  }

  /** Once: the weights of layers that no other model has go. */
  protected release(): void {
    if (this.#released) return;
    this.#released = true;
    for (const layer of this.layers) {
      // A model keeps its layers until it is disposed of itself.
      if (!layer.place.leave() || layer instanceof ModelLayer) continue;
      for (const weight of layer.declaredWeights) if (weight.placed) weight.variable.dispose();
    }
  }

  protected checkBuilt(): void {
    if (this.built) return;
    throw new DownhillError(
      'NOT_BUILT',
      `The model "${this.name}" has no input shape yet, so it has no weights. Give inputShape to its first layer, begin with ` +
        'layers.input({ shape }), or call net.build(inputShape).',
    );
  }

  /** Throws DISPOSED. */
  protected abstract checkAlive(): void;
}
