// What layers of attention share: their inputs, query, value, key and a mask.
import type { Config } from '../../config/values.js';
import { DownhillError } from '../../errors.js';
import * as ops from '../../graph/ops.js';
import type { Options } from '../../options.js';
import type { Shape } from '../../tensor/shape.js';
import type { CallContext, Computed } from '../layer.js';
import { type Mask, masksOf, spread } from '../mask.js';
import { type OneOrMore, shapesOf } from '../output.js';
import { RandomLayer, type RandomOptions } from '../random-layer.js';

export interface AttentionBaseOptions extends RandomOptions {
  /** Fraction of the probabilities that is dropped while training. */
  dropout?: number;
  /** Whether a step sees itself and those before it alone; false by default. In Keras an argument of the call. */
  useCausalMask?: boolean;
}

export const attentionKeys = ['dropout', 'useCausalMask', 'seed'] as const;

/** Inputs in Keras's order, or their shapes; the key is the value where it is not given, and one input is all three. */
export interface AttentionInputs<T> {
  query: T;
  value: T;
  key: T;
  mask: T | null;
}

/** Of a call: `alone`: query, value and key are one; `steps`: the mask of the queries' steps. */
interface AttentionCall extends AttentionInputs<Computed> {
  alone: boolean;
  steps: Mask;
}

export abstract class AttentionLayer extends RandomLayer {
  readonly dropout: number;
  readonly useCausalMask: boolean;

  constructor(kind: string, read: Options<AttentionBaseOptions>) {
    super(kind, read as Options<RandomOptions>);
    this.dropout = read.number('dropout', 0, { min: 0, below: 1 });
    this.useCausalMask = read.flag('useCausalMask', false);
  }

  override getConfig(): Config {
    const { dropout, useCausalMask } = this;
    return { ...super.getConfig(), dropout, useCausalMask };
  }

  override get takesSeveral(): boolean {
    return true;
  }

  /** That of the query. */
  override computeMask(_: OneOrMore<Computed>, mask: OneOrMore<Mask>): Mask {
    return masksOf(mask)[0] ?? null;
  }

  /** What drops probabilities in this call. */
  protected dropping(x: Computed, { training }: CallContext): { rate: number; key: number } | undefined {
    return training && this.dropout > 0 ? { rate: this.dropout, key: this.draws.keyFor(x) } : undefined;
  }

  /** The inputs of a call; masked steps of key and value are hidden. */
  protected inputsOf(x: OneOrMore<Computed>, context: CallContext): AttentionCall {
    const list = Array.isArray(x) ? (x as readonly Computed[]) : [x as Computed];
    const inputs = this.#named(list);
    const { query, value, key } = inputs;
    const masks = masksOf(context.mask);
    const steps = masks[0] ?? null;
    const keys = list.length === 1 ? [steps] : [masks[1], list.length > 2 ? masks[2] : null];
    const wide = [attentionMask(inputs.mask), ...keys.map(ofKeys)].filter((one) => one !== null);
    const mask = wide.length > 0 ? wide.reduce((a, b) => ops.mul(a, b)) : null;
    return { ...inputs, mask, steps, alone: query === value && query === key };
  }

  /** Shapes of the inputs, of one example: sequences of features, and a mask that fits them. */
  protected shapesIn(given: OneOrMore<Shape>, heads: number): AttentionInputs<Shape> {
    const shapes = this.#named(shapesOf(given));
    const { query, value, key, mask } = shapes;
    if ([query, value, key].some((shape) => shape.length !== 2))
      throw this.mismatch('sequences [n, steps, features] as query, value and key', given);
    if (value[0] !== key[0]) throw this.mismatch('as many keys as values', given);
    if (mask) {
      const wide = mask.length === 2 ? [1, ...mask] : mask;
      const whole = [heads, query[0], value[0]];
      if (wide.length !== 3 || wide.some((dim, i) => dim !== 1 && dim !== whole[i]))
        throw this.mismatch(
          `a mask that broadcasts to [n, ${heads}, ${query[0]}, ${value[0]}], or one without the heads`,
          given,
        );
    }
    return shapes;
  }

  #named<T>(list: readonly T[]): AttentionInputs<T> {
    if (list.length > 4)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `Layer "${this.name}" (${this.type}) takes query, value, key and a mask; received ${list.length} inputs.`,
      );
    const [query, value = query, key = value, mask = null] = list;
    return { query, value, key, mask };
  }
}

/** A mask of the keys' steps for all heads and queries: [n, keys] → int32 [n, 1, 1, keys]. */
function ofKeys(mask: Mask | undefined): Computed | null {
  if (!mask) return null;
  const [n, keys] = mask.shape as [number, number];
  return ops.reshape(ops.notEqual(mask, 0), [n, 1, 1, keys]);
}

/** y [n, steps, …] with 0 at masked steps. */
export function withSteps(y: Computed, steps: Mask): Computed {
  return steps ? ops.mul(y, spread(steps, y.shape.length)) : y;
}

/** The mask of a call as int32 [n, heads or 1, steps, keys]: where it is 0 a key is hidden. */
function attentionMask(mask: Computed | null): Computed | null {
  if (!mask) return null;
  const seen = mask.dtype === 'int32' ? mask : ops.notEqual(mask, 0);
  const [n, ...rest] = seen.shape;
  return rest.length === 3 ? seen : ops.reshape(seen, [n, 1, ...rest]);
}
