// Initial values whose spread follows from the numbers of inputs and outputs of a unit.
import type { Storage } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { DownhillError, show } from '../errors.js';
import { camelCase } from '../names.js';
import { checkCount, checkOneOf, Options } from '../options.js';
import { type Shape, shapeText } from '../tensor/shape.js';
import { fans, RandomInitializer, type SeedOptions } from './initializer.js';

const modes = ['fanIn', 'fanOut', 'fanAvg'] as const;
const distributions = ['truncatedNormal', 'untruncatedNormal', 'uniform'] as const;

export type FanMode = (typeof modes)[number];
export type ScaledDistribution = (typeof distributions)[number];

export interface FanOptions extends SeedOptions {
  /** The axes whose product is the number of inputs, negative ones from the end; with outputAxes. By default as varianceScaling says. */
  inputAxes?: readonly number[] | null;
  /** The axes whose product is the number of outputs; with inputAxes. */
  outputAxes?: readonly number[] | null;
}

export const fanKeys = ['seed', 'inputAxes', 'outputAxes'] as const;

export interface VarianceScalingOptions extends FanOptions {
  /** Variance times n, above 0. */
  scale?: number;
  /** What n is: inputs ('fanIn'), outputs ('fanOut'), or the mean of both ('fanAvg'). */
  mode?: FanMode;
  /** 'normal' is another name of 'truncatedNormal', as in Keras. */
  distribution?: ScaledDistribution | 'normal';
}

/** Deviation of the standard normal distribution truncated at ±2: √(1 − 4φ(2) / (2Φ(2) − 1)). */
const kTruncated = 0.8796256610342398;

/** Draws with mean 0 and variance scale / n. */
export abstract class Scaled extends RandomInitializer {
  abstract readonly scale: number;
  abstract readonly mode: FanMode;
  abstract readonly distribution: ScaledDistribution;
  readonly #axes: { inputs: number[]; outputs: number[] } | null;

  constructor(read: Options<FanOptions>) {
    super(read);
    const { inputAxes, outputAxes } = read.raw;
    const given = [inputAxes ?? null, outputAxes ?? null];
    if (given.includes(null) && given.some((axes) => axes !== null))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${read.where}: inputAxes and outputAxes go together; one is missing.`,
      );
    this.#axes = given.includes(null)
      ? null
      : {
          inputs: checkAxes(read.what('inputAxes'), inputAxes),
          outputs: checkAxes(read.what('outputAxes'), outputAxes),
        };
  }

  override getConfig(): Config {
    const axes = this.#axes;
    return { ...super.getConfig(), ...(axes && { inputAxes: [...axes.inputs], outputAxes: [...axes.outputs] }) };
  }

  #fans(shape: Shape): { fanIn: number; fanOut: number } {
    if (!this.#axes) return fans(shape);
    const product = (axes: readonly number[]) =>
      axes.reduce((total, axis) => {
        const size = shape.at(axis);
        if (size !== undefined) return total * size;
        throw new DownhillError('SHAPE_MISMATCH', `${this.name}: shape ${shapeText(shape)} has no axis ${axis}.`);
      }, 1);
    return { fanIn: product(this.#axes.inputs), fanOut: product(this.#axes.outputs) };
  }

  protected override fill(storage: Storage, shape: Shape): void {
    const { fanIn, fanOut } = this.#fans(shape);
    const n = { fanIn, fanOut, fanAvg: (fanIn + fanOut) / 2 }[this.mode];
    const variance = this.scale / Math.max(1, n);
    if (this.distribution === 'uniform') {
      const limit = Math.sqrt(3 * variance);
      this.draw(storage, 'uniform', -limit, limit);
    } else if (this.distribution === 'untruncatedNormal') this.draw(storage, 'normal', 0, Math.sqrt(variance));
    else this.draw(storage, 'truncatedNormal', 0, Math.sqrt(variance) / kTruncated);
  }
}

export class VarianceScaling extends Scaled {
  override readonly name = 'initializers.varianceScaling';
  override readonly scale: number;
  override readonly mode: FanMode;
  override readonly distribution: ScaledDistribution;

  constructor(options?: VarianceScalingOptions) {
    const read = new Options<VarianceScalingOptions>('initializers.varianceScaling', options, [
      'scale',
      'mode',
      'distribution',
      ...fanKeys,
    ]);
    super(read);
    this.scale = read.number('scale', 1, { above: 0 });
    this.mode = checkOneOf(read.what('mode'), spelt(read.raw.mode ?? 'fanIn'), modes);
    const distribution = spelt(read.raw.distribution ?? 'truncatedNormal');
    this.distribution =
      distribution === 'normal'
        ? 'truncatedNormal'
        : checkOneOf(read.what('distribution'), distribution, distributions);
  }

  override getConfig(): Config {
    return { scale: this.scale, mode: this.mode, distribution: this.distribution, ...super.getConfig() };
  }
}

function checkAxes(what: string, axes: unknown): number[] {
  if (!Array.isArray(axes))
    throw new DownhillError('INVALID_ARGUMENT', `${what} must be a list of axes; received ${show(axes)}.`);
  return axes.map((axis, i) => checkCount(`${what}[${i}]`, axis, {}));
}

/** Keras's spelling ("fan_in") as ours. */
function spelt(value: unknown): unknown {
  return typeof value === 'string' ? camelCase(value) : value;
}

/**
 * Mean 0 and variance scale / n, where n counts the inputs or outputs of a unit: Keras `VarianceScaling`. With s = scale / max(1, n): normal of
 * deviation √s / 0.8796 truncated at two of those, normal of deviation √s, or uniform in ±√(3s).
 *
 * A shape [in, out] has those fans, [n] has n for both, a convolution's [h, w, in, out] has h·w·in and h·w·out; for others say inputAxes and
 * outputAxes.
 *
 * @param options scale (1), mode ('fanIn'), distribution ('truncatedNormal'), seed, inputAxes, outputAxes
 * @throws OUT_OF_RANGE, INVALID_ARGUMENT, UNKNOWN_OPTION; SHAPE_MISMATCH for a shape without those axes
 * @example layers.dense({ units: 64, kernelInitializer: initializers.varianceScaling({ scale: 0.5, mode: 'fanAvg', distribution: 'uniform' }) });
 * @see https://keras.io/api/layers/initializers/#variancescaling-class
 */
export function varianceScaling(options?: VarianceScalingOptions): VarianceScaling {
  return new VarianceScaling(options);
}
