// Examples of any shape as vectors.
import type { DType } from '../../binding/native.js';
import * as ops from '../../graph/ops.js';
import { type Shape, sizeOf } from '../../tensor/shape.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';

export type FlattenOptions = LayerOptions;

export class Flatten extends Layer {
  override readonly type = 'Flatten';

  constructor(options?: FlattenOptions) {
    super('flatten', layerOptions<FlattenOptions>('flatten', options, []));
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [sizeOf(inputShape)];
  }

  override computeOutputDtype([dtype]: readonly DType[]): DType {
    return dtype;
  }

  override call(x: Computed): Computed {
    return ops.reshape(x, [x.shape[0], sizeOf(x.shape.slice(1))]);
  }
}

/**
 * Each example as a vector: [n, a, b, …] → [n, a·b·…].
 *
 * @example
 * layers.flatten({ inputShape: [28, 28] });
 */
export function flatten(options?: FlattenOptions): Flatten {
  return new Flatten(options);
}
