// Initial values whose spread follows from the numbers of inputs and outputs of a unit.
import type { Storage } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { camelCase } from '../names.js';
import { checkOneOf, Options } from '../options.js';
import type { Shape } from '../tensor/shape.js';
import { fans, RandomInitializer, type SeedOptions } from './initializer.js';

const modes = ['fanIn', 'fanOut', 'fanAvg'] as const;
const distributions = ['truncatedNormal', 'untruncatedNormal', 'uniform'] as const;

export type FanMode = (typeof modes)[number];
export type ScaledDistribution = (typeof distributions)[number];

export interface VarianceScalingOptions extends SeedOptions {
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

  protected override fill(storage: Storage, shape: Shape): void {
    const { fanIn, fanOut } = fans(shape);
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
      'seed',
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

/** Keras's spelling ("fan_in") as ours. */
function spelt(value: unknown): unknown {
  return typeof value === 'string' ? camelCase(value) : value;
}

/**
 * Mean 0 and variance scale / n, where n counts the inputs or outputs of a unit: Keras `VarianceScaling`. With s = scale / max(1, n): normal of
 * deviation √s / 0.8796 truncated at two of those, normal of deviation √s, or uniform in ±√(3s).
 *
 * A shape [in, out] has those fans, [n] has n for both, a convolution's [h, w, in, out] has h·w·in and h·w·out.
 *
 * @param options scale (1), mode ('fanIn'), distribution ('truncatedNormal'), seed
 * @throws OUT_OF_RANGE, INVALID_ARGUMENT, UNKNOWN_OPTION
 * @example layers.dense({ units: 64, kernelInitializer: initializers.varianceScaling({ scale: 0.5, mode: 'fanAvg', distribution: 'uniform' }) });
 * @see https://keras.io/api/layers/initializers/#variancescaling-class
 */
export function varianceScaling(options?: VarianceScalingOptions): VarianceScaling {
  return new VarianceScaling(options);
}
