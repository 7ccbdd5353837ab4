// An activation as a layer of its own.
import type { Config } from '../../config/values.js';
import type { Shape } from '../../tensor/shape.js';
import {
  type Activation as ActivationLike,
  type ActivationFunction,
  activationConfig,
  resolveActivation,
} from '../activations.js';
import { floats } from '../floats.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';

export interface ActivationOptions extends LayerOptions {
  activation: ActivationLike;
}

export class Activation extends Layer {
  override readonly type = 'Activation';
  override readonly supportsMasking = true;
  readonly #activation: ActivationFunction;

  constructor(options: ActivationOptions | string) {
    const given = typeof options === 'string' ? { activation: options } : options;
    const read = layerOptions<ActivationOptions>('activation', given, ['activation']);
    super('activation', read);
    this.#activation = resolveActivation(read.what('activation'), read.required('activation'));
  }

  override getConfig(): Config {
    return { ...super.getConfig(), activation: activationConfig(this.#activation) };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override call(x: Computed): Computed {
    return this.#activation(floats(x));
  }
}

/**
 * An activation as a layer.
 *
 * @param options the activation's name, or { activation, name, inputShape }
 * @example
 * layers.activation({ activation: 'softmax' });
 */
export function activation(options: ActivationOptions | string): Activation {
  return new Activation(options);
}
