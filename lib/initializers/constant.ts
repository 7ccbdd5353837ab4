// Initial values that are given, not drawn.
import { binding, type Storage } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { DownhillError } from '../errors.js';
import { checkNumber, Options } from '../options.js';
import { type Shape, shapeText, sizeOf } from '../tensor/shape.js';
import { Initializer } from './initializer.js';

abstract class Filled extends Initializer {
  abstract readonly value: number | readonly number[];

  protected override fill(storage: Storage, shape: Shape): void {
    const { value } = this;
    if (value === 0) return;
    const values = new Float32Array(sizeOf(shape));
    if (typeof value === 'number') values.fill(value);
    else {
      if (shape.at(-1) !== value.length)
        throw new DownhillError(
          'SHAPE_MISMATCH',
          `${this.name}: ${value.length} values need a shape whose last axis is ${value.length}; received ${shapeText(shape)}.`,
        );
      for (let i = 0; i < values.length; i++) values[i] = value[i % value.length]!;
    }
    binding.storagesWrite([storage], ['float32'], [values]);
  }
}

export class Zeros extends Filled {
  override readonly name = 'initializers.zeros';
  override readonly value = 0;
}

export class Ones extends Filled {
  override readonly name = 'initializers.ones';
  override readonly value = 1;
}

export interface ConstantOptions {
  /** One number for all elements, or one for each index of the last axis. */
  value?: number | readonly number[];
}

export class Constant extends Filled {
  override readonly name = 'initializers.constant';
  override readonly value: number | readonly number[];

  constructor(options?: ConstantOptions) {
    super();
    const read = new Options<ConstantOptions>('initializers.constant', options, ['value']);
    const value: unknown = read.raw.value;
    this.value = Array.isArray(value)
      ? value.map((item, i) => checkNumber(`${read.what('value')}[${i}]`, item))
      : read.number('value', 0);
  }

  override getConfig(): Config {
    return { value: typeof this.value === 'number' ? this.value : [...this.value] };
  }
}

/** Zeros: Keras `Zeros`. */
export function zeros(options?: Record<never, never>): Initializer {
  new Options('initializers.zeros', options, []);
  return new Zeros();
}

/** Ones: Keras `Ones`. */
export function ones(options?: Record<never, never>): Initializer {
  new Options('initializers.ones', options, []);
  return new Ones();
}

/**
 * One value everywhere, 0 by default, or given values along the last axis: Keras `Constant`.
 *
 * @param options value
 * @throws SHAPE_MISMATCH where a list of values does not fit a shape; OUT_OF_RANGE, INVALID_ARGUMENT
 * @example
 * initializers.constant({ value: 0.1 }).sample([10]);
 * initializers.constant({ value: [-1, 0, 1] }).sample([3]); // biases of three units
 */
export function constant(options?: ConstantOptions): Initializer {
  return new Constant(options);
}
