// Initial states of recurrent layers: inputs behind the sequence.
import { DownhillError } from '../../errors.js';
import { SymbolicTensor } from '../../graph/symbolic.js';
import type { Value } from '../../graph/trace.js';
import { asTensor } from '../../tensor/make.js';
import { Tensor } from '../../tensor/tensor.js';
import type { Shape } from '../../tensor/shape.js';
import { type CallContext, type Computed, Layer } from '../layer.js';
import { LayerOutput, type OneOrMore, shapesOf } from '../output.js';

export interface RecurrentContext extends CallContext {
  /** The states before the first step, each [n, units], in the order of returnState; one alone for layers with one. Zeros by default. */
  initialState: OneOrMore<Value | LayerOutput>;
}

/** Base of layers of sequences [n, steps, features] that carry states from step to step. */
export abstract class SequenceLayer extends Layer {
  /** Units of each state. @internal */
  abstract get stateSizes(): readonly number[];

  /** With initial states behind the sequence. */
  override get takesSeveral(): boolean {
    return true;
  }

  override build(inputShape: OneOrMore<Shape>): void {
    this.computeOutputShape(inputShape);
    super.build(shapesOf(inputShape)[0]!);
  }

  /**
   * The layer applied to sequences; `initialState`: the states before their first steps, [n, units] each, which may also follow x in a list. Those of
   * bidirectional are the layer's, then the other's.
   *
   * @example
   * const [, h, c] = layers.lstm({ units: 64, returnState: true }).apply(question);
   * const answer = layers.lstm({ units: 64, returnSequences: true }).apply(words, { initialState: [h, c] });
   */
  override apply<T extends OneOrMore<LayerOutput> = LayerOutput>(
    x: OneOrMore<LayerOutput>,
    context?: Partial<RecurrentContext>,
  ): T;
  override apply(x: OneOrMore<Value>, context?: Partial<RecurrentContext>): Computed;
  override apply(x: never, { initialState, ...context }: Partial<RecurrentContext> = {}): unknown {
    if (initialState === undefined) return super.apply(x, context);
    return super.apply(withStates(this.name, x, initialState), context);
  }

  /** Shape of the sequence among those of the inputs, all of which are checked. */
  protected sequenceOf(inputShape: OneOrMore<Shape>): Shape {
    const [sequence, ...initial] = shapesOf(inputShape) as [Shape, ...Shape[]];
    const states = this.stateSizes;
    const fits =
      initial.length === states.length && initial.every((shape, i) => shape.length === 1 && shape[0] === states[i]);
    if (initial.length > 0 && !fits) {
      const wanted = states.map((units) => `[n, ${units}]`).join(' and ');
      const count = states.length === 1 ? 'one initial state' : `${states.length} initial states`;
      throw this.mismatch(`a sequence and ${count}, ${wanted}`, inputShape);
    }
    if (sequence.length !== 2) throw this.mismatch('sequences, [n, steps, features]', sequence);
    this.checkFeatures(sequence);
    return sequence;
  }

  /** The sequence among the inputs of a call, and the states, which have its rows. */
  protected inputsOf(given: OneOrMore<Computed>): [x: Computed, initial: readonly Computed[]] {
    const [x, ...initial] = [given].flat() as [Computed, ...Computed[]];
    const [rows] = x.shape;
    const other = initial.find(({ shape }) => shape[0] !== rows);
    if (!other) return [x, initial];
    throw new DownhillError(
      'SHAPE_MISMATCH',
      `Layer "${this.name}" (${this.type}) expects initial states with a row for each of the ${rows} sequences; received [${other.shape.join(', ')}].`,
    );
  }
}

const isValue = (value: unknown) =>
  value instanceof SymbolicTensor || value instanceof Tensor || value instanceof LayerOutput;

/** A state [n, units] as nested arrays, which is no list of states. */
const isNested = (given: readonly unknown[]) => given.every((row) => Array.isArray(row) && typeof row[0] === 'number');

/** A list of the sequence and the states that a call gave beside it. */
function withStates(
  layer: string,
  x: OneOrMore<Value | LayerOutput>,
  initialState: OneOrMore<Value | LayerOutput>,
): OneOrMore<LayerOutput> {
  const isList = Array.isArray(initialState) && (initialState.length === 0 || !isNested(initialState));
  const states = isList ? (initialState as readonly Value[]) : [initialState];
  if (states.length === 0 || (Array.isArray(x) && x.some(isValue)))
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `layer "${layer}": initialState: expected a state or a list of states, beside one sequence; received ${states.length} beside ${Array.isArray(x) ? `a list of ${x.length}` : 'a sequence'}. Give states behind the sequence, apply([x, h]), or as initialState, not both.`,
    );
  const named = (what: string, value: unknown) => (isValue(value) ? value : asTensor(`layer "${layer}"${what}`, value));
  return [named('', x), ...states.map((state) => named(': initialState', state))] as unknown as readonly LayerOutput[];
}
