// Examples of unit length.
import { direction } from '../../graph/direction.js';
import { AxisLayer } from '../axis-layer.js';
import { type Computed, type LayerOptions, layerOptions } from '../layer.js';

/** Shorter lengths count as that, as in Keras. */
const kLeast = 1e-12;

export interface UnitNormalizationOptions extends LayerOptions {
  /** The axis or axes, of a batch [n, …], of which the length becomes 1; −1 by default. */
  axis?: number | readonly number[];
}

export class UnitNormalization extends AxisLayer {
  override readonly type = 'UnitNormalization';
  override readonly supportsMasking = true;

  constructor(options?: UnitNormalizationOptions) {
    const read = layerOptions<UnitNormalizationOptions>('unitNormalization', options, ['axis']);
    super('unit_normalization', read);
  }

  override call(x: Computed): Computed {
    return direction(x, this.axesIn(x), kLeast);
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
