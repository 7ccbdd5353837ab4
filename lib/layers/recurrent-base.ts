// What recurrent layers share: options, weights, dropout, the way over time.
import type { Config } from '../config/values.js';
import type { ConstraintLike } from '../constraints/resolve.js';
import { call } from '../graph/call.js';
import * as ops from '../graph/ops.js';
import type { InitializerLike } from '../initializers/index.js';
import type { Initializer } from '../initializers/initializer.js';
import type { Options } from '../options.js';
import type { RegularizerLike } from '../regularizers/resolve.js';
import type { Shape } from '../tensor/shape.js';
import { type Activation, type ActivationFunction, activationConfig, resolveActivation } from './activations.js';
import { Draws } from './draws.js';
import { type CallContext, type Computed, Layer, type LayerOptions, layerOptions } from './layer.js';
import type { Weight } from './weight.js';
import { WeightOptions } from './weight-options.js';

export interface RecurrentOptions extends LayerOptions {
  /** Length of the hidden state. */
  units: number;
  /** Of the new state; 'tanh' by default. Any other than the defaults makes a graph of every time step, which is slower. */
  activation?: Activation | null;
  useBias?: boolean;
  kernelInitializer?: InitializerLike;
  recurrentInitializer?: InitializerLike;
  biasInitializer?: InitializerLike;
  kernelRegularizer?: RegularizerLike | null;
  recurrentRegularizer?: RegularizerLike | null;
  biasRegularizer?: RegularizerLike | null;
  kernelConstraint?: ConstraintLike | null;
  recurrentConstraint?: ConstraintLike | null;
  biasConstraint?: ConstraintLike | null;
  /** Fraction of the inputs' features that is dropped while training, the same at all steps of a sequence. */
  dropout?: number;
  /** The same of the states that enter the recurrent product. Makes a graph of every time step, which is slower. */
  recurrentDropout?: number;
  /** Fixes the masks; by default drawn from the library's seed. */
  seed?: number;
  /** Give the states of all steps, [n, steps, units], not the last; false by default. */
  returnSequences?: boolean;
  /** Read the sequence from its end, and give states in that order; false by default. */
  goBackwards?: boolean;
}

export interface GatedOptions extends RecurrentOptions {
  /** Of the gates; 'sigmoid' by default. */
  recurrentActivation?: Activation | null;
}

const keys = [
  'units',
  'activation',
  'useBias',
  ...WeightOptions.keys('kernel'),
  ...WeightOptions.keys('recurrent'),
  ...WeightOptions.keys('bias'),
  'dropout',
  'recurrentDropout',
  'seed',
  'returnSequences',
  'goBackwards',
] as const;

export abstract class Recurrent extends Layer {
  readonly units: number;
  readonly useBias: boolean;
  readonly dropout: number;
  readonly recurrentDropout: number;
  readonly returnSequences: boolean;
  readonly goBackwards: boolean;
  protected readonly activation: ActivationFunction;
  protected readonly options: { kernel: WeightOptions; recurrent: WeightOptions; bias: WeightOptions };
  /** What it was made from, for another one. @internal */
  readonly given: Readonly<RecurrentOptions>;
  readonly #draws: Draws;
  #kernel!: Weight; // (features, gates · units)
  #recurrent!: Weight; // (units, gates · units)
  #bias: Weight | null = null;

  /** `gates`: columns of the kernels, in units. */
  protected constructor(
    kind: string,
    read: Options<RecurrentOptions>,
    private readonly gates: number,
  ) {
    super(kind, read as Options<LayerOptions>);
    this.given = read.raw as RecurrentOptions;
    this.units = read.count('units');
    this.useBias = read.flag('useBias', true);
    const { activation } = read.raw;
    this.activation = resolveActivation(read.what('activation'), activation === undefined ? 'tanh' : activation);
    this.options = {
      kernel: new WeightOptions(read, 'kernel', 'glorotUniform'),
      recurrent: new WeightOptions(read, 'recurrent', 'orthogonal'),
      bias: new WeightOptions(read, 'bias', 'zeros'),
    };
    this.dropout = read.number('dropout', 0, { min: 0, below: 1 });
    this.recurrentDropout = read.number('recurrentDropout', 0, { min: 0, below: 1 });
    this.#draws = new Draws(read.optionalCount('seed', { min: 0 }));
    this.returnSequences = read.flag('returnSequences', false);
    this.goBackwards = read.flag('goBackwards', false);
  }

  /** With the seed in use, so that a rebuilt layer draws the same masks. */
  override getConfig(): Config {
    return {
      ...super.getConfig(),
      units: this.units,
      activation: activationConfig(this.activation),
      useBias: this.useBias,
      ...this.options.kernel.getConfig(),
      ...this.options.recurrent.getConfig(),
      ...this.options.bias.getConfig(),
      dropout: this.dropout,
      recurrentDropout: this.recurrentDropout,
      seed: this.#draws.seed,
      returnSequences: this.returnSequences,
      goBackwards: this.goBackwards,
    };
  }

  override restoreSeed(seed: number): void {
    this.#draws.seed = seed;
  }

  override computeOutputShape(inputShape: Shape): Shape {
    if (inputShape.length !== 2) throw this.mismatch('sequences, [n, steps, features]', inputShape);
    if (inputShape[0]! < 1) throw this.mismatch('sequences of at least one step', inputShape);
    this.checkFeatures(inputShape);
    return this.returnSequences ? [inputShape[0]!, this.units] : [this.units];
  }

  protected override declareWeights(inputShape: Shape): void {
    const declare = (
      name: string,
      shape: Shape,
      initializer: Initializer,
      { regularizer, constraint }: WeightOptions,
    ) => this.addWeight(name, shape, initializer, regularizer, constraint);
    const { kernel, recurrent, bias } = this.options;
    const width = this.gates * this.units;
    this.#kernel = declare('kernel', [inputShape.at(-1)!, width], kernel.initializer, kernel);
    this.#recurrent = declare('recurrent_kernel', [this.units, width], recurrent.initializer, recurrent);
    if (this.useBias) this.#bias = declare('bias', this.biasShape(width), this.biasStart(), bias);
  }

  protected biasShape(width: number): Shape {
    return [width];
  }

  protected biasStart(): Initializer {
    return this.options.bias.initializer;
  }

  override call(x: Computed, { training }: CallContext): Computed {
    const [n, steps] = x.shape as [number, number, number];
    const { units } = this;
    let input = this.goBackwards ? reversed(x) : x;
    const mask = (rate: number, shape: Shape) =>
      call('dropout', [ops.broadcastTo(1, shape)], { rate, key: this.#draws.keyFor(x) });
    if (training && this.dropout > 0) input = ops.mul(input, mask(this.dropout, [n, 1, x.shape[2]!]));
    const bias = this.#bias ? this.#bias.variable : null;
    const rows = ops.reshape(input, [n * steps, x.shape[2]!]);
    const drops = training && this.recurrentDropout > 0;
    const flat = this.biased(ops.matmul(rows, this.#kernel.variable), bias);
    const products = ops.reshape(flat, [n, steps, flat.shape[1]!]);
    if (!drops && this.fuses()) {
      const states = this.fused(products, this.#recurrent.variable, bias);
      if (this.returnSequences) return ops.slice(states, [0, 0, 0], [-1, -1, units]);
      return ops.reshape(ops.slice(states, [0, steps - 1, 0], [-1, 1, units]), [n, units]);
    }
    const kept = drops ? mask(this.recurrentDropout, [n, units]) : null;
    let states = Array.from({ length: this.carried }, () => ops.broadcastTo(0, [n, units]) as Computed);
    const hidden: Computed[] = [];
    for (let t = 0; t < steps; t++) {
      const own = ops.reshape(ops.slice(products, [0, t, 0], [-1, 1, -1]), [n, products.shape[2]!]);
      const enters = kept ? ops.mul(states[0]!, kept) : states[0]!;
      states = this.step(own, enters, states, this.#recurrent.variable, bias);
      hidden.push(ops.reshape(states[0]!, [n, 1, units]));
    }
    return this.returnSequences ? ops.concat(hidden, 1) : states[0]!;
  }

  /** Input products with the bias that belongs to them. */
  protected biased(product: Computed, bias: Computed | null): Computed {
    return bias ? ops.add(product, bias) : product;
  }

  /** Whether its activations are those of the op. */
  protected abstract fuses(): boolean;

  /** The op's states of all steps, the hidden state first. */
  protected abstract fused(products: Computed, kernel: Computed, bias: Computed | null): Computed;

  /** States that go from step to step. */
  protected abstract readonly carried: number;

  /** One step in ops: states after it from input products [n, gates · units], the hidden state that enters products, and states before. */
  protected abstract step(
    x: Computed,
    hidden: Computed,
    states: readonly Computed[],
    kernel: Computed,
    bias: Computed | null,
  ): Computed[];
}

/** A sequence from its end: [n, steps, …]. */
export function reversed(x: Computed): Computed {
  const steps = x.shape[1]!;
  const order = Int32Array.from({ length: steps }, (_, t) => steps - 1 - t);
  return ops.gather(x, order, 1);
}

/** Columns [index · units, (index + count) · units). */
export function columns(x: Computed, index: number, units: number, count = 1): Computed {
  return ops.slice(x, [0, index * units], [-1, count * units]);
}

/** Base of the layers with gates. */
export abstract class Gated extends Recurrent {
  protected readonly recurrentActivation: ActivationFunction;

  protected constructor(kind: string, read: Options<GatedOptions>, gates: number) {
    super(kind, read as unknown as Options<RecurrentOptions>, gates);
    const { recurrentActivation } = read.raw;
    this.recurrentActivation = resolveActivation(
      read.what('recurrentActivation'),
      recurrentActivation === undefined ? 'sigmoid' : recurrentActivation,
    );
  }

  override getConfig(): Config {
    return { ...super.getConfig(), recurrentActivation: activationConfig(this.recurrentActivation) };
  }

  protected override fuses(): boolean {
    return isNamed(this.activation, 'tanh') && isNamed(this.recurrentActivation, 'sigmoid');
  }
}

export const isNamed = (activation: ActivationFunction, name: string) => activationConfig(activation) === name;

export function recurrentOptions<T extends RecurrentOptions>(
  factory: string,
  options: T,
  own: readonly (keyof T & string)[],
): Options<T> {
  return layerOptions<T>(factory, options, [...keys, ...own]);
}
