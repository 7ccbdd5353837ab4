// The rectifier whose negative slope is learned.
import type { Config } from '../../config/values.js';
import type { ConstraintLike } from '../../constraints/resolve.js';
import * as ops from '../../graph/ops.js';
import type { InitializerLike } from '../../initializers/index.js';
import type { RegularizerLike } from '../../regularizers/resolve.js';
import { type Shape, sameShape } from '../../tensor/shape.js';
import { axesOf, checkAxes } from '../axes.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';
import type { Weight } from '../weight.js';
import { WeightOptions } from '../weight-options.js';

export interface PreluOptions extends LayerOptions {
  alphaInitializer?: InitializerLike;
  alphaRegularizer?: RegularizerLike | null;
  alphaConstraint?: ConstraintLike | null;
  /** Axes of a batch [n, …] along which one alpha is shared: [1, 2] for images [n, height, width, channels]; none by default. */
  sharedAxes?: readonly number[] | null;
}

export class Prelu extends Layer {
  override readonly type = 'PReLU';
  override readonly supportsMasking = true;
  readonly #shared: readonly number[] | null;
  readonly #options: WeightOptions;
  #alpha: Weight | null = null; // (…one example, 1 along shared axes)

  constructor(options?: PreluOptions) {
    const keys = ['alphaInitializer', 'alphaRegularizer', 'alphaConstraint', 'sharedAxes'] as const;
    const read = layerOptions<PreluOptions>('prelu', options, keys);
    super('prelu', read);
    this.#options = new WeightOptions(read, 'alpha', 'zeros');
    const { sharedAxes } = read.raw;
    this.#shared = (sharedAxes ?? null) === null ? null : checkAxes(read.what('sharedAxes'), sharedAxes, -1);
  }

  override getConfig(): Config {
    const sharedAxes = this.#shared && [...this.#shared];
    return { ...super.getConfig(), ...this.#options.getConfig(), sharedAxes };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    const shape = this.#shapeOf(inputShape);
    if (this.#alpha && !sameShape(shape, this.#alpha.shape))
      throw this.mismatch(`examples whose alpha has shape [${this.#alpha.shape.join(', ')}]`, inputShape);
    return inputShape;
  }

  protected override declareWeights(inputShape: Shape): void {
    const { initializer, regularizer, constraint } = this.#options;
    this.#alpha = this.addWeight('alpha', this.#shapeOf(inputShape), initializer, regularizer, constraint);
  }

  override call(x: Computed): Computed {
    return ops.sub(ops.relu(x), ops.mul(ops.relu(ops.neg(x)), this.#alpha!.variable));
  }

  #shapeOf(inputShape: Shape): Shape {
    const shared = this.#shared ? axesOf(this.#shared, inputShape.length + 1) : [];
    if (!shared) throw this.mismatch(`an input with axes ${this.#shared!.join(' and ')}`, inputShape);
    return inputShape.map((dim, i) => (shared.includes(i + 1) ? 1 : dim));
  }
}

/**
 * Parametric rectifier: x where x > 0, alpha · x elsewhere, with an alpha that is learned for each element of an example, or one along shared axes.
 *
 * @param options alphaInitializer ('zeros'), alphaRegularizer, alphaConstraint, sharedAxes (null: none), activityRegularizer, inputShape, name, trainable
 * @returns a layer that keeps the shape, with the weight alpha of the shape of one example, 1 along shared axes
 * @throws UNKNOWN_OPTION, INVALID_ARGUMENT, SHAPE_MISMATCH
 * @example
 * layers.prelu({ sharedAxes: [1, 2], inputShape: [28, 28, 8] });
 * @see He et al. 2015, Delving Deep into Rectifiers: Surpassing Human-Level Performance on ImageNet Classification
 */
export function prelu(options?: PreluOptions): Prelu {
  return new Prelu(options);
}
