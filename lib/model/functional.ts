// A graph of layers.
import type { DType } from '../binding/native.js';
import { serialize } from '../config/registry.js';
import type { Config } from '../config/values.js';
import { DownhillError } from '../errors.js';
import { SymbolicSparse } from '../graph/sparse.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import type { Value } from '../graph/trace.js';
import { InputLayer } from '../layers/core/input.js';
import type { CallContext, Computed, Layer } from '../layers/layer.js';
import { type LayerCall, type LayerOutput, type OneOrMore, shapesOf } from '../layers/output.js';
import { Options } from '../options.js';
import type { TensorLike } from '../tensor/convert.js';
import { type Shape, sameShape, shapeText } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { InputLike } from '../training/columns.js';
import type { PredictOptions } from '../training/predict.js';
import { callIndices, checkNoneTwice, type FunctionalConfig, graphConfig, structureOf } from './functional-config.js';
import { graphBetween } from './graph.js';
import { Model, type ModelOptions } from './model.js';
import { nameAllApart } from '../layers/names.js';
import { type ByPort, type Form, livePort, type Packed, Ports } from './ports.js';
import type { SummaryRow } from './summary.js';

/** Symbolic values: one, a list, or an object by name. */
export type LayerOutputs = LayerOutput | readonly LayerOutput[] | Readonly<Record<string, LayerOutput>>;

/** A value for each output, in the form in which the model was given them; of outputs of an unknown form: one. */
export type Formed<O extends LayerOutputs, V> = [LayerOutputs] extends [O]
  ? V
  : O extends LayerOutput
    ? V
    : { -readonly [K in keyof O]: V };

export interface FunctionalOptions<O extends LayerOutputs = LayerOutputs> extends ModelOptions {
  /** What `input` gave, or any other symbolic values of layers, which then stand for inputs. */
  inputs: LayerOutputs;
  outputs: O;
}

/** A model of the layers between inputs and outputs; `O`: the form of the outputs. */
export class Functional<O extends LayerOutputs = LayerOutputs> extends Model {
  override readonly type = 'Functional';
  /** Symbolic, in order; of an object in the order of its sorted keys, as in Keras. */
  override readonly inputs: readonly LayerOutput[];
  override readonly outputs: readonly LayerOutput[];
  /** Each once, in Keras's order: by depth, with the input layers. */
  readonly layers: readonly Layer[];
  /** @internal */
  override readonly inputPorts: Ports;
  /** @internal */
  override readonly outputPorts: Ports;
  readonly #calls: readonly LayerCall[];
  readonly #depths: ReadonlyMap<LayerCall, number>;
  /** Input layers that stand for inputs which other layers give. */
  readonly #stands: ReadonlyMap<LayerOutput, LayerOutput>;

  constructor(options: FunctionalOptions<O>) {
    const read = new Options<FunctionalOptions<O>>('model', options, [
      'inputs',
      'outputs',
      'name',
      'device',
      'precision',
      'recompute',
    ]);
    const { name, device, precision, recompute } = read.raw;
    super('functional', { name, device, precision, recompute });
    const inputs = structureOf(read.what('inputs'), read.required('inputs'));
    const outputs = structureOf(read.what('outputs'), read.required('outputs'));
    const twice = inputs.values.find((value, i) => inputs.values.indexOf(value) < i);
    if (twice) throw new DownhillError('INVALID_ARGUMENT', `model: inputs has ${twice} twice.`);
    const { calls, layers, depths } = graphBetween('model', inputs.values, outputs.values);
    const foreign = inputs.values.filter(({ layer }) => !(layer instanceof InputLayer));
    this.#stands = new Map(
      foreign.map((value): [LayerOutput, LayerOutput] => {
        const { shape, dtype } = value;
        const label = value.call.outputs.length > 1 ? `${value.name}_${value.index}_input` : `${value.name}_input`;
        return [value, new InputLayer({ shape, dtype, name: label }).output];
      }),
    );
    this.inputs = inputs.values.map((value) => this.#stands.get(value) ?? value);
    this.outputs = outputs.values;
    this.#calls = calls;
    this.#depths = depths;
    this.layers = [...[...this.#stands.values()].map(({ layer }) => layer), ...layers];
    nameAllApart('model', this.layers);
    for (const layer of this.layers) this.adopt(layer);
    this.inputPorts = portsOf('input', inputs, this.inputs);
    this.outputPorts = portsOf('output', outputs, this.outputs);
  }

  /** The model of a config whose layers have been made. */
  static fromConfig(config: FunctionalConfig): Functional {
    const net = new Functional(graphConfig.read(config));
    if (config.trainable === false) net.markTrainable(false);
    return net;
  }

  override getConfig(): Config {
    checkNoneTwice(this);
    const { inputPorts, outputPorts } = this;
    return {
      name: this.name,
      precision: this.precision,
      ...(this.recompute && { recompute: true }),
      ...(!this.trainable && { trainable: false }),
      layers: this.layers.map((layer) => serialize(layer)),
      ...graphConfig.write(this.#calls, {
        inputs: inputPorts.pack(this.inputs),
        outputs: outputPorts.pack(this.outputs.map((value) => this.#stands.get(value) ?? value)),
        stands: this.#stands,
      }),
    };
  }

  override get built(): boolean {
    return true;
  }

  override build(inputShape: OneOrMore<Shape>): void {
    this.computeOutputShape(inputShape);
  }

  override computeOutputShape(inputShape: OneOrMore<Shape>): OneOrMore<Shape> {
    const shapes = shapesOf(inputShape);
    const wanted = this.inputPorts.all;
    if (shapes.length !== wanted.length || shapes.some((shape, i) => !sameShape(shape, wanted[i].shape)))
      throw this.mismatch(
        wanted.map(({ name, shape }) => `"${name}" [${['n', ...shape].join(', ')}]`).join(' and '),
        inputShape,
      );
    const outputs = this.outputs.map(({ shape }) => shape);
    return outputs.length === 1 ? outputs[0] : outputs;
  }

  override computeOutputDtype(): OneOrMore<DType> {
    return this.outputs.map(({ dtype }) => dtype);
  }

  override run(inputs: readonly (Computed | SymbolicSparse)[], context: CallContext): readonly Computed[] {
    const values = new Map<LayerOutput, Computed | SymbolicSparse>();
    inputs.forEach((value, i) => {
      const { name, shape } = this.inputPorts.all[i];
      if (value.shape.length === 0 || !sameShape(value.shape.slice(1), shape))
        throw new DownhillError(
          'SHAPE_MISMATCH',
          `model "${this.name}": the input "${name}" must have shape [${['n', ...shape].join(', ')}]; received ${shapeText(value.shape)}.`,
        );
      values.set(this.inputs[i], value);
    });
    for (const [value, stand] of this.#stands) values.set(value, values.get(stand)!);
    for (const call of this.#calls) {
      const given = call.inputs.map((input) => values.get(input)!);
      const results = applied(call.layer, given, { ...context, training: call.training ?? context.training });
      call.outputs.forEach((output, i) => {
        values.set(output, results[i]);
      });
    }
    return this.outputs.map((output) => this.dense(output.name, values.get(output)!));
  }

  override apply<T extends Packed<LayerOutput> = Formed<O, LayerOutput>>(
    x: ByPort<LayerOutput>,
    context?: Partial<CallContext>,
  ): T;
  override apply<T extends Packed<SymbolicTensor> = Formed<O, SymbolicTensor>>(
    x: ByPort<SymbolicTensor>,
    context?: Partial<CallContext>,
  ): T;
  override apply<T extends Packed<Tensor> = Formed<O, Tensor>>(
    x: ByPort<TensorLike>,
    context?: Partial<CallContext>,
  ): T;
  override apply<T extends Packed<Computed> = Formed<O, Computed>>(x: ByPort<Value>, context?: Partial<CallContext>): T;
  override apply(x: never, context?: Partial<CallContext>): never {
    return super.apply(x, context);
  }

  override predict<T extends Packed<Tensor> = Formed<O, Tensor>>(
    x: ByPort<InputLike>,
    options?: PredictOptions,
  ): Promise<T> {
    return super.predict<T>(x, options);
  }

  protected override rows(): SummaryRow[] {
    const indices = callIndices(this.#calls);
    const place = (value: LayerOutput) => {
      const known = this.#stands.get(value) ?? value;
      return `${known.name}[${indices.get(known.call) ?? 0}][${known.index}]`;
    };
    const linear = this.#isStack();
    return this.layers.map((layer) => {
      const calls = this.#calls.filter((call) => call.layer === layer);
      const outputs = calls.length > 0 ? calls[0].outputs : layer.place.calls[0].outputs;
      return {
        name: layer.name,
        type: layer.type,
        outputShapes: outputs.map(({ shape }) => shape),
        params: layer.declaredWeights.reduce((total, weight) => total + weight.size, 0),
        ...(!linear && { connectedTo: calls.flatMap(({ inputs }) => inputs.map(place)) }),
      };
    });
  }

  /** As Keras: one call at each depth, of one input. */
  #isStack(): boolean {
    const depths = new Set(this.#calls.map((call) => this.#depths.get(call)));
    return (
      this.inputs.length === 1 &&
      depths.size === this.#calls.length &&
      this.#calls.every(({ inputs }) => inputs.length === 1)
    );
  }
}

function portsOf(
  side: 'input' | 'output',
  { form, keys }: { form: Form; keys: readonly string[] | null },
  values: readonly LayerOutput[],
): Ports {
  const names = () => {
    const taken = new Set<string>();
    return values.map((value, at) => {
      const name = keys?.[at] ?? value.name;
      let label = name;
      for (let i = 1; taken.has(label); i++) label = `${name}_${i}`;
      taken.add(label);
      return label;
    });
  };
  return new Ports(
    side,
    form,
    values.map((value, i) => livePort(() => names()[i], value)),
  );
}

function applied(
  layer: Layer,
  given: readonly (Computed | SymbolicSparse)[],
  context: CallContext,
): readonly (Computed | SymbolicSparse)[] {
  if (!given.some((value) => value instanceof SymbolicSparse)) return layer.applyEach(given as Computed[], context);
  if (given.length === 1) return [layer.applySparse(given[0] as SymbolicSparse, context)];
  throw new DownhillError(
    'UNSUPPORTED',
    `Layer "${layer.name}" (${layer.type}) takes several inputs, and sparse rows are among them: pass dense rows.`,
  );
}

/**
 * A model of the layers between symbolic inputs and outputs: several of each, layers that are called several times, models as layers.
 *
 * @param options inputs and outputs, each one value, a list, or an object by name, which is also the form of the data; name, device, precision,
 *   recompute
 * @throws INVALID_ARGUMENT where an output does not follow from the inputs, or two layers have one name
 * @example
 * const title = input({ shape: [100], name: 'title' });
 * const tags = input({ shape: [12], name: 'tags' });
 * const both = layers.concatenate().apply([layers.dense({ units: 16, activation: 'relu' }).apply(title), tags]);
 * const net = model({
 *   inputs: [title, tags],
 *   outputs: { priority: layers.dense({ units: 1 }).apply(both), kind: layers.dense({ units: 4, activation: 'softmax' }).apply(both) },
 * });
 * net.compile({ optimizer: 'adam', loss: { priority: 'meanSquaredError', kind: 'categoricalCrossentropy' } });
 * await net.fit([titles, allTags], { priority, kind });
 * @see https://keras.io/guides/functional_api/
 */
export function model<const O extends LayerOutputs>(options: FunctionalOptions<O>): Functional<O> {
  return new Functional(options);
}
