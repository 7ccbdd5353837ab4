// One value for each channel of a whole example.
import type { DType } from '../../binding/native.js';
import type { Config } from '../../config/values.js';
import * as ops from '../../graph/ops.js';
import type { Options } from '../../options.js';
import type { Shape } from '../../tensor/shape.js';
import { masksOf, ofSteps, spread } from '../mask.js';
import { type CallContext, type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';

export interface GlobalPoolingOptions extends LayerOptions {
  /** Keep the spatial axes, with length 1; false by default. */
  keepdims?: boolean;
}

const spatialNames = { 1: 'length', 2: 'height, width' } as const;

abstract class GlobalPooling extends Layer {
  readonly keepdims: boolean;

  constructor(
    kind: string,
    read: Options<GlobalPoolingOptions>,
    readonly rank: 1 | 2,
    readonly op: typeof ops.mean,
  ) {
    super(kind, read);
    this.keepdims = read.flag('keepdims', false);
  }

  override getConfig(): Config {
    return { ...super.getConfig(), keepdims: this.keepdims };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    if (inputShape.length !== this.rank + 1 || inputShape.slice(0, -1).includes(0))
      throw this.mismatch(`inputs [n, ${spatialNames[this.rank]}, channels], not empty`, inputShape);
    return [...(this.keepdims ? new Array<number>(this.rank).fill(1) : []), inputShape.at(-1)!];
  }

  override call(x: Computed, _context: CallContext): Computed {
    return this.op(x, this.rank === 1 ? [1] : [1, 2], { keepDims: this.keepdims });
  }
}

const optionsOf = (factory: string, options: GlobalPoolingOptions | undefined) =>
  layerOptions<GlobalPoolingOptions>(factory, options, ['keepdims']);

export class GlobalAveragePooling1D extends GlobalPooling {
  override readonly type = 'GlobalAveragePooling1D';

  constructor(options?: GlobalPoolingOptions) {
    super('global_average_pooling1d', optionsOf('globalAveragePooling1d', options), 1, ops.mean);
  }

  /** Where no step counts, 0: Keras gives NaN. */
  override call(x: Computed, context: CallContext): Computed {
    const steps = ofSteps(masksOf(context.mask)[0]!);
    if (!steps) return super.call(x, context);
    const counts = spread(steps, 3);
    const options = { keepDims: this.keepdims };
    const sum = ops.sum(ops.where(counts, x, 0), [1], options);
    return ops.div(sum, ops.maximum(ops.sum(counts, [1], options), 1));
  }
}

export class GlobalAveragePooling2D extends GlobalPooling {
  override readonly type = 'GlobalAveragePooling2D';

  constructor(options?: GlobalPoolingOptions) {
    super('global_average_pooling2d', optionsOf('globalAveragePooling2d', options), 2, ops.mean);
  }
}

export class GlobalMaxPooling1D extends GlobalPooling {
  override readonly type = 'GlobalMaxPooling1D';

  constructor(options?: GlobalPoolingOptions) {
    super('global_max_pooling1d', optionsOf('globalMaxPooling1d', options), 1, ops.max);
  }

  override computeOutputDtype([dtype]: readonly DType[]): DType {
    return dtype!;
  }
}

export class GlobalMaxPooling2D extends GlobalPooling {
  override readonly type = 'GlobalMaxPooling2D';

  constructor(options?: GlobalPoolingOptions) {
    super('global_max_pooling2d', optionsOf('globalMaxPooling2d', options), 2, ops.max);
  }

  override computeOutputDtype([dtype]: readonly DType[]): DType {
    return dtype!;
  }
}

/**
 * The mean of each channel of sequences: [n, length, channels] → [n, channels], or [n, 1, channels] with keepdims. Of a masked sequence, over the steps that
 * count.
 *
 * @param options keepdims (false)
 * @example layers.globalAveragePooling1d();
 * @see https://keras.io/api/layers/pooling_layers/global_average_pooling1d/
 */
export function globalAveragePooling1d(options?: GlobalPoolingOptions): GlobalAveragePooling1D {
  return new GlobalAveragePooling1D(options);
}

/**
 * The mean of each channel of images: [n, height, width, channels] → [n, channels], or [n, 1, 1, channels] with keepdims.
 *
 * @param options keepdims (false)
 * @example layers.globalAveragePooling2d();
 * @see https://keras.io/api/layers/pooling_layers/global_average_pooling2d/
 */
export function globalAveragePooling2d(options?: GlobalPoolingOptions): GlobalAveragePooling2D {
  return new GlobalAveragePooling2D(options);
}

/**
 * The largest value of each channel of sequences: [n, length, channels] → [n, channels], or [n, 1, channels] with keepdims.
 *
 * @param options keepdims (false)
 * @example layers.globalMaxPooling1d();
 * @see https://keras.io/api/layers/pooling_layers/global_max_pooling1d/
 */
export function globalMaxPooling1d(options?: GlobalPoolingOptions): GlobalMaxPooling1D {
  return new GlobalMaxPooling1D(options);
}

/**
 * The largest value of each channel of images: [n, height, width, channels] → [n, channels], or [n, 1, 1, channels] with keepdims.
 *
 * @param options keepdims (false)
 * @example layers.globalMaxPooling2d({ keepdims: true });
 * @see https://keras.io/api/layers/pooling_layers/global_max_pooling2d/
 */
export function globalMaxPooling2d(options?: GlobalPoolingOptions): GlobalMaxPooling2D {
  return new GlobalMaxPooling2D(options);
}
