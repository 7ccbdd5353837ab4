// What recurrent layers share: options, weights, dropout, the way over time.
import type { Config } from '../../config/values.js';
import type { DType } from '../../binding/native.js';
import type { ConstraintLike } from '../../constraints/resolve.js';
import { DownhillError } from '../../errors.js';
import { call } from '../../graph/call.js';
import * as ops from '../../graph/ops.js';
import type { InitializerLike } from '../../initializers/index.js';
import type { Initializer } from '../../initializers/initializer.js';
import type { Options } from '../../options.js';
import type { RegularizerLike } from '../../regularizers/resolve.js';
import type { Shape } from '../../tensor/shape.js';
import { type Activation, type ActivationFunction, activationConfig, resolveActivation } from '../activations.js';
import { Draws } from '../draws.js';
import { type CallContext, type Computed, type LayerOptions, layerOptions } from '../layer.js';
import { type Mask, masksOf, ofSteps, spread } from '../mask.js';
import type { OneOrMore } from '../output.js';
import { SequenceLayer } from './recurrent-states.js';
import type { Weight } from '../weight.js';
import { WeightOptions } from '../weight-options.js';

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
  /** Give the last states, [n, units], behind the output: h, of lstm also c; false by default. */
  returnState?: boolean;
  /** Read the sequence from its end, and give states in that order; false by default. */
  goBackwards?: boolean;
  /** With returnSequences, give zeros at masked steps, not the output of the step before; false by default. */
  zeroOutputForMask?: boolean;
}

export interface GatedOptions extends RecurrentOptions {
  /** Of the gates; 'sigmoid' by default. */
  recurrentActivation?: Activation | null;
}

/** What all time steps are computed of at once. */
export interface Fused {
  /** Of the inputs, with the bias that belongs to them: [n, steps, gates · units]. */
  products: Computed;
  /** (units, gates · units) */
  kernel: Computed;
  bias: Computed | null;
  initial: readonly Computed[] | null;
  mask: Mask;
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
  'returnState',
  'goBackwards',
  'zeroOutputForMask',
] as const;

export abstract class Recurrent extends SequenceLayer {
  readonly units: number;
  readonly useBias: boolean;
  readonly dropout: number;
  readonly recurrentDropout: number;
  readonly returnSequences: boolean;
  readonly returnState: boolean;
  readonly goBackwards: boolean;
  readonly zeroOutputForMask: boolean;
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
    this.returnState = read.flag('returnState', false);
    this.goBackwards = read.flag('goBackwards', false);
    this.zeroOutputForMask = read.flag('zeroOutputForMask', false);
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
      returnState: this.returnState,
      goBackwards: this.goBackwards,
      zeroOutputForMask: this.zeroOutputForMask,
    };
  }

  override restoreSeed(seed: number): void {
    this.#draws.seed = seed;
  }

  override computeOutputShape(inputShape: OneOrMore<Shape>): OneOrMore<Shape> {
    const shape = this.sequenceOf(inputShape);
    if (shape[0]! < 1) throw this.mismatch('sequences of at least one step', shape);
    const output = this.returnSequences ? [shape[0]!, this.units] : [this.units];
    return this.returnState ? [output, ...this.stateSizes.map((units) => [units])] : output;
  }

  override computeOutputDtype(): OneOrMore<DType> {
    return this.returnState ? ['float32', ...this.stateSizes.map((): DType => 'float32')] : 'float32';
  }

  override get stateSizes(): readonly number[] {
    return Array<number>(this.carried).fill(this.units);
  }

  /** Of its sequences; states have none. */
  override computeMask(_: OneOrMore<Computed>, mask: OneOrMore<Mask>): OneOrMore<Mask> {
    return this.returnSequences ? [ofSteps(masksOf(mask)[0]!)] : null;
  }

  protected override declareWeights(given: OneOrMore<Shape>): void {
    const inputShape = given as Shape;
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

  override call(given: OneOrMore<Computed>, { training, mask: masks }: CallContext): OneOrMore<Computed> {
    const [x, initial] = this.inputsOf(given);
    const stepMask = ofSteps(masksOf(masks)[0]!);
    const counts = stepMask && (this.goBackwards ? reversed(stepMask) : stepMask);
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
      const kernel = this.#recurrent.variable;
      const states = this.fused({
        products,
        kernel,
        bias,
        initial: initial.length > 0 ? initial : null,
        mask: counts,
      });
      const last = (i: number) => ops.reshape(ops.slice(states, [0, steps - 1, i * units], [-1, 1, units]), [n, units]);
      const count = this.returnState ? this.carried : Number(!this.returnSequences);
      const ends = Array.from({ length: count }, (_, i) => last(i));
      return this.#given(this.returnSequences ? ops.slice(states, [0, 0, 0], [-1, -1, units]) : null, ends, counts);
    }
    const kept = drops ? mask(this.recurrentDropout, [n, units]) : null;
    let states =
      initial.length > 0
        ? initial
        : Array.from({ length: this.carried }, () => ops.broadcastTo(0, [n, units]) as Computed);
    const hidden: Computed[] = [];
    for (let t = 0; t < steps; t++) {
      const own = ops.reshape(ops.slice(products, [0, t, 0], [-1, 1, -1]), [n, products.shape[2]!]);
      const enters = kept ? ops.mul(states[0]!, kept) : states[0]!;
      const after = this.step(own, enters, states, this.#recurrent.variable, bias);
      const before = states;
      const step = counts && ops.slice(counts, [0, t], [-1, 1]);
      states = step ? after.map((state, i) => ops.where(step, state, before[i]!)) : after;
      hidden.push(ops.reshape(states[0]!, [n, 1, units]));
    }
    return this.#given(this.returnSequences ? ops.concat(hidden, 1) : null, states, counts);
  }

  /** What the layer gives, from the hidden states of all steps, or null for the last alone, and the last states. */
  #given(sequence: Computed | null, ends: readonly Computed[], counts: Mask): OneOrMore<Computed> {
    const zeroed = sequence && counts && this.zeroOutputForMask;
    const output = zeroed ? ops.mul(sequence, spread(counts, 3)) : (sequence ?? ends[0]!);
    return this.returnState ? [output, ...ends] : output;
  }

  /** Input products with the bias that belongs to them. */
  protected biased(product: Computed, bias: Computed | null): Computed {
    return bias ? ops.add(product, bias) : product;
  }

  /** Whether its activations are those of the op. */
  protected abstract fuses(): boolean;

  /** The op's states of all steps, the hidden state first. */
  protected abstract fused(given: Fused): Computed;

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
  if ((options as { stateful?: unknown } | undefined)?.stateful === true)
    throw new DownhillError(
      'UNSUPPORTED',
      `layers.${factory}: stateful: layers that keep their states between batches are not there. Return the states with returnState: true, and give them ` +
        'to the next call: apply(x, { initialState }).',
    );
  return layerOptions<T>(factory, options, [...keys, ...own]);
}
