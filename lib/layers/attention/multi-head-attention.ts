// Attention of several heads.
import type { Config } from '../../config/values.js';
import type { ConstraintLike } from '../../constraints/resolve.js';
import * as ops from '../../graph/ops.js';
import { attend } from '../../graph/ops/attention.js';
import type { InitializerLike } from '../../initializers/index.js';
import type { RegularizerLike } from '../../regularizers/resolve.js';
import { checkCount, checkShape, type Options } from '../../options.js';
import { type Shape, sizeOf } from '../../tensor/shape.js';
import { type AttentionBaseOptions, attentionKeys, AttentionLayer, withSteps } from './attention-base.js';
import { type CallContext, type Computed, layerOptions } from '../layer.js';
import type { OneOrMore } from '../output.js';
import type { Weight } from '../weight.js';
import { WeightOptions } from '../weight-options.js';

export interface MultiHeadAttentionOptions extends AttentionBaseOptions {
  numHeads: number;
  /** Length of queries and keys in each head. */
  keyDim: number;
  /** Length of values in each head; keyDim by default. */
  valueDim?: number | null;
  useBias?: boolean;
  /** Features of the output; by default those of the query. A list makes more axes of them. */
  outputShape?: number | readonly number[] | null;
  kernelInitializer?: InitializerLike;
  biasInitializer?: InitializerLike;
  kernelRegularizer?: RegularizerLike | null;
  biasRegularizer?: RegularizerLike | null;
  kernelConstraint?: ConstraintLike | null;
  biasConstraint?: ConstraintLike | null;
}

/** Kernel (features, heads, dim) and bias (heads, dim). */
interface Projection {
  kernel: Weight;
  bias: Weight | null;
}

export class MultiHeadAttention extends AttentionLayer {
  override readonly type = 'MultiHeadAttention';
  readonly numHeads: number;
  readonly keyDim: number;
  readonly valueDim: number;
  readonly useBias: boolean;
  readonly outputDims: readonly number[] | null;
  readonly #options: { kernel: WeightOptions; bias: WeightOptions };
  #projections!: { query: Projection; key: Projection; value: Projection };
  #output!: Projection; // kernel (heads, valueDim, …output), bias (…output)
  #features: readonly number[] | null = null; // of query, key and value

  constructor(options: MultiHeadAttentionOptions) {
    const read = layerOptions<MultiHeadAttentionOptions>('multiHeadAttention', options, [
      'numHeads',
      'keyDim',
      'valueDim',
      'useBias',
      'outputShape',
      ...attentionKeys,
      ...WeightOptions.keys('kernel'),
      ...WeightOptions.keys('bias'),
    ]);
    super('multi_head_attention', read as Options<AttentionBaseOptions>);
    this.numHeads = read.count('numHeads');
    this.keyDim = read.count('keyDim');
    const { valueDim, outputShape } = read.raw;
    this.valueDim = valueDim == null ? this.keyDim : checkCount(read.what('valueDim'), valueDim);
    this.useBias = read.flag('useBias', true);
    const what = read.what('outputShape');
    if (outputShape == null) this.outputDims = null;
    else
      this.outputDims =
        typeof outputShape === 'number' ? [checkCount(what, outputShape)] : checkShape(what, outputShape, 1);
    this.#options = {
      kernel: new WeightOptions(read, 'kernel', 'glorotUniform'),
      bias: new WeightOptions(read, 'bias', 'zeros'),
    };
  }

  override getConfig(): Config {
    return {
      ...super.getConfig(),
      numHeads: this.numHeads,
      keyDim: this.keyDim,
      valueDim: this.valueDim,
      useBias: this.useBias,
      outputShape: this.outputDims && [...this.outputDims],
      ...this.#options.kernel.getConfig(),
      ...this.#options.bias.getConfig(),
    };
  }

  override computeOutputShape(inputShape: OneOrMore<Shape>): Shape {
    const { query, key, value } = this.shapesIn(inputShape, this.numHeads);
    const features = [query, key, value].map((shape) => shape[1]);
    if (this.#features?.some((count, i) => count !== features[i]))
      throw this.mismatch(
        `query, key and value of ${this.#features.join(', ')} features, as when it was built`,
        inputShape,
      );
    return [query[0], ...(this.outputDims ?? [query[1]])];
  }

  protected override declareWeights(inputShape: OneOrMore<Shape>): void {
    const { query, key, value } = this.shapesIn(inputShape, this.numHeads);
    this.#features = [query, key, value].map((shape) => shape[1]);
    const { numHeads, keyDim, valueDim } = this;
    const output = this.outputDims ?? [query[1]];
    this.#projections = {
      query: this.#declare('query', [query[1], numHeads, keyDim], [numHeads, keyDim]),
      key: this.#declare('key', [key[1], numHeads, keyDim], [numHeads, keyDim]),
      value: this.#declare('value', [value[1], numHeads, valueDim], [numHeads, valueDim]),
    };
    this.#output = this.#declare('attention_output', [numHeads, valueDim, ...output], output);
  }

  override call(x: OneOrMore<Computed>, context: CallContext): Computed {
    const { query, value, key, mask, steps: counts, alone } = this.inputsOf(x, context);
    const { numHeads, keyDim, valueDim } = this;
    const projections = this.#projections;
    const options = { mask, causal: this.useCausalMask };
    const dropout = this.dropping(query, context);
    let y: Computed;
    if (alone && keyDim === valueDim) {
      const all = project(query, [projections.query, projections.key, projections.value]);
      const [n, steps] = all.shape;
      y = attend([ops.reshape(all, [n, steps, 3, numHeads, keyDim])], options, dropout);
    } else {
      const by = (input: Computed, projection: Projection, dim: number) => {
        const product = project(input, [projection]);
        return ops.reshape(product, [...product.shape.slice(0, 2), numHeads, dim]);
      };
      const operands = [
        by(query, projections.query, keyDim),
        by(key, projections.key, keyDim),
        by(value, projections.value, valueDim),
      ];
      y = attend(operands, options, dropout);
    }
    y = withSteps(y, counts);
    const [n, steps] = y.shape;
    const { kernel, bias } = this.#output;
    const width = numHeads * valueDim;
    const output = kernel.shape.slice(2);
    const flat = ops.matmul(ops.reshape(y, [n, steps, width]), ops.reshape(kernel.variable, [width, sizeOf(output)]));
    const sum = bias ? ops.add(flat, ops.reshape(bias.variable, [sizeOf(output)])) : flat;
    return output.length === 1 ? sum : ops.reshape(sum, [n, steps, ...output]);
  }

  #declare(name: string, kernelShape: Shape, biasShape: Shape): Projection {
    const { kernel, bias } = this.#options;
    const add = (of: WeightOptions, shape: Shape) =>
      this.addWeight(`${name}/${of.name}`, shape, of.initializer, of.regularizer, of.constraint);
    return { kernel: add(kernel, kernelShape), bias: this.useBias ? add(bias, biasShape) : null };
  }
}

/** x (n, steps, features) times the kernels side by side, plus their biases: one product for all. */
function project(x: Computed, projections: readonly Projection[]): Computed {
  const beside = (parts: Computed[], axis: number) => (parts.length === 1 ? parts[0] : ops.concat(parts, axis));
  const flat = ({ variable, shape }: Weight, dims: readonly number[]) =>
    ops.reshape(variable, [...dims, sizeOf(shape) / sizeOf(dims)]);
  const kernels = projections.map(({ kernel }) => flat(kernel, [kernel.shape[0]]));
  const product = ops.matmul(x, beside(kernels, 1));
  const biases = projections.flatMap(({ bias }) => (bias ? [flat(bias, [])] : []));
  return biases.length > 0 ? ops.add(product, beside(biases, 0)) : product;
}

/**
 * Attention of several heads: each projects query, key and value and gives softmax(Q Kᵀ/√keyDim) V; all together are projected to the output.
 *
 * @param options numHeads, keyDim; valueDim (keyDim), dropout (0) of the probabilities, useBias (true), outputShape (the query's features),
 *   useCausalMask (false), kernelInitializer ('glorotUniform'), biasInitializer ('zeros'), kernelRegularizer, biasRegularizer, activityRegularizer,
 *   kernelConstraint, biasConstraint, seed, inputShape, name, trainable
 * @returns a layer of one input [n, steps, features], which attends to itself, or of a list: query [n, steps, …], value [n, keys, …], key (the value by
 *   default), mask [n, steps, keys] or [n, heads, steps, keys], 0 where a key is hidden; it gives [n, steps, output]. Weights query/kernel (features,
 *   heads, keyDim) and query/bias (heads, keyDim), the same of key and value, attention_output/kernel (heads, valueDim, output) and its bias (output)
 * @throws UNKNOWN_OPTION, OUT_OF_RANGE, SHAPE_MISMATCH
 * @example
 * const x = input({ shape: [64, 128] });
 * const y = layers.multiHeadAttention({ numHeads: 4, keyDim: 32, useCausalMask: true }).apply(x);
 * @see Vaswani et al. 2017, Attention Is All You Need; https://keras.io/api/layers/attention_layers/multi_head_attention/
 */
export function multiHeadAttention(options: MultiHeadAttentionOptions): MultiHeadAttention {
  return new MultiHeadAttention(options);
}
