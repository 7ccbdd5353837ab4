// Graphs of layers: what a layer gives when it is applied to symbolic inputs, and the call that gave it.
import type { DType } from '../binding/native.js';
import { DownhillError } from '../errors.js';
import { kNoValues } from '../tensor/convert.js';
import type { Shape } from '../tensor/shape.js';
import type { Layer } from './layer.js';

/** One, or a list of them: of layers that take or give several. */
export type OneOrMore<T> = T | readonly T[];

/** Shapes as a list; one shape is a list of numbers. */
export function shapesOf(given: OneOrMore<Shape>): readonly Shape[] {
  return Array.isArray(given[0]) ? (given as readonly Shape[]) : [given as Shape];
}

/**
 * A value in a graph of layers: what `input` gives, and `layer.apply` of such values. It has a shape and a dtype but no numbers: `model` makes
 * a network of the layers between some of them.
 */
export class LayerOutput {
  /** @internal */
  readonly [kNoValues] =
    'It is a value of a graph of layers: apply layers to it, and layers.lambda where a function of ops is meant.';

  /** @internal */
  constructor(
    /** The call of the layer that gives it. @internal */
    readonly call: LayerCall,
    /** Among the outputs of that call. @internal */
    readonly index: number,
    /** Of one example, without the batch. */
    readonly shape: Shape,
    readonly dtype: DType,
  ) {}

  /** The layer that gives it. */
  get layer(): Layer {
    return this.call.layer;
  }

  /** That of its layer. */
  get name(): string {
    return this.call.layer.name;
  }

  toString(): string {
    const place = this.call.outputs.length > 1 ? `, output ${this.index}` : '';
    return `LayerOutput("${this.name}"${place}, shape=[${['n', ...this.shape].join(', ')}], dtype=${this.dtype})`;
  }
}

/** A layer applied to inputs: a node of the graph. @internal */
export class LayerCall {
  readonly outputs: readonly LayerOutput[];

  constructor(
    readonly layer: Layer,
    readonly inputs: readonly LayerOutput[],
    /** Whether the layer behaves as in training, where the call says so. */
    readonly training: boolean | undefined,
    shapes: readonly Shape[],
    dtypes: readonly DType[],
  ) {
    this.outputs = shapes.map(
      (shape, i) => new LayerOutput(this, i, Object.freeze([...shape]), dtypes[i] ?? dtypes[0]),
    );
  }
}

/** The inputs of a call where they are symbolic values of layers, one or a list; null where none is. Throws for a mixture. */
export function layerOutputs(what: string, given: unknown): readonly LayerOutput[] | null {
  if (given instanceof LayerOutput) return [given];
  if (!Array.isArray(given) || !given.some((item) => item instanceof LayerOutput)) return null;
  const other = given.findIndex((item) => !(item instanceof LayerOutput));
  if (other < 0) return given as LayerOutput[];
  throw new DownhillError(
    'INVALID_ARGUMENT',
    `${what}: either all inputs are symbolic values of layers or none is; item ${other} is not. Wrap values as a layer, or apply to values alone.`,
  );
}

/** Applies a layer to symbolic values: its weights are declared, and the call becomes part of the graph. */
export function connect(
  layer: Layer,
  inputs: readonly LayerOutput[],
  training: boolean | undefined,
): readonly LayerOutput[] {
  const shapes = inputs.map(({ shape }) => shape);
  const given = layer.severalInputs || shapes.length > 1 ? shapes : shapes[0];
  const inputDtypes = inputs.map(({ dtype }) => dtype);
  layer.build(given, inputDtypes);
  const dtypes = layer.computeOutputDtype(inputDtypes, given);
  const call = new LayerCall(
    layer,
    inputs,
    training,
    shapesOf(layer.computeOutputShape(given, inputDtypes)),
    typeof dtypes === 'string' ? [dtypes] : dtypes,
  );
  layer.place.calls.push(call);
  return call.outputs;
}
