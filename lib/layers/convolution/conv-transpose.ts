// The transpose of a convolution: images become larger.
import type { Config } from '../../config/values.js';
import { DownhillError } from '../../errors.js';
import * as ops from '../../graph/ops.js';
import type { Shape } from '../../tensor/shape.js';
import {
  checkSizes,
  ConvLayer,
  type ConvLayerOptions,
  convOptions,
  type KernelOptions,
  type Sizes,
} from './conv-base.js';
import type { Computed } from '../layer.js';
import type { Weight } from '../weight.js';
import { WeightOptions } from '../weight-options.js';

export interface Conv2DTransposeOptions extends ConvLayerOptions, KernelOptions {
  /** Channels of the output. */
  filters: number;
  /** Rows and columns that are added at the end; less than strides; by default as many as make the output input · strides with 'same'. */
  outputPadding?: Sizes | null;
}

const keys = ['filters', 'outputPadding', ...WeightOptions.keys('kernel')] as const;

interface Side {
  /** Of the output. */
  size: number;
  before: number;
  after: number;
}

export class Conv2DTranspose extends ConvLayer {
  override readonly type = 'Conv2DTranspose';
  readonly filters: number;
  readonly outputPadding: readonly number[] | null;
  readonly #options: WeightOptions;
  #kernel!: Weight; // (height, width, filters, channels)

  constructor(options: Conv2DTransposeOptions) {
    const read = convOptions<Conv2DTransposeOptions>('conv2dTranspose', options, keys);
    super('conv2d_transpose', read, 2);
    this.filters = read.count('filters');
    const padding = read.raw.outputPadding ?? null;
    this.outputPadding = padding === null ? null : checkSizes(read.what('outputPadding'), padding, 2, 0);
    this.outputPadding?.forEach((added, i) => {
      if (added >= this.strides[i]!)
        throw new DownhillError(
          'INVALID_ARGUMENT',
          `${read.what('outputPadding')} must be less than strides; received ${added} and ${this.strides[i]!}.`,
        );
    });
    this.#options = new WeightOptions(read, 'kernel', 'glorotUniform');
  }

  override getConfig(): Config {
    return {
      ...super.getConfig(),
      filters: this.filters,
      outputPadding: this.outputPadding && [...this.outputPadding],
      ...this.#options.getConfig(),
    };
  }

  /** As in Keras (on TensorFlow and JAX): what is cut off a full transpose, of (input − 1) · stride + span, at either end. */
  #side(input: number, i: number): Side {
    const stride = this.strides[i]!;
    const span = (this.kernelSize[i]! - 1) * this.dilationRate[i]! + 1;
    const added = this.outputPadding?.[i];
    const full = (input - 1) * stride + span;
    let size = full + (added ?? Math.max(span, stride) - span);
    let before = 0;
    if (this.padding === 'same') {
      const around = added === undefined ? stride + span - 2 : span + (span % 2) - 2 + added;
      size = full + around - 2 * (span - 1);
      before = span - 1 - Math.min(Math.ceil(around / 2), span - 1);
    }
    return { size, before, after: Math.max(full - size - before, 0) };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    const sizes = this.checkImages(inputShape).spatial.map((input, i) => this.#side(input, i).size);
    if (sizes.some((size) => size < 1)) throw this.mismatch('larger inputs, of which something is left', inputShape);
    return [...sizes, this.filters];
  }

  protected override declareWeights(inputShape: Shape): void {
    const shape = [...this.kernelSize, this.filters, inputShape.at(-1)!];
    this.#kernel = this.declareKernel('kernel', shape, this.#options);
    this.declareBias(this.filters);
  }

  override call(x: Computed): Computed {
    const [y, z] = [this.#side(x.shape[1]!, 0), this.#side(x.shape[2]!, 1)];
    const { strides, dilation } = this.windows();
    return this.finish(
      ops.conv2dTranspose(x, this.#kernel.variable, {
        strides,
        dilation,
        size: [y.size, z.size],
        padding: [
          [y.before, y.after],
          [z.before, z.after],
        ],
      }),
    );
  }
}

/**
 * Transposed convolution of images, as ops.conv2dTranspose: activation(xᵀ∗ W + b), [n, height, width, channels] → [n, height', width', filters],
 * with 'same' height' = height · strides.
 *
 * @param options filters, kernelSize; strides (1), padding ('valid' or 'same'), outputPadding, dilationRate (1), activation (none), useBias
 *   (true), kernelInitializer ('glorotUniform'), biasInitializer ('zeros'), kernelRegularizer, biasRegularizer, activityRegularizer,
 *   kernelConstraint, biasConstraint, inputShape, name, trainable
 * @returns a layer with weights kernel (height, width, filters, channels) and bias (filters)
 * @example
 * layers.conv2dTranspose({ filters: 32, kernelSize: 3, strides: 2, padding: 'same', activation: 'relu' });
 * @see https://keras.io/api/layers/convolution_layers/convolution2d_transpose/
 */
export function conv2dTranspose(options: Conv2DTransposeOptions): Conv2DTranspose {
  return new Conv2DTranspose(options);
}
