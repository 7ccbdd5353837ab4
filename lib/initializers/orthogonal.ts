// Orthogonal initial values.
import { binding, type Storage } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { Options } from '../options.js';
import type { Shape } from '../tensor/shape.js';
import { matrixOf, RandomInitializer, type SeedOptions } from './initializer.js';

export interface OrthogonalOptions extends SeedOptions {
  /** Factor of the matrix. */
  gain?: number;
}

export class Orthogonal extends RandomInitializer {
  override readonly name = 'initializers.orthogonal';
  readonly gain: number;

  constructor(options?: OrthogonalOptions) {
    const read = new Options<OrthogonalOptions>('initializers.orthogonal', options, ['gain', 'seed']);
    super(read);
    this.gain = read.number('gain', 1);
  }

  override getConfig(): Config {
    return { gain: this.gain, ...super.getConfig() };
  }

  protected override fill(storage: Storage, shape: Shape): void {
    const { inputs, units } = matrixOf(this.name, shape);
    const { seed, stream } = this.key();
    binding.storageOrthogonal(storage, inputs, units, this.gain, seed, stream);
  }
}

/**
 * gain · Q, a random matrix with orthonormal columns (QᵀQ = I), or orthonormal rows where there are fewer rows than columns: Keras `Orthogonal`.
 * Q is that of the QR factorization of a matrix of standard normal numbers, with the signs that make R's diagonal positive: uniformly distributed.
 * All axes but the last are the rows; PyTorch's `orthogonal_` takes all but the first as the columns.
 *
 * @param options gain (1), seed
 * @throws SHAPE_MISMATCH below rank 2; OUT_OF_RANGE, UNKNOWN_OPTION
 * @example initializers.orthogonal({ gain: Math.SQRT2 }).sample([256, 256]);
 * @see Saxe et al. 2014, arXiv:1312.6120
 */
export function orthogonal(options?: OrthogonalOptions): Orthogonal {
  return new Orthogonal(options);
}
