// Inputs side by side.
import type { Config } from '../../config/values.js';
import * as ops from '../../graph/ops.js';
import type { Shape } from '../../tensor/shape.js';
import { checkAxis } from '../axes.js';
import { type Mask, masksOf, spread } from '../mask.js';
import type { OneOrMore } from '../output.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';

export interface ConcatenateOptions extends LayerOptions {
  /** Axis along which the inputs are joined, counted with that of the batch as in Keras; −1, the last, by default. */
  axis?: number;
}

export class Concatenate extends Layer {
  override readonly type = 'Concatenate';
  override readonly severalInputs = true;
  readonly axis: number;

  constructor(options?: ConcatenateOptions) {
    const read = layerOptions<ConcatenateOptions>('concatenate', options, ['axis']);
    super('concatenate', read);
    this.axis = checkAxis(read.what('axis'), read.raw.axis ?? -1);
  }

  override getConfig(): Config {
    return { ...super.getConfig(), axis: this.axis };
  }

  override computeOutputShape(inputShape: readonly Shape[]): Shape {
    const [first] = inputShape;
    const at = this.axis < 0 ? this.axis + first.length : this.axis - 1;
    const others = (shape: Shape) => shape.filter((_, i) => i !== at).join();
    if (at < 0 || at >= first.length)
      throw this.mismatch(`inputs that have the axis ${this.axis} beside that of the batch`, inputShape);
    if (inputShape.some((shape) => shape.length !== first.length || others(shape) !== others(first)))
      throw this.mismatch(`inputs that differ on axis ${this.axis} alone`, inputShape);
    const length = inputShape.reduce((sum, shape) => sum + shape[at], 0);
    return first.map((dim, i) => (i === at ? length : dim));
  }

  override computeOutputDtype(inputDtypes: readonly ('float32' | 'int32')[]): 'float32' | 'int32' {
    return inputDtypes.every((dtype) => dtype === 'int32') ? 'int32' : 'float32';
  }

  /** As Keras: of steps in which some element counts; all of an input without a mask do. */
  override computeMask(x: OneOrMore<Computed>, mask: OneOrMore<Mask>): Mask {
    const masks = masksOf(mask);
    if (masks.every((one) => one === null)) return null;
    const inputs = x as readonly Computed[];
    const full = inputs.map((input, i) => {
      const own = masks[i];
      return ops.broadcastTo(own ? spread(own, input.shape.length) : 1, input.shape);
    });
    return ops.max(ops.concat(full, this.axis), -1);
  }

  override call(inputs: readonly Computed[]): Computed {
    return inputs.length === 1 ? inputs[0] : ops.concat(inputs, this.axis);
  }
}

/**
 * Inputs joined along an axis, on which alone they may differ: [n, a] and [n, b] → [n, a + b].
 *
 * @param options axis, −1 by default: the last
 * @example
 * const both = layers.concatenate().apply([title, tags]);
 * @see https://keras.io/api/layers/merging_layers/concatenate/
 */
export function concatenate(options?: ConcatenateOptions): Concatenate {
  return new Concatenate(options);
}
