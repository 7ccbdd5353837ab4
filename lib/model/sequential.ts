// A stack of layers.
import type { DType } from '../binding/native.js';
import { serialize } from '../config/registry.js';
import type { Config } from '../config/values.js';
import { DownhillError, show } from '../errors.js';
import { SymbolicSparse } from '../graph/sparse.js';
import { InputLayer } from '../layers/core/input.js';
import { type CallContext, type Computed, Layer } from '../layers/layer.js';
import { connect, type LayerOutput, type OneOrMore, shapesOf } from '../layers/output.js';
import { checkShape, Options } from '../options.js';
import { type Shape, sameShape, shapeText } from '../tensor/shape.js';
import { checkNoneTwice } from './functional-config.js';
import { Model, type ModelOptions, type Precision } from './model.js';
import { nameApart } from '../layers/names.js';
import { livePort, type Port, Ports } from './ports.js';
import type { SummaryRow } from './summary.js';

interface SequentialConfig {
  name?: string;
  precision?: Precision;
  recompute?: boolean;
  /** Left out where it is true. */
  trainable?: boolean;
  layers: readonly Layer[];
  inputShape?: readonly number[] | null;
}

type Output = Pick<Port, 'shape' | 'dtype'>;

export class Sequential extends Model {
  override readonly type = 'Sequential';
  readonly #layers: Layer[] = [];
  #input: InputLayer | null = null;
  /** Null until they are asked for; again when layers or shapes change. */
  #ports: { inputs: Ports; outputs: Ports } | null = null;
  #inputShape: Shape | null = null;
  /** Of each layer. */
  #outputs: Output[] = [];
  /** Symbolic values, made when they are asked for: the input, and what each layer gives. */
  #start: LayerOutput | null = null;
  readonly #chain: LayerOutput[] = [];

  constructor(layers: readonly Layer[] = [], options?: ModelOptions) {
    super('sequential', options);
    if (!Array.isArray(layers))
      throw new DownhillError('INVALID_ARGUMENT', `sequential takes a list of layers; received ${show(layers)}.`);
    for (const layer of layers) this.add(layer);
  }

  /** The model of a config whose layers have been made. */
  static fromConfig<T extends Sequential>(
    this: new (
      layers: readonly Layer[],
      options: ModelOptions,
    ) => T,
    config: SequentialConfig,
  ): T {
    const read = new Options<SequentialConfig>('sequential', config, [
      'name',
      'precision',
      'recompute',
      'trainable',
      'layers',
      'inputShape',
    ]);
    const { name, precision, recompute, inputShape } = read.raw;
    const net = new this(read.required('layers'), { name, precision, recompute });
    if (!read.flag('trainable', true)) net.markTrainable(false);
    if (inputShape === undefined || inputShape === null) return net;
    net.build(inputShape);
    if (net.built && !sameShape(net.inputShape, inputShape))
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `sequential: inputShape must be what the layers state, ${shapeText(net.inputShape)}; received ${shapeText(inputShape)}.`,
      );
    return net;
  }

  override getConfig(): Config {
    checkNoneTwice(this);
    const layers = this.#input ? [this.#input, ...this.#layers] : this.#layers;
    return {
      name: this.name,
      precision: this.precision,
      ...(this.recompute && { recompute: true }),
      ...(!this.trainable && { trainable: false }),
      layers: layers.map((layer) => serialize(layer)),
      inputShape: this.#inputShape && [...this.#inputShape],
    };
  }

  /** The layers, but for a leading layers.input. */
  get layers(): readonly Layer[] {
    return this.#layers;
  }

  override get built(): boolean {
    return this.#inputShape !== null && this.#layers.length > 0;
  }

  override get inputPorts(): Ports {
    this.#ports ??= this.#makePorts();
    return this.#ports.inputs;
  }

  override get outputPorts(): Ports {
    this.#ports ??= this.#makePorts();
    return this.#ports.outputs;
  }

  /** The input as a symbolic value, in a list: for models of these layers by model({ inputs, outputs }). Throws NOT_BUILT. */
  override get inputs(): readonly LayerOutput[] {
    this.checkBuilt();
    if (!this.#start) {
      const [{ shape, dtype }] = this.inputPorts.all;
      this.#start = (this.#input ?? new InputLayer({ shape, dtype })).output;
    }
    return [this.#start];
  }

  /** What the last layer gives, as a symbolic value in a list. Throws NOT_BUILT. */
  override get outputs(): readonly LayerOutput[] {
    let [value] = this.inputs;
    this.#layers.forEach((layer, i) => {
      this.#chain[i] ??= connect(layer, [value], undefined)[0];
      value = this.#chain[i];
    });
    return [value];
  }

  #makePorts(): { inputs: Ports; outputs: Ports } {
    const first = this.#input ?? this.#layers[0];
    const last = this.#layers.at(-1);
    const { shape, dtype } = this.#outputs.at(-1) ?? { shape: [], dtype: 'float32' as const };
    const begin = { shape: this.#inputShape ?? [], dtype: inputDtypeOf(first) };
    const input = livePort(() => this.#input?.name ?? 'input', begin);
    const output = livePort(() => last?.name ?? 'output', { shape, dtype });
    return { inputs: new Ports('input', 'one', [input]), outputs: new Ports('output', 'one', [output]) };
  }

  /**
   * Appends a layer; the weights of the others stay.
   *
   * @throws SHAPE_MISMATCH when it cannot take the output of the last one, INVALID_ARGUMENT for a name that is taken
   */
  add(layer: Layer): void {
    if (!(layer instanceof Layer))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `sequential: item ${this.#layers.length} must be a layer, e.g. layers.dense({ units: 10 }); received ${show(layer)}.`,
      );
    if (this.#layers.includes(layer))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `sequential: the layer "${layer.name}" is in the model already. Make a new one.`,
      );
    if (this.place.owned && this.built)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `sequential: the model "${this.name}" is a layer of another one, which it fits as it is. Add to it before.`,
      );
    this.changed();
    this.#ports = null;
    if (layer instanceof InputLayer) this.#begin(layer);
    else this.#append(layer);
  }

  override build(inputShape: Shape): void {
    const shape = checkShape('build: inputShape', inputShape, 1);
    if (this.#inputShape) return;
    const outputs: Output[] = [];
    for (const layer of this.#layers)
      outputs.push(this.#grow(layer, outputs.at(-1) ?? { shape, dtype: this.inputPorts.all[0].dtype }));
    this.#inputShape = shape;
    this.#outputs = outputs;
    this.#ports = null;
  }

  override computeOutputShape(inputShape: OneOrMore<Shape>, inputDtypes?: readonly DType[]): Shape {
    const [shape, ...more] = shapesOf(inputShape);
    if (more.length > 0) throw this.mismatch('one input', inputShape);
    if (this.#inputShape && !sameShape(shape, this.#inputShape))
      throw this.mismatch(`[${['n', ...this.#inputShape].join(', ')}]`, shape);
    return this.#end(shape, inputDtypes).shape;
  }

  override computeOutputDtype(inputDtypes: readonly DType[], inputShape?: OneOrMore<Shape>): OneOrMore<DType> {
    const [shape] = inputShape ? shapesOf(inputShape) : [this.#inputShape];
    if (shape) return this.#end(shape, inputDtypes).dtype;
    return this.#layers.reduce((dtypes, layer) => [layer.computeOutputDtype(dtypes)].flat(), [...inputDtypes]);
  }

  /** What the last layer gives for an input of this shape and dtype. */
  #end(shape: Shape, [dtype = this.inputPorts.all[0].dtype]: readonly DType[] = []): Output {
    return this.#layers.reduce<Output>(
      (current, layer) => ({
        shape: layer.computeOutputShape(current.shape, [current.dtype]) as Shape,
        dtype: [layer.computeOutputDtype([current.dtype], current.shape)].flat()[0],
      }),
      { shape, dtype },
    );
  }

  override run([x]: readonly (Computed | SymbolicSparse)[], context: CallContext): readonly Computed[] {
    this.checkBuilt();
    let value = x;
    for (const layer of this.#layers)
      value =
        value instanceof SymbolicSparse ? layer.applySparse(value, context) : layer.applyEach([value], context)[0];
    return [this.dense(this.outputPorts.all[0].name, value)];
  }

  protected override rows(): SummaryRow[] {
    return this.#layers.map((layer, i) => ({
      name: layer.name,
      type: layer.type,
      outputShapes: [this.#outputs[i].shape],
      params: layer.declaredWeights.reduce((total, weight) => total + weight.size, 0),
    }));
  }

  #begin(layer: InputLayer): void {
    if (this.#layers.length > 0 || this.#input)
      throw new DownhillError('INVALID_ARGUMENT', 'sequential: layers.input must come first, and once only.');
    this.#input = layer;
    this.#inputShape = layer.inputShape;
  }

  #append(layer: Layer): void {
    if (layer.severalInputs || (layer instanceof Model && layer.inputPorts.all.length > 1))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `sequential: the layer "${layer.name}" (${layer.type}) takes several inputs. Connect it by apply() and model({ inputs, outputs }).`,
      );
    const first = this.#layers.length === 0;
    const stated = layer instanceof Model ? (layer.built ? layer.inputShape : null) : layer.inputShape;
    const shape = first ? (this.#inputShape ?? stated) : this.#inputShape;
    nameApart('sequential', layer, this.#layers);
    if (shape) {
      const dtype = inputDtypeOf(this.#input ?? layer);
      this.#outputs.push(this.#grow(layer, this.#outputs.at(-1) ?? { shape, dtype }));
      if (first) this.#inputShape = shape;
    }
    this.#layers.push(layer);
    this.adopt(layer, () => void this.outputs);
  }

  /** Builds a layer for what the one before it gives; its own output. */
  #grow(layer: Layer, { shape, dtype }: Output): Output {
    layer.build(shape, [dtype]);
    const outputs = shapesOf(layer.computeOutputShape(shape, [dtype]));
    if (outputs.length > 1)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `sequential: the layer "${layer.name}" (${layer.type}) has ${outputs.length} outputs. Connect it by apply() and model({ inputs, outputs }).`,
      );
    return { shape: outputs[0], dtype: [layer.computeOutputDtype([dtype], shape)].flat()[0] };
  }
}

/** Of a model that begins with this layer. */
function inputDtypeOf(first: Layer | undefined): DType {
  return first instanceof InputLayer ? first.dtype : (first?.inputDtype ?? 'float32');
}

/**
 * A model whose layers follow one another.
 *
 * @param layers the first one with `inputShape`, or a leading layers.input; without either the model is built by its first data
 * @param options name, device, precision ('float32'), recompute (false)
 * @throws SHAPE_MISMATCH when layers do not fit together
 * @example
 * const net = sequential([
 *   layers.dense({ units: 32, activation: 'sigmoid', inputShape: [784] }),
 *   layers.dense({ units: 10, activation: 'softmax' }),
 * ]);
 */
export function sequential(layers: readonly Layer[] = [], options?: ModelOptions): Sequential {
  return new Sequential(layers, options);
}
