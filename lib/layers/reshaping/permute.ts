// The axes of each example in another order.
import type { DType } from '../../binding/native.js';
import type { Config } from '../../config/values.js';
import { DownhillError, show } from '../../errors.js';
import * as ops from '../../graph/ops.js';
import type { Shape } from '../../tensor/shape.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';

export interface PermuteOptions extends LayerOptions {
  /** The axes of the input in the order of the output, counted from 1: that of the batch stays first. */
  dims: readonly number[];
}

export class Permute extends Layer {
  override readonly type = 'Permute';
  readonly dims: Shape;

  constructor(options: PermuteOptions) {
    const read = layerOptions<PermuteOptions>('permute', options, ['dims']);
    super('permute', read);
    const dims = read.shape('dims', undefined, 1);
    if ([...dims].sort((a, b) => a - b).some((dim, i) => dim !== i + 1))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${read.what('dims')} must have each of 1 to ${dims.length} once, the axes without the batch; received ${show(dims)}.`,
      );
    this.dims = dims;
  }

  override getConfig(): Config {
    return { ...super.getConfig(), dims: [...this.dims] };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    if (inputShape.length !== this.dims.length)
      throw this.mismatch(`examples with ${this.dims.length} axes`, inputShape);
    return this.dims.map((dim) => inputShape[dim - 1]);
  }

  override computeOutputDtype([dtype]: readonly DType[]): DType {
    return dtype;
  }

  override call(x: Computed): Computed {
    return ops.transpose(x, [0, ...this.dims]);
  }
}

/**
 * The axes of each example in another order: [n, a, b] → [n, b, a] for dims [2, 1].
 *
 * @param options dims, counted from 1, without the batch
 * @example
 * layers.permute({ dims: [2, 1], inputShape: [10, 64] });
 * @see https://keras.io/api/layers/reshaping_layers/permute/
 */
export function permute(options: PermuteOptions): Permute {
  return new Permute(options);
}
