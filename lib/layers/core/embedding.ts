// Vectors that are looked up by index.
import type { DType } from '../../binding/native.js';
import { serialize } from '../../config/registry.js';
import type { Config } from '../../config/values.js';
import type { Constraint } from '../../constraints/constraint.js';
import { type ConstraintLike, resolveConstraint } from '../../constraints/resolve.js';
import * as ops from '../../graph/ops.js';
import { type Initializer, type InitializerLike, resolveInitializer } from '../../initializers/index.js';
import type { Regularizer } from '../../regularizers/regularizer.js';
import { type RegularizerLike, resolveRegularizer } from '../../regularizers/resolve.js';
import type { Shape } from '../../tensor/shape.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';
import type { Mask } from '../mask.js';
import type { Weight } from '../weight.js';

export interface EmbeddingOptions extends LayerOptions {
  /** Indices lie from 0 to inputDim - 1. */
  inputDim: number;
  /** Length of a vector. */
  outputDim: number;
  /** Index 0 is padding: steps that have it are masked in the layers behind; false by default. */
  maskZero?: boolean;
  embeddingsInitializer?: InitializerLike;
  embeddingsRegularizer?: RegularizerLike | null;
  embeddingsConstraint?: ConstraintLike | null;
}

export class Embedding extends Layer {
  override readonly type = 'Embedding';
  readonly inputDim: number;
  readonly outputDim: number;
  readonly maskZero: boolean;
  readonly #initializer: Initializer;
  readonly #regularizer: Regularizer | null;
  readonly #constraint: Constraint | null;
  #embeddings!: Weight; // (inputDim, outputDim)

  constructor(options: EmbeddingOptions) {
    const read = layerOptions<EmbeddingOptions>('embedding', options, [
      'inputDim',
      'outputDim',
      'maskZero',
      'embeddingsInitializer',
      'embeddingsRegularizer',
      'embeddingsConstraint',
    ]);
    super('embedding', read);
    this.inputDim = read.count('inputDim');
    this.outputDim = read.count('outputDim');
    this.maskZero = read.flag('maskZero', false);
    const { embeddingsInitializer, embeddingsRegularizer, embeddingsConstraint } = read.raw;
    this.#initializer = resolveInitializer(read.what('embeddingsInitializer'), embeddingsInitializer ?? 'uniform');
    this.#regularizer = resolveRegularizer(read.what('embeddingsRegularizer'), embeddingsRegularizer);
    this.#constraint = resolveConstraint(read.what('embeddingsConstraint'), embeddingsConstraint);
  }

  override get inputDtype(): DType {
    return 'int32';
  }

  override getConfig(): Config {
    return {
      ...super.getConfig(),
      inputDim: this.inputDim,
      outputDim: this.outputDim,
      maskZero: this.maskZero,
      embeddingsInitializer: serialize(this.#initializer),
      embeddingsRegularizer: this.#regularizer && serialize(this.#regularizer),
      embeddingsConstraint: this.#constraint && serialize(this.#constraint),
    };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    return [...inputShape, this.outputDim];
  }

  protected override declareWeights(): void {
    const shape = [this.inputDim, this.outputDim];
    this.#embeddings = this.addWeight('embeddings', shape, this.#initializer, this.#regularizer, this.#constraint);
  }

  override computeMask(x: Computed): Mask {
    return this.maskZero ? ops.notEqual(x, 0) : null;
  }

  override call(x: Computed): Computed {
    return ops.gather(this.#embeddings.variable, x.dtype === 'int32' ? x : ops.cast(x, 'int32'));
  }
}

/**
 * Vectors by index: row i of a table for each index i. As the first layer it makes the model's input int32. On the CPU a training step writes only the rows
 * of the table that its batch names, and SGD without momentum, Adagrad and FTRL update only those.
 *
 * @param options inputDim (indices lie from 0 to inputDim - 1), outputDim; maskZero (false: index 0 is like any other), embeddingsInitializer ('uniform': ±0.05), embeddingsRegularizer,
 *   embeddingsConstraint, activityRegularizer, inputShape, name, trainable
 * @returns a layer from [n, …] to [n, …, outputDim], with the weight embeddings (inputDim, outputDim)
 * @throws OUT_OF_RANGE when run on an index that the table does not have
 * @example
 * sequential([layers.embedding({ inputDim: 10_000, outputDim: 64, inputShape: [20] }), layers.flatten(), layers.dense({ units: 2 })]);
 * @see https://keras.io/api/layers/core_layers/embedding/
 */
export function embedding(options: EmbeddingOptions): Embedding {
  return new Embedding(options);
}
