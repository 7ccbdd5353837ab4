// Another shape for each example.
import type { DType } from '../../binding/native.js';
import type { Config } from '../../config/values.js';
import { DownhillError, show } from '../../errors.js';
import * as ops from '../../graph/ops.js';
import { checkShape } from '../../options.js';
import { type Shape, shapeText, sizeOf } from '../../tensor/shape.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';

export interface ReshapeOptions extends LayerOptions {
  /** Of one example; one entry may be -1 and is computed. */
  targetShape: readonly number[];
}

export class Reshape extends Layer {
  override readonly type = 'Reshape';
  readonly targetShape: Shape;

  constructor(options: ReshapeOptions) {
    const read = layerOptions<ReshapeOptions>('reshape', options, ['targetShape']);
    super('reshape', read);
    const target = checkShape(read.what('targetShape'), read.required('targetShape'), -1);
    if (target.includes(0) || target.filter((dim) => dim === -1).length > 1)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${read.what('targetShape')} must be a list of positive integers, at most one of them -1; received ${show(target)}.`,
      );
    this.targetShape = target;
  }

  override getConfig(): Config {
    return { ...super.getConfig(), targetShape: [...this.targetShape] };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    const size = sizeOf(inputShape);
    const known = sizeOf(this.targetShape.filter((dim) => dim !== -1));
    const open = this.targetShape.includes(-1);
    if (open ? size % known !== 0 : size !== known)
      throw this.mismatch(`examples that fill ${shapeText(this.targetShape)}`, inputShape);
    return this.targetShape.map((dim) => (dim === -1 ? size / known : dim));
  }

  override computeOutputDtype([dtype]: readonly DType[]): DType {
    return dtype;
  }

  override call(x: Computed): Computed {
    return ops.reshape(x, [x.shape[0], ...this.computeOutputShape(x.shape.slice(1))]);
  }
}

/**
 * Each example in another shape: [n, …] → [n, …targetShape].
 *
 * @param options targetShape, without the batch; one entry may be -1
 * @example
 * layers.reshape({ targetShape: [28, -1] });
 */
export function reshape(options: ReshapeOptions): Reshape {
  return new Reshape(options);
}
