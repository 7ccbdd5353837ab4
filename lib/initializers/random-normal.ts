// Normal initial values.
import type { Storage } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { Options } from '../options.js';
import { RandomInitializer, type SeedOptions } from './initializer.js';

export interface RandomNormalOptions extends SeedOptions {
  mean?: number;
  /** Standard deviation, at least 0. */
  stddev?: number;
}

export class RandomNormal extends RandomInitializer {
  override readonly name = 'initializers.randomNormal';
  readonly mean: number;
  readonly stddev: number;

  constructor(options?: RandomNormalOptions) {
    const read = new Options<RandomNormalOptions>('initializers.randomNormal', options, ['mean', 'stddev', 'seed']);
    super(read);
    this.mean = read.number('mean', 0);
    this.stddev = read.number('stddev', 0.05, { min: 0 });
  }

  override getConfig(): Config {
    return { mean: this.mean, stddev: this.stddev, ...super.getConfig() };
  }

  protected override fill(storage: Storage): void {
    this.draw(storage, 'normal', this.mean, this.stddev);
  }
}

/** Normal with mean 0 and deviation 0.05: Keras `RandomNormal`. */
export function randomNormal(options?: RandomNormalOptions): RandomNormal {
  return new RandomNormal(options);
}
