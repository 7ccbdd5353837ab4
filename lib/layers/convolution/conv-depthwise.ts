// Convolutions that take each channel by itself.
import type { Config } from '../../config/values.js';
import type { ConstraintLike } from '../../constraints/resolve.js';
import * as ops from '../../graph/ops.js';
import type { InitializerLike } from '../../initializers/index.js';
import type { RegularizerLike } from '../../regularizers/resolve.js';
import type { Shape } from '../../tensor/shape.js';
import { ConvLayer, type ConvLayerOptions, convOptions } from './conv-base.js';
import type { Computed } from '../layer.js';
import type { Weight } from '../weight.js';
import { WeightOptions } from '../weight-options.js';

export interface DepthwiseConv2DOptions extends ConvLayerOptions {
  /** Filters of each channel; 1 by default. */
  depthMultiplier?: number;
  depthwiseInitializer?: InitializerLike;
  depthwiseRegularizer?: RegularizerLike | null;
  depthwiseConstraint?: ConstraintLike | null;
}

export interface SeparableConv2DOptions extends DepthwiseConv2DOptions {
  /** Channels of the output. */
  filters: number;
  pointwiseInitializer?: InitializerLike;
  pointwiseRegularizer?: RegularizerLike | null;
  pointwiseConstraint?: ConstraintLike | null;
}

const depthwiseKeys = ['depthMultiplier', ...WeightOptions.keys('depthwise')] as const;
const separableKeys = [...depthwiseKeys, 'filters', ...WeightOptions.keys('pointwise')] as const;

/** Each channel by its own filters; kernel (height, width, channels, multiplier). */
function depthwise(x: Computed, kernel: Weight, options: ops.ConvOptions): Computed {
  const [height, width, channels, multiplier] = kernel.shape as [number, number, number, number];
  const filters = ops.reshape(kernel.variable, [height, width, 1, channels * multiplier]);
  return ops.conv2d(x, filters, { ...options, groups: channels });
}

export class DepthwiseConv2D extends ConvLayer {
  override readonly type = 'DepthwiseConv2D';
  readonly depthMultiplier: number;
  readonly #options: WeightOptions;
  #kernel!: Weight; // (height, width, channels, depthMultiplier)

  constructor(options: DepthwiseConv2DOptions) {
    const read = convOptions<DepthwiseConv2DOptions>('depthwiseConv2d', options, depthwiseKeys);
    super('depthwise_conv2d', read, 2);
    this.depthMultiplier = read.count('depthMultiplier', 1);
    this.#options = new WeightOptions(read, 'depthwise', 'glorotUniform');
  }

  override getConfig(): Config {
    return { ...super.getConfig(), depthMultiplier: this.depthMultiplier, ...this.#options.getConfig() };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [...this.convolved(inputShape), inputShape.at(-1)! * this.depthMultiplier];
  }

  protected override declareWeights(inputShape: Shape): void {
    const channels = inputShape.at(-1)!;
    this.#kernel = this.declareKernel('kernel', [...this.kernelSize, channels, this.depthMultiplier], this.#options);
    this.declareBias(channels * this.depthMultiplier);
  }

  override call(x: Computed): Computed {
    return this.finish(depthwise(x, this.#kernel, this.windows()));
  }
}

export class SeparableConv2D extends ConvLayer {
  override readonly type = 'SeparableConv2D';
  readonly filters: number;
  readonly depthMultiplier: number;
  readonly #options: { depthwise: WeightOptions; pointwise: WeightOptions };
  #depthwise!: Weight; // (height, width, channels, depthMultiplier)
  #pointwise!: Weight; // (1, 1, channels · depthMultiplier, filters)

  constructor(options: SeparableConv2DOptions) {
    const read = convOptions<SeparableConv2DOptions>('separableConv2d', options, separableKeys);
    super('separable_conv2d', read, 2);
    this.filters = read.count('filters');
    this.depthMultiplier = read.count('depthMultiplier', 1);
    this.#options = {
      depthwise: new WeightOptions(read, 'depthwise', 'glorotUniform'),
      pointwise: new WeightOptions(read, 'pointwise', 'glorotUniform'),
    };
  }

  override getConfig(): Config {
    return {
      ...super.getConfig(),
      filters: this.filters,
      depthMultiplier: this.depthMultiplier,
      ...this.#options.depthwise.getConfig(),
      ...this.#options.pointwise.getConfig(),
    };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [...this.convolved(inputShape), this.filters];
  }

  protected override declareWeights(inputShape: Shape): void {
    const channels = inputShape.at(-1)!;
    const { depthwise: first, pointwise: second } = this.#options;
    const shape = [...this.kernelSize, channels, this.depthMultiplier];
    this.#depthwise = this.declareKernel('depthwise_kernel', shape, first);
    const pointwise = [1, 1, channels * this.depthMultiplier, this.filters];
    this.#pointwise = this.declareKernel('pointwise_kernel', pointwise, second);
    this.declareBias(this.filters);
  }

  override call(x: Computed): Computed {
    return this.finish(ops.conv2d(depthwise(x, this.#depthwise, this.windows()), this.#pointwise.variable));
  }
}

/**
 * Each channel of images convolved by filters of its own: [n, height, width, channels] → [n, height', width', channels · depthMultiplier].
 *
 * @param options kernelSize; depthMultiplier (1), strides (1), padding ('valid' or 'same'), dilationRate (1), activation (none), useBias (true),
 *   depthwiseInitializer ('glorotUniform'), biasInitializer ('zeros'), depthwiseRegularizer, biasRegularizer, activityRegularizer,
 *   depthwiseConstraint, biasConstraint, inputShape, name, trainable
 * @returns a layer with weights kernel (height, width, channels, depthMultiplier) and bias (channels · depthMultiplier)
 * @example
 * layers.depthwiseConv2d({ kernelSize: 3, padding: 'same', depthMultiplier: 2 });
 * @see https://keras.io/api/layers/convolution_layers/depthwise_convolution2d/
 */
export function depthwiseConv2d(options: DepthwiseConv2DOptions): DepthwiseConv2D {
  return new DepthwiseConv2D(options);
}

/**
 * A depthwise convolution, then one of 1 x 1 that mixes the channels: [n, height, width, channels] → [n, height', width', filters].
 *
 * @param options filters, kernelSize; those of depthwiseConv2d, and pointwiseInitializer ('glorotUniform'), pointwiseRegularizer,
 *   pointwiseConstraint
 * @returns a layer with weights depthwise_kernel (height, width, channels, depthMultiplier), pointwise_kernel (1, 1, channels · depthMultiplier,
 *   filters) and bias (filters)
 * @example
 * layers.separableConv2d({ filters: 64, kernelSize: 3, padding: 'same', activation: 'relu' });
 * @see https://keras.io/api/layers/convolution_layers/separable_convolution2d/
 */
export function separableConv2d(options: SeparableConv2DOptions): SeparableConv2D {
  return new SeparableConv2D(options);
}
