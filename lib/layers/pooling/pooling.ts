// Pooling over windows.
import type { Config } from '../../config/values.js';
import * as ops from '../../graph/ops.js';
import type { Options } from '../../options.js';
import type { Shape } from '../../tensor/shape.js';
import { asImages, asSequences, checkSizes, outputSize, type Sizes } from '../convolution/conv-base.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';

export interface PoolingOptions extends LayerOptions {
  /** Size of the windows; 2 by default. */
  poolSize?: Sizes;
  /** Their steps; poolSize by default. */
  strides?: Sizes | null;
  /** 'valid' by default. */
  padding?: 'valid' | 'same';
}

const spatialNames = { 1: 'length', 2: 'height, width' } as const;

abstract class Pooling extends Layer {
  readonly poolSize: readonly number[];
  readonly strides: readonly number[];
  readonly padding: 'valid' | 'same';

  constructor(
    kind: string,
    read: Options<PoolingOptions>,
    readonly rank: 1 | 2,
    readonly op: typeof ops.maxPool2d,
  ) {
    super(kind, read);
    this.poolSize = checkSizes(read.what('poolSize'), read.raw.poolSize ?? 2, rank);
    this.strides = checkSizes(read.what('strides'), read.raw.strides ?? [...this.poolSize], rank);
    this.padding = read.oneOf('padding', ['valid', 'same'], 'valid');
  }

  override getConfig(): Config {
    return {
      ...super.getConfig(),
      poolSize: [...this.poolSize],
      strides: [...this.strides],
      padding: this.padding,
    };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    if (inputShape.length !== this.rank + 1)
      throw this.mismatch(`inputs [n, ${spatialNames[this.rank]}, channels]`, inputShape);
    const sizes = this.poolSize.map((pool, i) =>
      outputSize(inputShape[i]!, pool, this.strides[i]!, 1, this.padding === 'same'),
    );
    if (sizes.some((size) => size < 1))
      throw this.mismatch(`inputs into which its pool of [${this.poolSize}] fits (or padding 'same')`, inputShape);
    return [...sizes, inputShape.at(-1)!];
  }

  override call(x: Computed): Computed {
    const two = (sizes: readonly number[]): [number, number] => [this.rank === 1 ? 1 : sizes[0]!, sizes.at(-1)!];
    const options = { poolSize: two(this.poolSize), strides: two(this.strides), padding: this.padding };
    return this.rank === 1 ? asSequences(this.op(asImages(x), options)) : this.op(x, options);
  }
}

const keys = ['poolSize', 'strides', 'padding'] as const;
const optionsOf = (factory: string, options: PoolingOptions | undefined) =>
  layerOptions<PoolingOptions>(factory, options, keys);

export class MaxPooling1D extends Pooling {
  override readonly type = 'MaxPooling1D';

  constructor(options?: PoolingOptions) {
    super('max_pooling1d', optionsOf('maxPooling1d', options), 1, ops.maxPool2d);
  }
}

export class MaxPooling2D extends Pooling {
  override readonly type = 'MaxPooling2D';

  constructor(options?: PoolingOptions) {
    super('max_pooling2d', optionsOf('maxPooling2d', options), 2, ops.maxPool2d);
  }
}

export class AveragePooling1D extends Pooling {
  override readonly type = 'AveragePooling1D';

  constructor(options?: PoolingOptions) {
    super('average_pooling1d', optionsOf('averagePooling1d', options), 1, ops.averagePool2d);
  }
}

export class AveragePooling2D extends Pooling {
  override readonly type = 'AveragePooling2D';

  constructor(options?: PoolingOptions) {
    super('average_pooling2d', optionsOf('averagePooling2d', options), 2, ops.averagePool2d);
  }
}

/**
 * The largest value of each window of sequences: [n, length, channels] → [n, length', channels].
 *
 * @param options poolSize (2), strides (poolSize), padding ('valid' or 'same')
 * @example layers.maxPooling1d({ poolSize: 3, strides: 2 });
 * @see https://keras.io/api/layers/pooling_layers/max_pooling1d/
 */
export function maxPooling1d(options?: PoolingOptions): MaxPooling1D {
  return new MaxPooling1D(options);
}

/**
 * The largest value of each window of images: [n, height, width, channels] → [n, height', width', channels]. The gradient goes to the first of
 * equal ones.
 *
 * @param options poolSize (2), strides (poolSize), padding ('valid' or 'same')
 * @example layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' });
 * @see https://keras.io/api/layers/pooling_layers/max_pooling2d/
 */
export function maxPooling2d(options?: PoolingOptions): MaxPooling2D {
  return new MaxPooling2D(options);
}

/**
 * The mean of each window of sequences, over what lies inside: [n, length, channels] → [n, length', channels].
 *
 * @param options poolSize (2), strides (poolSize), padding ('valid' or 'same')
 * @example layers.averagePooling1d({ poolSize: 4 });
 * @see https://keras.io/api/layers/pooling_layers/average_pooling1d/
 */
export function averagePooling1d(options?: PoolingOptions): AveragePooling1D {
  return new AveragePooling1D(options);
}

/**
 * The mean of each window of images, over what lies inside: [n, height, width, channels] → [n, height', width', channels].
 *
 * @param options poolSize (2), strides (poolSize), padding ('valid' or 'same')
 * @example layers.averagePooling2d({ poolSize: [2, 4] });
 * @see https://keras.io/api/layers/pooling_layers/average_pooling2d/
 */
export function averagePooling2d(options?: PoolingOptions): AveragePooling2D {
  return new AveragePooling2D(options);
}
