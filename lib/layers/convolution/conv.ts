// Convolutions in one and two dimensions.
import type { Config } from '../../config/values.js';
import { DownhillError } from '../../errors.js';
import * as ops from '../../graph/ops.js';
import type { Options } from '../../options.js';
import type { Shape } from '../../tensor/shape.js';
import {
  asImages,
  asSequences,
  ConvLayer,
  type ConvLayerOptions,
  convOptions,
  type KernelOptions,
  type PaddingMode,
} from './conv-base.js';
import type { Computed } from '../layer.js';
import type { Weight } from '../weight.js';
import { WeightOptions } from '../weight-options.js';

export interface Conv2DOptions extends ConvLayerOptions, KernelOptions {
  /** Channels of the output. */
  filters: number;
  /** Channels and filters are cut into so many groups; 1 by default. */
  groups?: number;
}

export interface Conv1DOptions extends Omit<Conv2DOptions, 'padding'> {
  /** 'valid' by default; 'causal': an output sees nothing behind it. */
  padding?: 'valid' | 'same' | 'causal';
}

const keys = ['filters', 'groups', ...WeightOptions.keys('kernel')] as const;

abstract class Conv extends ConvLayer {
  readonly filters: number;
  readonly groups: number;
  readonly #kernelOptions: WeightOptions;
  #kernel!: Weight; // (…kernelSize, channels / groups, filters)

  constructor(kind: string, read: Options<Conv2DOptions>, rank: 1 | 2, paddings?: readonly PaddingMode[]) {
    super(kind, read as Options<ConvLayerOptions>, rank, paddings);
    this.filters = read.count('filters');
    this.groups = read.count('groups', 1);
    if (this.filters % this.groups !== 0)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${read.what('filters')} must be a multiple of groups; received ${this.filters} and ${this.groups}.`,
      );
    this.#kernelOptions = new WeightOptions(read, 'kernel', 'glorotUniform');
  }

  override getConfig(): Config {
    return {
      ...super.getConfig(),
      filters: this.filters,
      groups: this.groups,
      ...this.#kernelOptions.getConfig(),
    };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    const spatial = this.convolved(inputShape);
    if (inputShape.at(-1)! % this.groups !== 0)
      throw this.mismatch(`channels that are a multiple of its ${this.groups} groups`, inputShape);
    return [...spatial, this.filters];
  }

  protected override declareWeights(inputShape: Shape): void {
    const shape = [...this.kernelSize, inputShape.at(-1)! / this.groups, this.filters];
    this.#kernel = this.declareKernel('kernel', shape, this.#kernelOptions);
    this.declareBias(this.filters);
  }

  override call(x: Computed): Computed {
    const options = { ...this.windows(), groups: this.groups };
    const kernel = this.#kernel.variable;
    if (this.rank === 2) return this.finish(ops.conv2d(x, kernel, options));
    const images = ops.conv2d(asImages(x), ops.reshape(kernel, [1, ...kernel.shape]), options);
    return asSequences(this.finish(images));
  }
}

export class Conv1D extends Conv {
  override readonly type = 'Conv1D';

  constructor(options: Conv1DOptions) {
    const read = convOptions<Conv2DOptions>('conv1d', options as Conv2DOptions, keys);
    super('conv1d', read, 1, ['valid', 'same', 'causal']);
  }
}

export class Conv2D extends Conv {
  override readonly type = 'Conv2D';

  constructor(options: Conv2DOptions) {
    super('conv2d', convOptions<Conv2DOptions>('conv2d', options, keys), 2);
  }
}

/**
 * Convolution along sequences: activation(x ∗ W + b), [n, length, channels] → [n, length', filters].
 *
 * @param options filters, kernelSize; strides (1), padding ('valid'; 'same', 'causal'), dilationRate (1), groups (1), activation (none),
 *   useBias (true), kernelInitializer ('glorotUniform'), biasInitializer ('zeros'), kernelRegularizer, biasRegularizer, activityRegularizer,
 *   kernelConstraint, biasConstraint, inputShape, name, trainable
 * @returns a layer with weights kernel (kernelSize, channels / groups, filters) and bias (filters)
 * @example
 * layers.conv1d({ filters: 32, kernelSize: 5, padding: 'causal', inputShape: [100, 8] });
 * @see https://keras.io/api/layers/convolution_layers/convolution1d/
 */
export function conv1d(options: Conv1DOptions): Conv1D {
  return new Conv1D(options);
}

/**
 * Convolution of images: activation(x ∗ W + b), [n, height, width, channels] → [n, height', width', filters], as ops.conv2d.
 *
 * @param options filters, kernelSize; strides (1), padding ('valid' or 'same'), dilationRate (1), groups (1), activation (none), useBias (true),
 *   kernelInitializer ('glorotUniform'), biasInitializer ('zeros'), kernelRegularizer, biasRegularizer, activityRegularizer, kernelConstraint,
 *   biasConstraint, inputShape, name, trainable
 * @returns a layer with weights kernel (height, width, channels / groups, filters) and bias (filters)
 * @example
 * layers.conv2d({ filters: 64, kernelSize: 5, padding: 'same', activation: 'relu', inputShape: [32, 32, 3] });
 * @see https://keras.io/api/layers/convolution_layers/convolution2d/
 */
export function conv2d(options: Conv2DOptions): Conv2D {
  return new Conv2D(options);
}
