// What the convolutions share: options, sizes, and what follows the sums.
import type { Config } from '../../config/values.js';
import type { ConstraintLike } from '../../constraints/resolve.js';
import { DownhillError, show } from '../../errors.js';
import * as ops from '../../graph/ops.js';
import type { InitializerLike } from '../../initializers/index.js';
import { checkCount, type Options } from '../../options.js';
import type { RegularizerLike } from '../../regularizers/resolve.js';
import type { Shape } from '../../tensor/shape.js';
import { type Activation, type ActivationFunction, activationConfig, resolveActivation } from '../activations.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';
import type { Weight } from '../weight.js';
import { WeightOptions } from '../weight-options.js';

/** One number for all spatial axes, or one for each. */
export type Sizes = number | readonly number[];

export type PaddingMode = 'valid' | 'same' | 'causal';

export interface ConvLayerOptions extends LayerOptions {
  /** Size of the kernel. */
  kernelSize: Sizes;
  /** 1 by default. */
  strides?: Sizes;
  /** 'valid' by default. */
  padding?: 'valid' | 'same';
  /** Steps between the taps of the kernel; 1 by default. */
  dilationRate?: Sizes;
  activation?: Activation | null;
  useBias?: boolean;
  biasInitializer?: InitializerLike;
  biasRegularizer?: RegularizerLike | null;
  biasConstraint?: ConstraintLike | null;
}

/** Options of a weight that is called "kernel". */
export interface KernelOptions {
  kernelInitializer?: InitializerLike;
  kernelRegularizer?: RegularizerLike | null;
  kernelConstraint?: ConstraintLike | null;
}

export const convKeys = [
  'kernelSize',
  'strides',
  'padding',
  'dilationRate',
  'activation',
  'useBias',
  ...WeightOptions.keys('bias'),
] as const;

/** `count` positive integers from one or a list. */
export function checkSizes(what: string, value: unknown, count: number, min = 1): number[] {
  if (typeof value === 'number') return new Array<number>(count).fill(checkCount(what, value, { min }));
  if (!Array.isArray(value) || value.length !== count)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be an integer or a list of ${count}; received ${show(value)}.`,
    );
  return value.map((item, i) => checkCount(`${what}[${i}]`, item, { min }));
}

/** Outputs of one axis. */
export function outputSize(input: number, kernel: number, stride: number, dilation: number, same: boolean): number {
  return same ? Math.ceil(input / stride) : Math.floor((input - (kernel - 1) * dilation - 1) / stride) + 1;
}

/** [n, length, channels] as images of height 1. */
export function asImages(x: Computed): Computed {
  const [n, length, channels] = x.shape;
  return ops.reshape(x, [n!, 1, length!, channels!]);
}

/** Images of height 1 as [n, length, channels]. */
export function asSequences(x: Computed): Computed {
  const [n, , length, channels] = x.shape;
  return ops.reshape(x, [n!, length!, channels!]);
}

const spatialNames = { 1: 'length', 2: 'height, width' } as const;

export abstract class ConvLayer extends Layer {
  readonly kernelSize: readonly number[];
  readonly strides: readonly number[];
  readonly padding: PaddingMode;
  readonly dilationRate: readonly number[];
  readonly useBias: boolean;
  protected readonly activation: ActivationFunction;
  readonly #biasOptions: WeightOptions;
  #bias: Weight | null = null; // (filters)

  constructor(
    kind: string,
    read: Options<ConvLayerOptions>,
    readonly rank: 1 | 2,
    paddings: readonly PaddingMode[] = ['valid', 'same'],
  ) {
    super(kind, read);
    const { raw } = read;
    this.kernelSize = checkSizes(read.what('kernelSize'), read.required('kernelSize'), rank);
    this.strides = checkSizes(read.what('strides'), raw.strides ?? 1, rank);
    this.padding = (read as Options<{ padding: PaddingMode }>).oneOf('padding', paddings, 'valid');
    this.dilationRate = checkSizes(read.what('dilationRate'), raw.dilationRate ?? 1, rank);
    this.useBias = read.flag('useBias', true);
    this.activation = resolveActivation(read.what('activation'), raw.activation);
    this.#biasOptions = new WeightOptions(read, 'bias', 'zeros');
  }

  override getConfig(): Config {
    return {
      ...super.getConfig(),
      kernelSize: [...this.kernelSize],
      strides: [...this.strides],
      padding: this.padding,
      dilationRate: [...this.dilationRate],
      activation: activationConfig(this.activation),
      useBias: this.useBias,
      ...this.#biasOptions.getConfig(),
    };
  }

  /** Checks an input and gives its spatial sizes and channels. */
  protected checkImages(inputShape: Shape): { spatial: readonly number[]; channels: number } {
    if (inputShape.length !== this.rank + 1)
      throw this.mismatch(`inputs [n, ${spatialNames[this.rank]}, channels]`, inputShape);
    this.checkFeatures(inputShape);
    return { spatial: inputShape.slice(0, -1), channels: inputShape.at(-1)! };
  }

  /** Spatial sizes of a convolution's output. */
  protected convolved(inputShape: Shape): number[] {
    const { spatial } = this.checkImages(inputShape);
    return spatial.map((size, i) => {
      const [kernel, dilation] = [this.kernelSize[i]!, this.dilationRate[i]!];
      const out = outputSize(size, kernel, this.strides[i]!, dilation, this.padding !== 'valid');
      if (out < 1)
        throw this.mismatch(
          `inputs into which its kernel of ${(kernel - 1) * dilation + 1} fits (or padding 'same')`,
          inputShape,
        );
      return out;
    });
  }

  protected declareBias(filters: number): void {
    if (!this.useBias) return;
    const { initializer, regularizer, constraint } = this.#biasOptions;
    this.#bias = this.addWeight('bias', [filters], initializer, regularizer, constraint);
  }

  protected declareKernel(name: string, shape: Shape, options: WeightOptions): Weight {
    return this.addWeight(name, shape, options.initializer, options.regularizer, options.constraint);
  }

  /** Options for ops.conv2d. */
  protected windows(): { strides: [number, number]; padding: ops.Padding; dilation: [number, number] } {
    const two = (sizes: readonly number[]): [number, number] => [this.rank === 1 ? 1 : sizes[0]!, sizes.at(-1)!];
    const causal = this.padding === 'causal';
    const before = (this.kernelSize.at(-1)! - 1) * this.dilationRate.at(-1)!;
    return {
      strides: two(this.strides),
      padding: causal ? [[0, 0] as const, [before, 0] as const] : (this.padding as 'valid' | 'same'),
      dilation: two(this.dilationRate),
    };
  }

  /** Adds the bias, applies the activation. */
  protected finish(sums: Computed): Computed {
    return this.activation(this.#bias ? ops.add(sums, this.#bias.variable) : sums);
  }
}

/** Options of a convolution layer, with keys of its own. */
export function convOptions<T extends ConvLayerOptions>(
  factory: string,
  options: T | undefined,
  keys: readonly (keyof T & string)[],
): Options<T> {
  return layerOptions<T>(factory, options, [...convKeys, ...keys]);
}
