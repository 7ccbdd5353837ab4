// What layers of attention share: their inputs, query, value, key and a mask.
import { DownhillError } from '../errors.js';
import * as ops from '../graph/ops.js';
import type { Shape } from '../tensor/shape.js';
import type { CallContext, Computed, Layer } from './layer.js';
import { type Mask, masksOf, spread } from './mask.js';
import { type OneOrMore, shapesOf } from './output.js';

/** Inputs in Keras's order, or their shapes; the key is the value where it is not given, and one input is all three. */
export interface AttentionInputs<T> {
  query: T;
  value: T;
  key: T;
  mask: T | null;
}

function attentionInputs<T>(layer: Layer, list: readonly T[]): AttentionInputs<T> {
  if (list.length > 4)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `Layer "${layer.name}" (${layer.type}) takes query, value, key and a mask; received ${list.length} inputs.`,
    );
  const [query, value = query, key = value, mask = null] = list;
  return { query, value, key, mask };
}

/** Of a call: `alone`: query, value and key are one; `steps`: the mask of the queries' steps. */
interface AttentionCall extends AttentionInputs<Computed> {
  alone: boolean;
  steps: Mask;
}

/** The inputs of a call; masked steps of key and value are hidden. */
export function attentionCall(layer: Layer, x: OneOrMore<Computed>, context: CallContext): AttentionCall {
  const list = Array.isArray(x) ? (x as readonly Computed[]) : [x as Computed];
  const inputs = attentionInputs(layer, list);
  const { query, value, key } = inputs;
  const masks = masksOf(context.mask);
  const steps = masks[0] ?? null;
  const keys = list.length === 1 ? [steps] : [masks[1], list.length > 2 ? masks[2] : null];
  const wide = [attentionMask(inputs.mask), ...keys.map(ofKeys)].filter((one) => one !== null);
  const mask = wide.length > 0 ? wide.reduce((a, b) => ops.mul(a, b)) : null;
  return { ...inputs, mask, steps, alone: query === value && query === key };
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

/** Shapes of the inputs, of one example: sequences of features, and a mask that fits them. */
export function attentionShapes(
  layer: Layer,
  given: OneOrMore<Shape>,
  heads: number,
  mismatch: (expected: string) => DownhillError,
): AttentionInputs<Shape> {
  const shapes = attentionInputs(layer, shapesOf(given));
  const { query, value, key, mask } = shapes;
  if ([query, value, key].some((shape) => shape.length !== 2))
    throw mismatch('sequences [n, steps, features] as query, value and key');
  if (value[0] !== key[0]) throw mismatch('as many keys as values');
  if (mask) {
    const wide = mask.length === 2 ? [1, ...mask] : mask;
    const whole = [heads, query[0], value[0]];
    if (wide.length !== 3 || wide.some((dim, i) => dim !== 1 && dim !== whole[i]))
      throw mismatch(`a mask that broadcasts to [n, ${heads}, ${query[0]}, ${value[0]}], or one without the heads`);
  }
  return shapes;
}

/** The mask of a call as int32 [n, heads or 1, steps, keys]: where it is 0 a key is hidden. */
function attentionMask(mask: Computed | null): Computed | null {
  if (!mask) return null;
  const seen = mask.dtype === 'int32' ? mask : ops.notEqual(mask, 0);
  const [n, ...rest] = seen.shape;
  return rest.length === 3 ? seen : ops.reshape(seen, [n, 1, ...rest]);
}
