// Initial values that are all the same.
import { binding, type Storage } from '../binding/index.js';
import type { Config } from '../config/values.js';
import { Options } from '../options.js';
import { type Shape, sizeOf } from '../tensor/shape.js';
import { Initializer } from './initializer.js';

abstract class Filled extends Initializer {
  abstract readonly value: number;

  protected override fill(storage: Storage, shape: Shape): void {
    if (this.value !== 0)
      binding.storagesWrite([storage], ['float32'], [new Float32Array(sizeOf(shape)).fill(this.value)]);
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
  value?: number;
}

export class Constant extends Filled {
  override readonly name = 'initializers.constant';
  override readonly value: number;

  constructor(options?: ConstantOptions) {
    super();
    this.value = new Options<ConstantOptions>('initializers.constant', options, ['value']).number('value', 0);
  }

  override getConfig(): Config {
    return { value: this.value };
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
 * One value everywhere, 0 by default: Keras `Constant`.
 *
 * @example initializers.constant({ value: 0.1 }).sample([10]);
 */
export function constant(options?: ConstantOptions): Initializer {
  return new Constant(options);
}
