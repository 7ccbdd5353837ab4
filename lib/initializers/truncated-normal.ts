// Truncated normal initial values.
import type { Storage } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { Options } from '../options.js';
import { RandomInitializer, type SeedOptions } from './initializer.js';

export interface TruncatedNormalOptions extends SeedOptions {
  mean?: number;
  /** Standard deviation before truncation, at least 0. */
  stddev?: number;
}

export class TruncatedNormal extends RandomInitializer {
  override readonly name = 'initializers.truncatedNormal';
  readonly mean: number;
  readonly stddev: number;

  constructor(options?: TruncatedNormalOptions) {
    const read = new Options<TruncatedNormalOptions>('initializers.truncatedNormal', options, [
      'mean',
      'stddev',
      'seed',
    ]);
    super(read);
    this.mean = read.number('mean', 0);
    this.stddev = read.number('stddev', 0.05, { min: 0 });
  }

  override getConfig(): Config {
    return { mean: this.mean, stddev: this.stddev, ...super.getConfig() };
  }

  protected override fill(storage: Storage): void {
    this.draw(storage, 'truncatedNormal', this.mean, this.stddev);
  }
}

/**
 * Normal, on condition that the value lies within mean ± 2 · stddev: Keras `TruncatedNormal`. What is left has a deviation of 0.8796 · stddev.
 *
 * @param options mean (0), stddev (0.05), seed
 * @throws OUT_OF_RANGE, UNKNOWN_OPTION
 * @example initializers.truncatedNormal({ stddev: 0.02 }).sample([512, 512]);
 * @see https://keras.io/api/layers/initializers/#truncatednormal-class
 */
export function truncatedNormal(options?: TruncatedNormalOptions): TruncatedNormal {
  return new TruncatedNormal(options);
}
