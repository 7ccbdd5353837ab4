// Initial states of recurrent layers: inputs behind the sequence.
import { DownhillError } from '../errors.js';
import { SymbolicTensor } from '../graph/symbolic.js';
import type { Value } from '../graph/trace.js';
import { asTensor } from '../tensor/make.js';
import { Tensor } from '../tensor/tensor.js';
import type { Shape } from '../tensor/shape.js';
import type { CallContext } from './layer.js';
import { LayerOutput, type OneOrMore, shapesOf } from './output.js';

export interface RecurrentContext extends CallContext {
  /** The states before the first step, each [n, units], in the order of returnState; one alone for layers with one. Zeros by default. */
  initialState: OneOrMore<Value | LayerOutput>;
}

/** A list of the sequence and the states that a call gave beside it. */
export function withStates(
  layer: string,
  x: OneOrMore<Value | LayerOutput>,
  initialState: OneOrMore<Value | LayerOutput>,
): OneOrMore<LayerOutput> {
  const isValue = (value: unknown) =>
    value instanceof SymbolicTensor || value instanceof Tensor || value instanceof LayerOutput;
  const states = Array.isArray(initialState) ? (initialState as readonly Value[]) : [initialState];
  if (states.length === 0 || (Array.isArray(x) && x.some(isValue)))
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `layer "${layer}": initialState: expected a state or a list of states, beside one sequence; received ${states.length} beside ${Array.isArray(x) ? `a list of ${x.length}` : 'a sequence'}. Give states behind the sequence, apply([x, h]), or as initialState, not both.`,
    );
  const values = [x, ...states].map((value) => (isValue(value) ? value : asTensor(`layer "${layer}"`, value as Value)));
  return values as unknown as readonly LayerOutput[];
}

/**
 * Shape of the sequence among those of the inputs, whose initial states are checked.
 *
 * @param wrong makes the error for what was expected
 */
export function sequenceOf(
  inputShape: OneOrMore<Shape>,
  states: readonly number[],
  wrong: (expected: string, received: OneOrMore<Shape>) => DownhillError,
): Shape {
  const [sequence, ...initial] = shapesOf(inputShape) as [Shape, ...Shape[]];
  if (initial.length === 0) return sequence;
  const fits =
    initial.length === states.length && initial.every((shape, i) => shape.length === 1 && shape[0] === states[i]);
  if (!fits)
    throw wrong(
      `a sequence and ${states.length} initial states ${states.map((units) => `[n, ${units}]`).join(', ')}`,
      inputShape,
    );
  return sequence;
}
