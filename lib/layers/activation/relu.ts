// Rectifiers as layers: relu with a ceiling, a threshold and a slope, leakyRelu and elu.
import type { Config } from '../../config/values.js';
import * as ops from '../../graph/ops.js';
import type { Shape } from '../../tensor/shape.js';
import { floats } from '../floats.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';

export interface ReluOptions extends LayerOptions {
  /** The largest value that it gives; null, the default: none. */
  maxValue?: number | null;
  /** Slope below the threshold; 0 by default. */
  negativeSlope?: number;
  /** Above it x stays as it is; 0 by default. */
  threshold?: number;
}

export class Relu extends Layer {
  override readonly type = 'ReLU';
  override readonly supportsMasking = true;
  readonly maxValue: number | null;
  readonly negativeSlope: number;
  readonly threshold: number;

  constructor(options?: ReluOptions) {
    const read = layerOptions<ReluOptions>('relu', options, ['maxValue', 'negativeSlope', 'threshold']);
    super('relu', read);
    this.maxValue = read.optionalNumber('maxValue', { min: 0 }) ?? null;
    this.negativeSlope = read.number('negativeSlope', 0, { min: 0 });
    this.threshold = read.number('threshold', 0, { min: 0 });
  }

  override getConfig(): Config {
    const { maxValue, negativeSlope, threshold } = this;
    return { ...super.getConfig(), maxValue, negativeSlope, threshold };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override call(given: Computed): Computed {
    const { maxValue, negativeSlope: slope, threshold } = this;
    const x = floats(given);
    if (threshold === 0 && maxValue === null) return slope === 0 ? ops.relu(x) : ops.leakyRelu(x, { alpha: slope });
    let y = threshold === 0 ? ops.relu(x) : ops.where(ops.lessEqual(x, threshold), 0, x);
    if (maxValue !== null) y = ops.clip(y, 0, maxValue);
    return slope === 0 ? y : ops.sub(y, ops.mul(ops.relu(ops.sub(threshold, x)), slope));
  }
}

/**
 * Rectifier: maxValue where x ≥ maxValue, x where threshold < x < maxValue, negativeSlope · (x − threshold) elsewhere.
 *
 * @param options maxValue (null: none), negativeSlope (0), threshold (0), each at least 0; activityRegularizer, inputShape, name
 * @throws UNKNOWN_OPTION, OUT_OF_RANGE
 * @example
 * layers.relu({ maxValue: 6 });
 * @see https://keras.io/api/layers/activation_layers/relu/
 */
export function relu(options?: ReluOptions): Relu {
  return new Relu(options);
}

export interface LeakyReluOptions extends LayerOptions {
  /** Slope where x is negative; 0.3 by default. */
  negativeSlope?: number;
}

export class LeakyRelu extends Layer {
  override readonly type = 'LeakyReLU';
  override readonly supportsMasking = true;
  readonly negativeSlope: number;

  constructor(options?: LeakyReluOptions) {
    const read = layerOptions<LeakyReluOptions>('leakyRelu', options, ['negativeSlope']);
    super('leaky_relu', read);
    this.negativeSlope = read.number('negativeSlope', 0.3);
  }

  override getConfig(): Config {
    return { ...super.getConfig(), negativeSlope: this.negativeSlope };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override call(x: Computed): Computed {
    return ops.leakyRelu(x, { alpha: this.negativeSlope });
  }
}

/**
 * Leaky rectifier: x where x > 0, negativeSlope · x elsewhere.
 *
 * @param options negativeSlope (0.3: the activation of that name has 0.2, as in Keras), activityRegularizer, inputShape, name
 * @throws UNKNOWN_OPTION, OUT_OF_RANGE
 * @example
 * layers.leakyRelu({ negativeSlope: 0.01 });
 * @see https://keras.io/api/layers/activation_layers/leaky_relu/
 */
export function leakyRelu(options?: LeakyReluOptions): LeakyRelu {
  return new LeakyRelu(options);
}

export interface EluOptions extends LayerOptions {
  /** Minus the limit for x → −∞; 1 by default. */
  alpha?: number;
}

export class Elu extends Layer {
  override readonly type = 'ELU';
  override readonly supportsMasking = true;
  readonly alpha: number;

  constructor(options?: EluOptions) {
    const read = layerOptions<EluOptions>('elu', options, ['alpha']);
    super('elu', read);
    this.alpha = read.number('alpha', 1);
  }

  override getConfig(): Config {
    return { ...super.getConfig(), alpha: this.alpha };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return inputShape;
  }

  override call(x: Computed): Computed {
    return ops.elu(x, { alpha: this.alpha });
  }
}

/**
 * Exponential linear unit: x where x > 0, alpha · (eˣ − 1) elsewhere.
 *
 * @param options alpha (1), activityRegularizer, inputShape, name
 * @throws UNKNOWN_OPTION, OUT_OF_RANGE
 * @example
 * layers.elu({ alpha: 0.5 });
 * @see Clevert, Unterthiner and Hochreiter 2016, Fast and Accurate Deep Network Learning by Exponential Linear Units
 */
export function elu(options?: EluOptions): Elu {
  return new Elu(options);
}
