// Attention without projections: Luong's by products, Bahdanau's by sums.
import type { Config } from '../../config/values.js';
import * as ops from '../../graph/ops.js';
import { attend } from '../../graph/ops/attention.js';
import { dropout as drop } from '../../graph/ops/noise.js';
import { resolveInitializer } from '../../initializers/index.js';
import type { Options } from '../../options.js';
import type { Shape } from '../../tensor/shape.js';
import { type AttentionBaseOptions, attentionKeys, AttentionLayer, withSteps } from './attention-base.js';
import { type CallContext, type Computed, layerOptions } from '../layer.js';
import type { OneOrMore } from '../output.js';
import type { Weight } from '../weight.js';

export interface AdditiveAttentionOptions extends AttentionBaseOptions {
  /** Whether a learned weight multiplies the scores. */
  useScale?: boolean;
}

export interface AttentionLayerOptions extends AdditiveAttentionOptions {
  /** 'dot': q · k; 'concat': Σ tanh(q + k), which holds all sums of two steps at once. */
  scoreMode?: 'dot' | 'concat';
}

/** Hides a score, as in Keras. */
const kHidden = -1e9;

abstract class Unprojected extends AttentionLayer {
  readonly useScale: boolean;

  constructor(kind: string, read: Options<AdditiveAttentionOptions>, useScale: boolean) {
    super(kind, read as Options<AttentionBaseOptions>);
    this.useScale = read.flag('useScale', useScale);
  }

  override getConfig(): Config {
    return { ...super.getConfig(), useScale: this.useScale };
  }

  override computeOutputShape(inputShape: OneOrMore<Shape>): Shape {
    const { query, value, key } = this.shapesIn(inputShape, 1);
    if (query[1] !== key[1]) throw this.mismatch('as many features in the query as in the key', inputShape);
    return [query[0], value[1]];
  }

  /** softmax(scores) · value, of scores (n, steps, keys). */
  protected attendBy(scores: Computed, value: Computed, mask: Computed | null, context: CallContext): Computed {
    const [, steps, keys] = scores.shape;
    let hidden = scores;
    if (mask) {
      hidden = ops.where(ops.reshape(mask, [mask.shape[0], ...mask.shape.slice(2)]), hidden, kHidden);
    }
    if (this.useCausalMask) {
      const order = (count: number) => Int32Array.from({ length: count }, (_, i) => i);
      const seen = ops.lessEqual(ops.reshape(order(keys), [1, keys]), ops.reshape(order(steps), [steps, 1]));
      hidden = ops.where(seen, hidden, kHidden);
    }
    const probabilities = ops.softmax(hidden);
    const dropping = this.dropping(scores, context);
    return ops.matmul(dropping ? drop(probabilities, dropping) : probabilities, value);
  }
}

/** Σ tanh terms of every query with every key: (n, steps, keys, features). */
function sums(query: Computed, key: Computed): Computed {
  const [n, steps, features] = query.shape;
  return ops.add(ops.reshape(query, [n, steps, 1, features]), ops.reshape(key, [n, 1, key.shape[1], features]));
}

export class Attention extends Unprojected {
  override readonly type = 'Attention';
  readonly scoreMode: 'dot' | 'concat';
  #scale: Weight | null = null; // ()
  #concat: Weight | null = null; // ()

  constructor(options?: AttentionLayerOptions) {
    const read = layerOptions<AttentionLayerOptions>('attention', options, ['useScale', 'scoreMode', ...attentionKeys]);
    super('attention', read as Options<AdditiveAttentionOptions>, false);
    this.scoreMode = read.oneOf('scoreMode', ['dot', 'concat'], 'dot');
  }

  override getConfig(): Config {
    return { ...super.getConfig(), scoreMode: this.scoreMode };
  }

  protected override declareWeights(): void {
    const ones = () => resolveInitializer('scale', 'ones');
    if (this.useScale) this.#scale = this.addWeight('scale', [], ones());
    if (this.scoreMode === 'concat') this.#concat = this.addWeight('concat_score_weight', [], ones());
  }

  override call(x: OneOrMore<Computed>, context: CallContext): Computed {
    const { query, value, key, mask, steps } = this.inputsOf(x, context);
    const scaled = (scores: Computed) => (this.#scale ? ops.mul(scores, this.#scale.variable) : scores);
    if (this.#concat) {
      const scores = ops.sum(ops.tanh(scaled(sums(query, key))), -1);
      return withSteps(this.attendBy(ops.mul(scores, this.#concat.variable), value, mask, context), steps);
    }
    const single = (rows: Computed) => ops.reshape(rows, [...rows.shape.slice(0, 2), 1, rows.shape[2]]);
    const operands = [scaled(query), key, value].map(single);
    const options = { mask, causal: this.useCausalMask, scale: 1 };
    const y = attend(operands, options, this.dropping(query, context));
    return withSteps(ops.reshape(y, [y.shape[0], y.shape[1], y.shape[3]]), steps);
  }
}

export class AdditiveAttention extends Unprojected {
  override readonly type = 'AdditiveAttention';
  #scale: Weight | null = null; // (features)

  constructor(options?: AdditiveAttentionOptions) {
    const read = layerOptions<AdditiveAttentionOptions>('additiveAttention', options, ['useScale', ...attentionKeys]);
    super('additive_attention', read, true);
  }

  override computeOutputShape(inputShape: OneOrMore<Shape>): Shape {
    const features = this.#scale?.shape[0];
    if (features !== undefined && this.shapesIn(inputShape, 1).query[1] !== features)
      throw this.mismatch(`${features} features in query and key, as when it was built`, inputShape);
    return super.computeOutputShape(inputShape);
  }

  protected override declareWeights(inputShape: OneOrMore<Shape>): void {
    const features = this.shapesIn(inputShape, 1).query[1];
    if (this.useScale) this.#scale = this.addWeight('scale', [features], resolveInitializer('scale', 'glorotUniform'));
  }

  override call(x: OneOrMore<Computed>, context: CallContext): Computed {
    const { query, value, key, mask, steps } = this.inputsOf(x, context);
    const terms = ops.tanh(sums(query, key));
    const scores = ops.sum(this.#scale ? ops.mul(terms, this.#scale.variable) : terms, -1);
    return withSteps(this.attendBy(scores, value, mask, context), steps);
  }
}

/**
 * Luong's attention: softmax(q · k) V without projections.
 *
 * @param options useScale (false): a learned factor of the scores; scoreMode ('dot'; 'concat': w Σ tanh(q + k)), dropout (0) of the probabilities,
 *   useCausalMask (false), seed, activityRegularizer, inputShape, name, trainable
 * @returns a layer of one input or of a list: query [n, steps, features], value [n, keys, …], key (the value by default), mask [n, steps, keys], 0 where
 *   a key is hidden; it gives [n, steps, features of the value]. Weights scale () and, of 'concat', concat_score_weight ()
 * @throws UNKNOWN_OPTION, INVALID_ARGUMENT, SHAPE_MISMATCH
 * @example
 * const context = layers.attention({ useScale: true }).apply([decoded, encoded]);
 * @see Luong et al. 2015, arXiv:1508.04025; https://keras.io/api/layers/attention_layers/attention/
 */
export function attention(options?: AttentionLayerOptions): Attention {
  return new Attention(options);
}

/**
 * Bahdanau's attention: softmax(Σ scale · tanh(q + k)) V without projections.
 *
 * @param options useScale (true), dropout (0) of the probabilities, useCausalMask (false), seed, activityRegularizer, inputShape, name, trainable
 * @returns a layer of the inputs of `attention`; weight scale (features)
 * @throws UNKNOWN_OPTION, INVALID_ARGUMENT, SHAPE_MISMATCH
 * @example
 * const context = layers.additiveAttention().apply([decoded, encoded]);
 * @see Bahdanau et al. 2015, arXiv:1409.0473; https://keras.io/api/layers/attention_layers/additive_attention/
 */
export function additiveAttention(options?: AdditiveAttentionOptions): AdditiveAttention {
  return new AdditiveAttention(options);
}
