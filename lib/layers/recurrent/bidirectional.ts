// A recurrent layer over a sequence in both directions.
import type { DType } from '../../binding/native.js';
import { serialize } from '../../config/registry.js';
import type { Config } from '../../config/values.js';
import { DownhillError, show } from '../../errors.js';
import * as ops from '../../graph/ops.js';
import type { Shape } from '../../tensor/shape.js';
import { type CallContext, type Computed, type LayerOptions, layerOptions } from '../layer.js';
import { type Mask, masksOf } from '../mask.js';
import { type OneOrMore, shapesOf } from '../output.js';
import { gru, lstm, simpleRNN } from './recurrent.js';
import { Recurrent, reversed } from './recurrent-base.js';
import { SequenceLayer } from './recurrent-states.js';

const modes = ['concat', 'sum', 'mul', 'ave'] as const;

export interface BidirectionalOptions extends LayerOptions {
  /** A recurrent layer; one with its options becomes part of this one, as forward_… */
  layer: Recurrent;
  /** The layer that reads from the end; by default one with the options of `layer`. */
  backwardLayer?: Recurrent | null;
  /** How both outputs become one: side by side ('concat', the default), their sum, product or mean; null: they stay two. */
  mergeMode?: (typeof modes)[number] | null;
}

/** A new layer with the same options, as Keras makes it, so that the given one stays what it is. */
function copyOf(layer: Recurrent, direction: 'forward' | 'backward', options: object = {}): Recurrent {
  const { name, trainable, seed } = layer.getConfig() as { name: string; trainable: boolean; seed: number };
  const make = { SimpleRNN: simpleRNN, LSTM: lstm, GRU: gru }[layer.type as 'LSTM'] as (options: object) => Recurrent;
  const own = name.startsWith(`${direction}_`) ? name : `${direction}_${name}`;
  // As Keras: behind the end of a sequence neither direction has an output.
  const zeroOutputForMask = layer.returnSequences;
  return make({ ...layer.given, name: own, trainable, seed, zeroOutputForMask, ...options });
}

export class Bidirectional extends SequenceLayer {
  override readonly type = 'Bidirectional';
  readonly mergeMode: (typeof modes)[number] | null;
  readonly #forward: Recurrent;
  readonly #backward: Recurrent;

  constructor(options: BidirectionalOptions) {
    const read = layerOptions<BidirectionalOptions>('bidirectional', options, ['layer', 'backwardLayer', 'mergeMode']);
    super('bidirectional', read);
    this.mergeMode = read.raw.mergeMode === null ? null : read.oneOf('mergeMode', modes, 'concat');
    const a = recurrent(read.what('layer'), read.required('layer'));
    const given = read.raw.backwardLayer ?? null;
    const b = given
      ? recurrent(read.what('backwardLayer'), given)
      : copyOf(a, 'backward', { name: `backward_${a.name}`, seed: undefined, goBackwards: !a.goBackwards });
    if (
      a === b ||
      a.goBackwards === b.goBackwards ||
      a.returnSequences !== b.returnSequences ||
      a.returnState !== b.returnState
    )
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${read.what('backwardLayer')} must be another layer than \`layer\`, with the other goBackwards and the same returnSequences and returnState.`,
      );
    if (this.mergeMode && this.mergeMode !== 'concat' && a.units !== b.units)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${read.what('mergeMode')} '${this.mergeMode}' needs equal units in both directions; received ${a.units} and ${b.units}.`,
      );
    this.#forward = this.addLayer(copyOf(a, 'forward'));
    this.#backward = this.addLayer(given ? copyOf(b, 'backward') : b);
  }

  override getConfig(): Config {
    return {
      ...super.getConfig(),
      layer: serialize(this.#forward),
      backwardLayer: serialize(this.#backward),
      mergeMode: this.mergeMode,
    };
  }

  /** Those of the layer, then those of the other. */
  override get stateSizes(): readonly number[] {
    return [...this.#forward.stateSizes, ...this.#backward.stateSizes];
  }

  override computeOutputShape(inputShape: OneOrMore<Shape>): OneOrMore<Shape> {
    const shape = this.sequenceOf(inputShape);
    const [forward, backward] = [this.#forward, this.#backward].map(
      (layer) => shapesOf(layer.computeOutputShape(shape))[0],
    ) as [Shape, Shape];
    const width = this.mergeMode === 'concat' ? forward.at(-1)! + backward.at(-1)! : forward.at(-1)!;
    const merged = this.mergeMode === null ? [forward, backward] : [[...forward.slice(0, -1), width]];
    return one([...merged, ...(this.#forward.returnState ? this.stateSizes.map((units) => [units]) : [])]);
  }

  override computeOutputDtype(): OneOrMore<DType> {
    const outputs = (this.mergeMode === null ? 2 : 1) + (this.#forward.returnState ? this.stateSizes.length : 0);
    return one(Array<DType>(outputs).fill('float32'));
  }

  protected override declareWeights(inputShape: OneOrMore<Shape>): void {
    this.#forward.build(inputShape);
    this.#backward.build(inputShape);
  }

  override computeMask(x: OneOrMore<Computed>, mask: OneOrMore<Mask>): OneOrMore<Mask> {
    const masks = masksOf(this.#forward.computeMask(x, mask));
    return this.mergeMode === null ? [masks[0] ?? null, ...masks] : masks;
  }

  override call(given: OneOrMore<Computed>, { training, mask }: CallContext): OneOrMore<Computed> {
    const [x, initial] = this.inputsOf(given);
    const own = { training, mask: masksOf(mask)[0] };
    const half = this.#forward.stateSizes.length;
    const [forward, ...forwardStates] = this.#forward.applyEach([x, ...initial.slice(0, half)], own) as [Computed];
    const [backward, ...backwardStates] = this.#backward.applyEach([x, ...initial.slice(half)], own) as [Computed];
    return one([...this.#merged(forward, backward), ...forwardStates, ...backwardStates]);
  }

  #merged(forward: Computed, backward: Computed): readonly Computed[] {
    const pair = this.#backward.returnSequences
      ? [
          this.#forward.goBackwards ? reversed(forward) : forward,
          this.#backward.goBackwards ? reversed(backward) : backward,
        ]
      : [forward, backward];
    const [a, b] = pair as [Computed, Computed];
    switch (this.mergeMode) {
      case null:
        return [a, b];
      case 'concat':
        return [ops.concat([a, b], a.shape.length - 1)];
      case 'sum':
        return [ops.add(a, b)];
      case 'mul':
        return [ops.mul(a, b)];
      case 'ave':
        return [ops.mul(ops.add(a, b), 0.5)];
    }
  }
}

/** A list of one is that one. */
function one<T>(list: readonly T[]): OneOrMore<T> {
  return list.length === 1 ? list[0]! : list;
}

function recurrent(what: string, layer: unknown): Recurrent {
  if (layer instanceof Recurrent) return layer;
  throw new DownhillError(
    'INVALID_ARGUMENT',
    `${what} must be a recurrent layer: layers.lstm, layers.gru or layers.simpleRNN; received ${show(layer)}.`,
  );
}

/**
 * A recurrent layer, and another that reads the sequence from its end.
 *
 * @param options layer; backwardLayer (made from layer), mergeMode ('concat'; 'sum', 'mul', 'ave'; null), name, inputShape, trainable,
 *   activityRegularizer
 * @returns a layer from [n, steps, features] to [n, 2 units], with returnSequences [n, steps, 2 units]; [n, units] and [n, steps, units] unless
 *   mergeMode is 'concat'; with null a list of two, forward and backward, both in the order of the steps. Weights: those of the layer, then those of the other, as forward_lstm/kernel, …, backward_lstm/bias
 * @throws INVALID_ARGUMENT for layers that do not fit together
 * @example
 * layers.bidirectional({ layer: layers.lstm({ units: 32 }) });
 * @see Schuster & Paliwal 1997; https://keras.io/api/layers/recurrent_layers/bidirectional/
 */
export function bidirectional(options: BidirectionalOptions): Bidirectional {
  return new Bidirectional(options);
}
