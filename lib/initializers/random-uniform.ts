// Uniform initial values.
import type { Storage } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { DownhillError } from '../errors.js';
import { Options } from '../options.js';
import { RandomInitializer, type SeedOptions } from './initializer.js';

export interface RandomUniformOptions extends SeedOptions {
  minval?: number;
  maxval?: number;
}

export class RandomUniform extends RandomInitializer {
  override readonly name = 'initializers.randomUniform';
  readonly minval: number;
  readonly maxval: number;

  constructor(options?: RandomUniformOptions) {
    const read = new Options<RandomUniformOptions>('initializers.randomUniform', options, ['minval', 'maxval', 'seed']);
    super(read);
    this.minval = read.number('minval', -0.05);
    this.maxval = read.number('maxval', 0.05);
    if (this.minval > this.maxval)
      throw new DownhillError(
        'OUT_OF_RANGE',
        `initializers.randomUniform: expected minval ≤ maxval; received ${this.minval} and ${this.maxval}.`,
      );
  }

  override getConfig(): Config {
    return { minval: this.minval, maxval: this.maxval, ...super.getConfig() };
  }

  protected override fill(storage: Storage): void {
    this.draw(storage, 'uniform', this.minval, this.maxval);
  }
}

/** Uniform in [−0.05, 0.05): Keras `RandomUniform`. */
export function randomUniform(options?: RandomUniformOptions): RandomUniform {
  return new RandomUniform(options);
}
