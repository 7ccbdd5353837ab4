// Fully connected layer.
import { serialize } from '../../config/registry.js';
import type { Config } from '../../config/values.js';
import { type Initializer, type InitializerLike, resolveInitializer } from '../../initializers/index.js';
import type { Constraint } from '../../constraints/constraint.js';
import { type ConstraintLike, resolveConstraint } from '../../constraints/resolve.js';
import * as ops from '../../graph/ops.js';
import type { SymbolicSparse } from '../../graph/sparse.js';
import type { Regularizer } from '../../regularizers/regularizer.js';
import { type RegularizerLike, resolveRegularizer } from '../../regularizers/resolve.js';
import type { Shape } from '../../tensor/shape.js';
import { type Activation, type ActivationFunction, activationConfig, resolveActivation } from '../activations.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';
import type { Weight } from '../weight.js';

export interface DenseOptions extends LayerOptions {
  /** Length of the output's last axis. */
  units: number;
  activation?: Activation | null;
  useBias?: boolean;
  kernelInitializer?: InitializerLike;
  biasInitializer?: InitializerLike;
  kernelRegularizer?: RegularizerLike | null;
  biasRegularizer?: RegularizerLike | null;
  kernelConstraint?: ConstraintLike | null;
  biasConstraint?: ConstraintLike | null;
}

export class Dense extends Layer {
  override readonly type = 'Dense';
  override readonly supportsMasking = true;
  readonly units: number;
  readonly useBias: boolean;
  readonly #activation: ActivationFunction;
  readonly #initializers: { kernel: Initializer; bias: Initializer };
  readonly #regularizers: { kernel: Regularizer | null; bias: Regularizer | null };
  readonly #constraints: { kernel: Constraint | null; bias: Constraint | null };
  #kernel!: Weight; // (features, units)
  #bias: Weight | null = null; // (units)

  constructor(options: DenseOptions) {
    const read = layerOptions<DenseOptions>('dense', options, [
      'units',
      'activation',
      'useBias',
      'kernelInitializer',
      'biasInitializer',
      'kernelRegularizer',
      'biasRegularizer',
      'kernelConstraint',
      'biasConstraint',
    ]);
    super('dense', read);
    this.units = read.count('units');
    this.useBias = read.flag('useBias', true);
    const { activation, kernelInitializer, biasInitializer, kernelRegularizer, biasRegularizer } = read.raw;
    this.#activation = resolveActivation(read.what('activation'), activation);
    this.#initializers = {
      kernel: resolveInitializer(read.what('kernelInitializer'), kernelInitializer ?? 'glorotUniform'),
      bias: resolveInitializer(read.what('biasInitializer'), biasInitializer ?? 'zeros'),
    };
    this.#regularizers = {
      kernel: resolveRegularizer(read.what('kernelRegularizer'), kernelRegularizer),
      bias: resolveRegularizer(read.what('biasRegularizer'), biasRegularizer),
    };
    this.#constraints = {
      kernel: resolveConstraint(read.what('kernelConstraint'), read.raw.kernelConstraint),
      bias: resolveConstraint(read.what('biasConstraint'), read.raw.biasConstraint),
    };
  }

  override getConfig(): Config {
    const { kernel, bias } = this.#regularizers;
    const { kernel: kernelConstraint, bias: biasConstraint } = this.#constraints;
    return {
      ...super.getConfig(),
      units: this.units,
      activation: activationConfig(this.#activation),
      useBias: this.useBias,
      kernelInitializer: serialize(this.#initializers.kernel),
      biasInitializer: serialize(this.#initializers.bias),
      kernelRegularizer: kernel && serialize(kernel),
      biasRegularizer: bias && serialize(bias),
      kernelConstraint: kernelConstraint && serialize(kernelConstraint),
      biasConstraint: biasConstraint && serialize(biasConstraint),
    };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    if (inputShape.length === 0) throw this.mismatch('inputs of rank 2 or more, [n, …, features]', inputShape);
    this.checkFeatures(inputShape);
    return [...inputShape.slice(0, -1), this.units];
  }

  protected override declareWeights(inputShape: Shape): void {
    this.#kernel = this.addWeight(
      'kernel',
      [inputShape.at(-1)!, this.units],
      this.#initializers.kernel,
      this.#regularizers.kernel,
      this.#constraints.kernel,
    );
    if (this.useBias)
      this.#bias = this.addWeight(
        'bias',
        [this.units],
        this.#initializers.bias,
        this.#regularizers.bias,
        this.#constraints.bias,
      );
  }

  override call(x: Computed): Computed {
    return this.#finish(ops.matmul(x, this.#kernel.variable));
  }

  protected override callSparse({ indptr, indices, values }: SymbolicSparse): Computed {
    return this.#finish(ops.sparseMatmul(indptr, indices, values, this.#kernel.variable));
  }

  #finish(product: Computed): Computed {
    return this.#activation(this.#bias ? ops.add(product, this.#bias.variable) : product);
  }
}

/**
 * Fully connected: activation(x·W + b), on the last axis of inputs of rank 2 and more.
 *
 * @param options units; activation (none by default), useBias (true), kernelInitializer ('glorotUniform'), biasInitializer
 *   ('zeros'), kernelRegularizer, biasRegularizer, activityRegularizer, kernelConstraint, biasConstraint, inputShape,
 *   name, trainable
 * @returns a layer from [n, …, features] to [n, …, units], with weights kernel (features, units) and bias (units)
 * @example
 * layers.dense({ units: 32, activation: 'sigmoid', inputShape: [784] });
 * @see https://keras.io/api/layers/core_layers/dense/
 */
export function dense(options: DenseOptions): Dense {
  return new Dense(options);
}
