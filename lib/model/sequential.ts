// A stack of layers.
import type { DType } from '../binding/native.js';
import { serialize } from '../config/registry.js';
import type { Config } from '../config/values.js';
import { DownhillError, show } from '../errors.js';
import { SymbolicSparse } from '../graph/sparse.js';
import { InputLayer } from '../layers/input.js';
import { type CallContext, type Computed, Layer } from '../layers/layer.js';
import { checkShape, Options } from '../options.js';
import { type Shape, sameShape, shapeText } from '../tensor/shape.js';
import { Model, type ModelOptions, type Precision } from './model.js';
import type { SummaryRow } from './summary.js';

interface SequentialConfig {
  name?: string;
  precision?: Precision;
  layers: readonly Layer[];
  inputShape?: readonly number[] | null;
}

export class Sequential extends Model {
  readonly #layers: Layer[] = [];
  #input: InputLayer | null = null;
  #inputShape: Shape | null = null;
  /** Of each layer. */
  #outputShapes: Shape[] = [];

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
    const read = new Options<SequentialConfig>('sequential', config, ['name', 'precision', 'layers', 'inputShape']);
    const { name, precision, inputShape } = read.raw;
    const net = new this(read.required('layers'), { name, precision });
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
    const layers = this.#input ? [this.#input, ...this.#layers] : this.#layers;
    return {
      name: this.name,
      precision: this.precision,
      layers: layers.map((layer) => serialize(layer)),
      inputShape: this.#inputShape && [...this.#inputShape],
    };
  }

  /** The layers, but for a leading layers.input. */
  get layers(): readonly Layer[] {
    return this.#layers;
  }

  get built(): boolean {
    return this.#inputShape !== null && this.#layers.length > 0;
  }

  get inputShape(): Shape {
    this.checkBuilt();
    return this.#inputShape!;
  }

  get inputDtype(): DType {
    return this.#input?.dtype ?? this.#layers[0]?.inputDtype ?? 'float32';
  }

  get outputShape(): Shape {
    this.checkBuilt();
    return this.#outputShapes.at(-1)!;
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
    this.changed();
    if (layer instanceof InputLayer) this.#begin(layer);
    else this.#append(layer);
  }

  override build(inputShape: Shape): void {
    const shape = checkShape('build: inputShape', inputShape, 1);
    if (this.#inputShape) return;
    const outputs: Shape[] = [];
    let current: Shape = shape;
    for (const layer of this.#layers) {
      layer.build(current);
      current = layer.computeOutputShape(current);
      outputs.push(current);
    }
    this.#inputShape = shape;
    this.#outputShapes = outputs;
  }

  override call(x: Computed | SymbolicSparse, context: CallContext): Computed {
    this.checkBuilt();
    let value = x;
    for (const layer of this.#layers)
      value = value instanceof SymbolicSparse ? layer.applySparse(value, context) : layer.apply(value, context);
    if (!(value instanceof SymbolicSparse)) return value;
    throw new DownhillError(
      'UNSUPPORTED',
      `The output of model "${this.name}" would be sparse rows. End it with a dense layer, or pass dense rows.`,
    );
  }

  protected override rows(): SummaryRow[] {
    return this.#layers.map((layer, i) => ({
      name: layer.name,
      type: layer.type,
      outputShape: this.#outputShapes[i],
      params: layer.weights.reduce((total, weight) => total + weight.size, 0),
    }));
  }

  #begin(layer: InputLayer): void {
    if (this.#layers.length > 0 || this.#input)
      throw new DownhillError('INVALID_ARGUMENT', 'sequential: layers.input must come first, and once only.');
    this.#input = layer;
    this.#inputShape = layer.inputShape;
  }

  #append(layer: Layer): void {
    const first = this.#layers.length === 0;
    const shape = first ? (this.#inputShape ?? layer.inputShape) : this.#inputShape && this.#outputShapes.at(-1)!;
    const name = this.#nameFor(layer);
    if (name !== layer.name) layer.rename(name);
    if (shape) {
      layer.build(shape);
      this.#outputShapes.push(layer.computeOutputShape(shape));
      if (first) this.#inputShape = shape;
    }
    this.#layers.push(layer);
  }

  /** Automatic names get _1, _2, …; chosen ones must differ. */
  #nameFor(layer: Layer): string {
    const taken = new Set(this.#layers.map((other) => other.name));
    if (!taken.has(layer.name)) return layer.name;
    if (layer.named)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `sequential: two layers are named "${layer.name}"; names must differ.`,
      );
    let i = 1;
    while (taken.has(`${layer.name}_${i}`)) i++;
    return `${layer.name}_${i}`;
  }
}

/**
 * A model whose layers follow one another.
 *
 * @param layers the first one with `inputShape`, or a leading layers.input; without either the model is built by its first data
 * @param options name, device, precision ('float32')
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
