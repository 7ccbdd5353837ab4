// Initial values that are all the same.
import { binding, type Storage } from '../binding/index.js';
import { Options } from '../options.js';
import { type Shape, sizeOf } from '../tensor/shape.js';
import { Initializer } from './initializer.js';

export class Constant extends Initializer {
  constructor(
    readonly value: number,
    readonly name = 'initializers.constant',
  ) {
    super();
  }

  protected override fill(storage: Storage, shape: Shape): void {
    if (this.value !== 0)
      binding.storagesWrite([storage], ['float32'], [new Float32Array(sizeOf(shape)).fill(this.value)]);
  }
}

export interface ConstantOptions {
  value?: number;
}

/** Zeros: Keras `Zeros`. */
export function zeros(options?: Record<never, never>): Initializer {
  new Options('initializers.zeros', options, []);
  return new Constant(0, 'initializers.zeros');
}

/** Ones: Keras `Ones`. */
export function ones(options?: Record<never, never>): Initializer {
  new Options('initializers.ones', options, []);
  return new Constant(1, 'initializers.ones');
}

/**
 * One value everywhere, 0 by default: Keras `Constant`.
 *
 * @example initializers.constant({ value: 0.1 }).sample([10]);
 */
export function constant(options?: ConstantOptions): Initializer {
  return new Constant(new Options<ConstantOptions>('initializers.constant', options, ['value']).number('value', 0));
}
