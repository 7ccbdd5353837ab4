// Steps that are left out: those whose features all have one value.
import type { DType } from '../../binding/native.js';
import type { Config } from '../../config/values.js';
import * as ops from '../../graph/ops.js';
import type { Shape } from '../../tensor/shape.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';
import type { Mask } from '../mask.js';

export interface MaskingOptions extends LayerOptions {
  /** A step is masked where all its features are this; 0 by default. */
  maskValue?: number;
}

export class Masking extends Layer {
  override readonly type = 'Masking';
  readonly maskValue: number;

  constructor(options?: MaskingOptions) {
    const read = layerOptions<MaskingOptions>('masking', options, ['maskValue']);
    super('masking', read);
    this.maskValue = read.number('maskValue', 0);
  }

  override getConfig(): Config {
    return { ...super.getConfig(), maskValue: this.maskValue };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    if (inputShape.length < 1) throw this.mismatch('sequences, [n, steps, features]', inputShape);
    return inputShape;
  }

  override computeOutputDtype([dtype]: readonly DType[]): DType {
    return dtype!;
  }

  override computeMask(x: Computed): Mask {
    return this.#counts(x, false);
  }

  override call(x: Computed): Computed {
    return ops.where(this.#counts(x, true), x, 0);
  }

  #counts(x: Computed, keepDims: boolean): Computed {
    return ops.max(ops.notEqual(x, this.maskValue), -1, { keepDims });
  }
}

/**
 * Masks the steps of sequences whose features are all `maskValue`: [n, steps, features] → the same, 0 at masked steps. Layers behind leave them out.
 *
 * @param options maskValue (0), inputShape, name
 * @throws SHAPE_MISMATCH
 * @example
 * sequential([layers.masking({ maskValue: -1, inputShape: [20, 8] }), layers.lstm({ units: 32 })]);
 * @see https://keras.io/api/layers/core_layers/masking/
 */
export function masking(options?: MaskingOptions): Masking {
  return new Masking(options);
}
