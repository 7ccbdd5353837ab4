// What normalized values are multiplied with and what is added to them: gamma and beta, learned, along some axes.
import type { Config } from '../../config/values.js';
import type { ConstraintLike } from '../../constraints/resolve.js';
import * as ops from '../../graph/ops.js';
import type { InitializerLike } from '../../initializers/index.js';
import type { Options } from '../../options.js';
import type { RegularizerLike } from '../../regularizers/resolve.js';
import { type Shape, sameShape } from '../../tensor/shape.js';
import { AxisLayer } from '../axis-layer.js';
import { type Computed, type LayerOptions, layerOptions } from '../layer.js';
import type { Weight } from '../weight.js';
import { WeightOptions } from '../weight-options.js';

export interface AffineOptions extends LayerOptions {
  /** Added to the denominator's square. */
  epsilon?: number;
  /** Whether beta is added; true by default. */
  center?: boolean;
  /** Whether values are multiplied with gamma; true by default. */
  scale?: boolean;
  betaInitializer?: InitializerLike;
  gammaInitializer?: InitializerLike;
  betaRegularizer?: RegularizerLike | null;
  gammaRegularizer?: RegularizerLike | null;
  betaConstraint?: ConstraintLike | null;
  gammaConstraint?: ConstraintLike | null;
}

const affineKeys = [
  'epsilon',
  'center',
  'scale',
  'betaInitializer',
  'gammaInitializer',
  'betaRegularizer',
  'gammaRegularizer',
  'betaConstraint',
  'gammaConstraint',
] as const;

/** Reads the options of a normalization: its own keys, those of gamma and beta, and those of all layers. */
export function affineOptions<T extends AffineOptions>(
  factory: string,
  options: T | undefined,
  keys: readonly (keyof T & string)[],
): Options<T> {
  return layerOptions<T>(factory, options, [...keys, ...affineKeys]);
}

/** Base of normalizations with gamma and beta. */
export abstract class AffineLayer extends AxisLayer {
  readonly epsilon: number;
  readonly center: boolean;
  readonly scale: boolean;
  protected gamma: Weight | null = null;
  protected beta: Weight | null = null;
  readonly #options: { gamma: WeightOptions; beta: WeightOptions };
  /** Of gamma and beta; null before the layer is built. */
  #shape: Shape | null = null;

  constructor(kind: string, read: Options<AffineOptions>, several: boolean) {
    super(kind, read, { several });
    this.epsilon = read.number('epsilon', 1e-3, { min: 0 });
    this.center = read.flag('center', true);
    this.scale = read.flag('scale', true);
    this.#options = { gamma: new WeightOptions(read, 'gamma', 'ones'), beta: new WeightOptions(read, 'beta', 'zeros') };
  }

  override getConfig(): Config {
    const { epsilon, center, scale } = this;
    const { gamma, beta } = this.#options;
    return { ...super.getConfig(), epsilon, center, scale, ...beta.getConfig(), ...gamma.getConfig() };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    const shape = this.featureShape(inputShape);
    if (this.#shape && !sameShape(shape, this.#shape))
      throw this.mismatch(`[${this.#shape.join(', ')}] along the axis, as when it was built`, inputShape);
    return inputShape;
  }

  protected override declareWeights(inputShape: Shape): void {
    this.#shape = this.featureShape(inputShape);
    const { gamma, beta } = this.#options;
    if (this.scale) this.gamma = this.#declare(gamma, this.#shape);
    if (this.center) this.beta = this.#declare(beta, this.#shape);
  }

  /** x · factor · gamma + beta, these two under a shape that broadcasts; the smaller product first where it is smaller. */
  protected affine(x: Computed, factor: Computed, shape: Shape, together: boolean): Computed {
    const { gamma, beta } = this;
    const wide = (weight: Weight) => ops.reshape(weight.variable, shape);
    let y: Computed;
    if (!gamma) y = ops.mul(x, factor);
    else y = together ? ops.mul(x, ops.mul(factor, wide(gamma))) : ops.mul(ops.mul(x, factor), wide(gamma));
    return beta ? ops.add(y, wide(beta)) : y;
  }

  #declare({ name, initializer, regularizer, constraint }: WeightOptions, shape: Shape): Weight {
    return this.addWeight(name, shape, initializer, regularizer, constraint);
  }
}

/** Nested objects of the options, for configs. */
export const affineNested = {
  betaInitializer: 'initializer',
  gammaInitializer: 'initializer',
  betaRegularizer: 'regularizer',
  gammaRegularizer: 'regularizer',
  betaConstraint: 'constraint',
  gammaConstraint: 'constraint',
} as const;
