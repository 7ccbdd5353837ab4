// Glorot's uniform initial values.
import type { Storage } from '../binding/index.js';
import { Options } from '../options.js';
import type { Shape } from '../tensor/shape.js';
import { fans, RandomInitializer, type SeedOptions } from './initializer.js';

export class GlorotUniform extends RandomInitializer {
  override readonly name = 'initializers.glorotUniform';

  constructor(options?: SeedOptions) {
    super(new Options<SeedOptions>('initializers.glorotUniform', options, ['seed']));
  }

  protected override fill(storage: Storage, shape: Shape): void {
    const { fanIn, fanOut } = fans(shape);
    const limit = Math.sqrt(3 / Math.max(1, (fanIn + fanOut) / 2));
    this.draw(storage, 'uniform', -limit, limit);
  }
}

/**
 * Uniform in ±√(6 / (fan in + fan out)): Glorot and Bengio 2010, the lecture's normalised heuristic, Keras's default for kernels.
 */
export function glorotUniform(options?: SeedOptions): GlorotUniform {
  return new GlorotUniform(options);
}
