// A layer for each time step.
import type { DType } from '../../binding/native.js';
import { serialize } from '../../config/registry.js';
import type { Config } from '../../config/values.js';
import { DownhillError, show } from '../../errors.js';
import * as ops from '../../graph/ops.js';
import type { Shape } from '../../tensor/shape.js';
import { type CallContext, type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';
import { type Mask, masksOf, ofSteps } from '../mask.js';
import { type OneOrMore, shapesOf } from '../output.js';

export interface TimeDistributedOptions extends LayerOptions {
  /** What is applied to each step; a model, too. It becomes part of this layer. */
  layer: Layer;
}

export class TimeDistributed extends Layer {
  override readonly type = 'TimeDistributed';
  readonly layer: Layer;
  #dtypes: readonly DType[] | undefined;

  constructor(options: TimeDistributedOptions | Layer) {
    const given = options instanceof Layer ? { layer: options } : options;
    const read = layerOptions<TimeDistributedOptions>('timeDistributed', given, ['layer']);
    super('time_distributed', read);
    const layer: unknown = read.required('layer');
    if (!(layer instanceof Layer) || layer.severalInputs)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${read.what('layer')} must be a layer that takes one input, e.g. layers.dense({ units: 8 }); received ${show(layer)}.`,
      );
    this.layer = this.addLayer(layer);
  }

  override get inputDtype(): DType {
    return this.layer.inputDtype;
  }

  override getConfig(): Config {
    return { ...super.getConfig(), layer: serialize(this.layer) };
  }

  override computeOutputShape(inputShape: Shape, inputDtypes?: readonly DType[]): Shape {
    const [steps, ...step] = inputShape;
    if (steps === undefined || step.length === 0) throw this.mismatch('sequences, [n, steps, …]', inputShape);
    const shapes = shapesOf(this.layer.computeOutputShape(step, inputDtypes));
    if (shapes.length === 1) return [steps, ...shapes[0]!];
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `Layer "${this.name}" (TimeDistributed): its layer "${this.layer.name}" has ${shapes.length} outputs; it must have one.`,
    );
  }

  override computeOutputDtype(inputDtypes: readonly DType[], inputShape?: Shape): OneOrMore<DType> {
    return this.layer.computeOutputDtype(inputDtypes, inputShape?.slice(1));
  }

  override build(inputShape: Shape, inputDtypes?: readonly DType[]): void {
    this.#dtypes = inputDtypes;
    super.build(inputShape, inputDtypes);
  }

  protected override declareWeights(inputShape: Shape): void {
    this.layer.build(inputShape.slice(1), this.#dtypes);
  }

  override computeMask(_: OneOrMore<Computed>, mask: OneOrMore<Mask>): Mask {
    return ofSteps(masksOf(mask)[0]!);
  }

  /** All steps of all rows are the rows of one call. */
  override call(x: Computed, { training, mask }: CallContext): Computed {
    const [n, steps, ...step] = x.shape as [number, number, ...number[]];
    const [own] = masksOf(mask);
    // What a mask says within steps is the layer's.
    const within = own && own.shape.length > 2 ? ops.reshape(own, [n * steps, ...own.shape.slice(2)]) : null;
    const rows = ops.reshape(x, [n * steps, ...step]);
    const [y] = this.layer.applyEach([rows], { training, mask: within }) as [Computed];
    return ops.reshape(y, [n, steps, ...y.shape.slice(1)]);
  }
}

/**
 * A layer for each step of sequences, with the same weights: [n, steps, …] → [n, steps, …output of the layer].
 *
 * All steps of a batch are one call of the layer; one that looks at the whole batch, as batchNormalization does in training, sees them together.
 *
 * @param options layer (or the layer itself), name, inputShape
 * @returns a layer with the weights of the one in it, as time_distributed/dense/kernel
 * @throws INVALID_ARGUMENT, SHAPE_MISMATCH
 * @example
 * layers.timeDistributed({ layer: layers.dense({ units: 8 }), inputShape: [10, 16] });
 * @see https://keras.io/api/layers/recurrent_layers/time_distributed/
 */
export function timeDistributed(options: TimeDistributedOptions | Layer): TimeDistributed {
  return new TimeDistributed(options);
}
