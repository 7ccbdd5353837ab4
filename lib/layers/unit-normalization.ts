// Examples of unit length.
import type { Config } from '../config/values.js';
import { direction } from '../graph/direction.js';
import type { Shape } from '../tensor/shape.js';
import { axesOf, checkAxes } from './axes.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from './layer.js';

/** Shorter lengths count as that, as in Keras. */
const kLeast = 1e-12;

export interface UnitNormalizationOptions extends LayerOptions {
  /** The axis or axes, of a batch [n, …], of which the length becomes 1; −1 by default. */
  axis?: number | readonly number[];
}

export class UnitNormalization extends Layer {
  override readonly type = 'UnitNormalization';
  override readonly supportsMasking = true;
  readonly #axes: readonly number[];

  constructor(options?: UnitNormalizationOptions) {
    const read = layerOptions<UnitNormalizationOptions>('unitNormalization', options, ['axis']);
    super('unit_normalization', read);
    this.#axes = checkAxes(read.what('axis'), read.raw.axis, -1);
  }

  override getConfig(): Config {
    return { ...super.getConfig(), axis: this.#axes.length === 1 ? this.#axes[0] : [...this.#axes] };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    if (!axesOf(this.#axes, inputShape.length + 1))
      throw this.mismatch(`an input with axis ${this.#axes.join(' and ')}, other than the batch's`, inputShape);
    return inputShape;
  }

  override call(x: Computed): Computed {
    return direction(x, axesOf(this.#axes, x.shape.length)!, kLeast);
  }
}

/**
 * Each example at unit length: x/‖x‖₂ over `axis`; what is 0 stays 0.
 *
 * @param options axis (−1; or a list), activityRegularizer, inputShape, name
 * @throws UNKNOWN_OPTION, INVALID_ARGUMENT, SHAPE_MISMATCH
 * @example
 * layers.unitNormalization();
 * @see https://keras.io/api/layers/normalization_layers/unit_normalization/
 */
export function unitNormalization(options?: UnitNormalizationOptions): UnitNormalization {
  return new UnitNormalization(options);
}
