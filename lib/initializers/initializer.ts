// What every initializer is, and the random ways to fill memory.
import { binding, type Distribution, type Storage } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { DownhillError } from '../errors.js';
import type { Options } from '../options.js';
import { checkShape } from '../options.js';
import { checkSeed, drawKey } from '../random.js';
import { elementBytes, type Shape, shapeText, sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';

/** Makes the values that a weight starts with. */
export abstract class Initializer {
  /** In messages: "initializers.glorotUniform". */
  abstract readonly name: string;

  /** The options that make an equal initializer, as plain JSON. */
  getConfig(): Config {
    return {};
  }

  /**
   * A float32 Tensor of that shape. With a seed of its own an initializer gives the same values each time; without, each call draws
   * anew from the library's seed.
   */
  sample(shape: Shape): Tensor {
    const checked = checkShape(`${this.name}: shape`, shape);
    const [storage] = binding.arena([sizeOf(checked) * elementBytes]);
    this.fill(storage, checked);
    return new Tensor(storage, checked, 'float32');
  }

  /** Fills zeroed memory. */
  protected abstract fill(storage: Storage, shape: Shape): void;
}

export interface SeedOptions {
  /** An integer in [0, 2³²); by default each sample draws from the library's seed. */
  seed?: number | null;
}

/** Base of the initializers that draw. */
export abstract class RandomInitializer extends Initializer {
  readonly seed: number | null;

  constructor(read: Options<SeedOptions>) {
    super();
    const given = read.raw.seed;
    this.seed = given === undefined || given === null ? null : checkSeed(read.what('seed'), given);
  }

  override getConfig(): Config {
    return { seed: this.seed };
  }

  /** Names the draws of one sample. */
  protected key(): { seed: number; stream: number } {
    return this.seed === null ? drawKey() : { seed: this.seed, stream: 0 };
  }

  /** Uniform in [a, b), or normal with mean a and deviation b, truncated at two deviations or not. */
  protected draw(storage: Storage, kind: Distribution, a: number, b: number): void {
    const { seed, stream } = this.key();
    binding.storageRandom(storage, kind, a, b, seed, stream);
  }
}

/** A weight as the matrix (inputs, units) of all axes but the last, and the last. Throws SHAPE_MISMATCH below rank 2. */
export function matrixOf(what: string, shape: Shape): { inputs: number; units: number } {
  if (shape.length < 2)
    throw new DownhillError(
      'SHAPE_MISMATCH',
      `${what} needs a shape of rank 2 or more, [inputs, …, units]; received ${shapeText(shape)}.`,
    );
  return { inputs: sizeOf(shape.slice(0, -1)), units: shape.at(-1)! };
}

/**
 * Inputs and outputs of a unit, for weights of that shape, as Keras's compute_fans: the axes before the last two are those of a convolution, whose
 * product counts for both.
 */
export function fans(shape: Shape): { fanIn: number; fanOut: number } {
  if (shape.length === 0) return { fanIn: 1, fanOut: 1 };
  if (shape.length === 1) return { fanIn: shape[0], fanOut: shape[0] };
  const field = sizeOf(shape.slice(0, -2));
  return { fanIn: field * shape.at(-2)!, fanOut: field * shape.at(-1)! };
}
