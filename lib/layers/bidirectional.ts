// A recurrent layer over a sequence in both directions.
import { serialize } from '../config/registry.js';
import type { Config } from '../config/values.js';
import { DownhillError, show } from '../errors.js';
import * as ops from '../graph/ops.js';
import type { Shape } from '../tensor/shape.js';
import { type CallContext, type Computed, Layer, type LayerOptions, layerOptions } from './layer.js';
import type { OneOrMore } from './output.js';
import { gru, lstm, simpleRNN } from './recurrent.js';
import { Recurrent, reversed } from './recurrent-base.js';

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
  return make({ ...layer.given, name: own, trainable, seed, ...options });
}

export class Bidirectional extends Layer {
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
    if (a === b || a.goBackwards === b.goBackwards || a.returnSequences !== b.returnSequences)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${read.what('backwardLayer')} must be another layer than \`layer\`, with the other goBackwards and the same returnSequences.`,
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

  override computeOutputShape(inputShape: Shape): OneOrMore<Shape> {
    if (inputShape.length !== 2) throw this.mismatch('sequences, [n, steps, features]', inputShape);
    this.checkFeatures(inputShape);
    const [forward, backward] = [this.#forward, this.#backward].map((layer) => layer.computeOutputShape(inputShape));
    if (this.mergeMode === null) return [forward!, backward!];
    if (this.mergeMode !== 'concat') return forward!;
    return [...forward!.slice(0, -1), forward!.at(-1)! + backward!.at(-1)!];
  }

  protected override declareWeights(inputShape: Shape): void {
    this.#forward.build(inputShape);
    this.#backward.build(inputShape);
  }

  override call(x: Computed, context: CallContext): OneOrMore<Computed> {
    const forward = this.#forward.apply(x, context);
    const turns = this.#backward.returnSequences;
    const backward = this.#backward.apply(x, context);
    const pair = turns
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
        return ops.concat([a, b], a.shape.length - 1);
      case 'sum':
        return ops.add(a, b);
      case 'mul':
        return ops.mul(a, b);
      case 'ave':
        return ops.mul(ops.add(a, b), 0.5);
    }
  }
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
