// Vectors for the places of a sequence: learned ones, and sines.
import { serialize } from '../../config/registry.js';
import type { Config } from '../../config/values.js';
import * as ops from '../../graph/ops.js';
import { type Initializer, type InitializerLike, resolveInitializer } from '../../initializers/index.js';
import type { Shape } from '../../tensor/shape.js';
import { tensor } from '../../tensor/make.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';
import type { Weight } from '../weight.js';

export interface PositionEmbeddingOptions extends LayerOptions {
  /** The most steps that a sequence may have. */
  sequenceLength: number;
  /** 'glorotUniform' by default. */
  initializer?: InitializerLike;
}

export interface SinePositionEncodingOptions extends LayerOptions {
  /** The longest period, over 2π; 10,000 by default. */
  maxWavelength?: number;
}

export class PositionEmbedding extends Layer {
  override readonly type = 'PositionEmbedding';
  override readonly supportsMasking = true;
  readonly sequenceLength: number;
  readonly #initializer: Initializer;
  #embeddings!: Weight; // (sequenceLength, features)

  constructor(options: PositionEmbeddingOptions) {
    const read = layerOptions<PositionEmbeddingOptions>('positionEmbedding', options, [
      'sequenceLength',
      'initializer',
    ]);
    super('position_embedding', read);
    this.sequenceLength = read.count('sequenceLength');
    this.#initializer = resolveInitializer(read.what('initializer'), read.raw.initializer ?? 'glorotUniform');
  }

  override getConfig(): Config {
    return {
      ...super.getConfig(),
      sequenceLength: this.sequenceLength,
      initializer: serialize(this.#initializer),
    };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    if (inputShape.length !== 2 || inputShape[0]! > this.sequenceLength)
      throw this.mismatch(`sequences of at most ${this.sequenceLength} steps, [n, steps, features]`, inputShape);
    this.checkFeatures(inputShape);
    return inputShape;
  }

  protected override declareWeights(inputShape: Shape): void {
    this.#embeddings = this.addWeight('embeddings', [this.sequenceLength, inputShape.at(-1)!], this.#initializer);
  }

  override call(x: Computed): Computed {
    const [, steps] = x.shape as [number, number, number];
    const all = this.#embeddings.variable;
    return ops.broadcastTo(steps === this.sequenceLength ? all : ops.slice(all, [0, 0], [steps, -1]), x.shape);
  }
}

export class SinePositionEncoding extends Layer {
  override readonly type = 'SinePositionEncoding';
  override readonly supportsMasking = true;
  readonly maxWavelength: number;

  constructor(options?: SinePositionEncodingOptions) {
    const read = layerOptions<SinePositionEncodingOptions>('sinePositionEncoding', options, ['maxWavelength']);
    super('sine_position_encoding', read);
    this.maxWavelength = read.number('maxWavelength', 10_000, { above: 0 });
  }

  override getConfig(): Config {
    return { ...super.getConfig(), maxWavelength: this.maxWavelength };
  }

  override computeOutputShape(inputShape: Shape): Shape {
    if (inputShape.length !== 2) throw this.mismatch('sequences, [n, steps, features]', inputShape);
    return inputShape;
  }

  override call(x: Computed): Computed {
    const [, steps, features] = x.shape as [number, number, number];
    const values = Float32Array.from({ length: steps * features }, (_, at) => {
      const [t, i] = [Math.floor(at / features), at % features];
      const angle = t * this.maxWavelength ** ((-2 * Math.floor(i / 2)) / features);
      return i % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    });
    return ops.broadcastTo(tensor(values, [steps, features]), x.shape);
  }
}

/**
 * A learned vector for each step of a sequence: [n, steps, features] → the vectors, [n, steps, features], to be added to the input.
 *
 * @param options sequenceLength, the most steps; initializer ('glorotUniform'), inputShape, name, trainable
 * @returns a layer with the weight embeddings (sequenceLength, features)
 * @throws SHAPE_MISMATCH for longer sequences
 * @example
 * const words = layers.embedding({ inputDim: 5000, outputDim: 64 }).apply(input({ shape: [80], dtype: 'int32' }));
 * const placed = layers.add().apply([words, layers.positionEmbedding({ sequenceLength: 80 }).apply(words)]);
 * @see Gehring et al. 2017, arXiv:1705.03122; https://keras.io/keras_hub/api/modeling_layers/position_embedding/
 */
export function positionEmbedding(options: PositionEmbeddingOptions): PositionEmbedding {
  return new PositionEmbedding(options);
}

/**
 * Sines and cosines of the place t in a sequence: with w = maxWavelength^(−2⌊i/2⌋/features), feature i is sin(t w) where i is even and cos(t w) where it is
 * odd. [n, steps, features] → the same shape, to be added to the input.
 *
 * @param options maxWavelength (10,000), inputShape, name
 * @throws SHAPE_MISMATCH
 * @example
 * const placed = layers.add().apply([words, layers.sinePositionEncoding().apply(words)]);
 * @see Vaswani et al. 2017, arXiv:1706.03762; https://keras.io/keras_hub/api/modeling_layers/sine_position_encoding/
 */
export function sinePositionEncoding(options?: SinePositionEncodingOptions): SinePositionEncoding {
  return new SinePositionEncoding(options);
}
