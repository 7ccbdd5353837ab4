// Inputs times a factor, plus an offset.
import type { Config } from '../../config/values.js';
import { DownhillError, show } from '../../errors.js';
import * as ops from '../../graph/ops.js';
import { checkNumber } from '../../options.js';
import type { Shape } from '../../tensor/shape.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';

/** One number, or one for each feature of the last axis. */
export type PerFeature = number | readonly number[];

export interface RescalingOptions extends LayerOptions {
  scale: PerFeature;
  /** 0 by default. */
  offset?: PerFeature;
}

/** A number, or a list of numbers. */
export function checkPerFeature(what: string, given: unknown): PerFeature {
  if (!Array.isArray(given)) return checkNumber(what, given);
  if (given.length > 0) return given.map((item) => checkNumber(what, item));
  throw new DownhillError(
    'INVALID_ARGUMENT',
    `${what} must be a number or a list of at least one; received ${show(given)}.`,
  );
}

export class Rescaling extends Layer {
  override readonly type = 'Rescaling';
  override readonly supportsMasking = true;
  readonly scale: PerFeature;
  readonly offset: PerFeature;

  constructor(options: RescalingOptions) {
    const read = layerOptions<RescalingOptions>('rescaling', options, ['scale', 'offset']);
    super('rescaling', read);
    this.scale = checkPerFeature(read.what('scale'), read.required('scale'));
    this.offset = checkPerFeature(read.what('offset'), read.raw.offset ?? 0);
  }

  override getConfig(): Config {
    const plain = (value: PerFeature) => (typeof value === 'number' ? value : [...value]);
    return { ...super.getConfig(), scale: plain(this.scale), offset: plain(this.offset) };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    for (const value of [this.scale, this.offset])
      if (typeof value !== 'number' && value.length !== inputShape.at(-1))
        throw this.mismatch(`${value.length} features on the last axis, as many as there are factors`, inputShape);
    return inputShape;
  }

  override call(x: Computed): Computed {
    const scaled = ops.mul(x.dtype === 'float32' ? x : ops.cast(x, 'float32'), this.scale);
    return this.offset === 0 ? scaled : ops.add(scaled, this.offset);
  }
}

/**
 * scale · x + offset, in training and otherwise.
 *
 * @param options scale and offset (0): a number, or a list with one for each feature of the last axis; activityRegularizer, inputShape, name
 * @throws UNKNOWN_OPTION, INVALID_ARGUMENT, OUT_OF_RANGE, SHAPE_MISMATCH
 * @example
 * layers.rescaling({ scale: 1 / 127.5, offset: -1, inputShape: [28, 28] });
 * @see https://keras.io/api/layers/preprocessing_layers/image_preprocessing/rescaling/
 */
export function rescaling(options: RescalingOptions): Rescaling {
  return new Rescaling(options);
}
