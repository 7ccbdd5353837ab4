// Layers that make one value of several, elementwise: add, subtract, multiply, average, maximum, minimum.
import * as ops from '../../graph/ops.js';
import { DownhillError } from '../../errors.js';
import type { Shape } from '../../tensor/shape.js';
import { type Mask, masksOf } from '../mask.js';
import type { OneOrMore } from '../output.js';
import { type Computed, Layer, type LayerOptions, layerOptions } from '../layer.js';

export type MergeOptions = LayerOptions;

/** The shape that NumPy broadcasts examples to; null where they do not agree. */
function broadcast(a: Shape, b: Shape): Shape | null {
  const rank = Math.max(a.length, b.length);
  const at = (shape: Shape, i: number) => shape[i - (rank - shape.length)] ?? 1;
  const dims = Array.from({ length: rank }, (_, i) => [at(a, i), at(b, i)]);
  if (dims.some(([x, y]) => x !== y && x !== 1 && y !== 1)) return null;
  return dims.map(([x, y]) => (x === 1 ? y : x));
}

/** Base of the elementwise merges. */
export abstract class Merge extends Layer {
  override readonly severalInputs = true;

  constructor(kind: string, options: MergeOptions | undefined) {
    super(kind, layerOptions<MergeOptions>(kind, options, []));
  }

  override computeOutputShape(inputShape: readonly Shape[]): Shape {
    let shape: Shape | null = inputShape[0];
    for (const other of inputShape.slice(1)) shape = shape && broadcast(shape, other);
    if (!shape) throw this.mismatch('inputs of one shape, or of shapes that broadcast', inputShape);
    return shape;
  }

  override computeOutputDtype(inputDtypes: readonly ('float32' | 'int32')[]): 'float32' | 'int32' {
    return inputDtypes.every((dtype) => dtype === 'int32') ? 'int32' : 'float32';
  }

  override call(inputs: readonly Computed[]): Computed {
    const rank = Math.max(...inputs.map(({ shape }) => shape.length));
    // Axes that an input lacks follow that of the batch.
    const full = inputs.map((x) => {
      const missing = rank - x.shape.length;
      return missing === 0 ? x : ops.reshape(x, [x.shape[0], ...Array<number>(missing).fill(1), ...x.shape.slice(1)]);
    });
    return this.merge(full);
  }

  /** As Keras: steps that count in one of them, if all inputs have a mask. */
  override computeMask(_: OneOrMore<Computed>, mask: OneOrMore<Mask>): Mask {
    const masks = masksOf(mask).filter((one) => one !== null);
    return masks.length < masksOf(mask).length ? null : masks.reduce((a, b) => ops.maximum(a, b));
  }

  protected abstract merge(inputs: readonly Computed[]): Computed;
}

type Pairwise = (a: Computed, b: Computed) => Computed;
const reduced = (inputs: readonly Computed[], op: Pairwise) => inputs.reduce((total, x) => op(total, x));

export class Add extends Merge {
  override readonly type = 'Add';
  protected override merge(inputs: readonly Computed[]): Computed {
    return reduced(inputs, ops.add);
  }
}

export class Subtract extends Merge {
  override readonly type = 'Subtract';
  override computeOutputShape(inputShape: readonly Shape[]): Shape {
    if (inputShape.length !== 2)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `Layer "${this.name}" (Subtract) takes exactly 2 inputs; received ${inputShape.length}.`,
      );
    return super.computeOutputShape(inputShape);
  }
  protected override merge([a, b]: readonly Computed[]): Computed {
    return ops.sub(a, b);
  }
}

export class Multiply extends Merge {
  override readonly type = 'Multiply';
  protected override merge(inputs: readonly Computed[]): Computed {
    return reduced(inputs, ops.mul);
  }
}

export class Average extends Merge {
  override readonly type = 'Average';
  override computeOutputDtype(): 'float32' {
    return 'float32';
  }
  protected override merge(inputs: readonly Computed[]): Computed {
    return ops.mul(reduced(inputs, ops.add), 1 / inputs.length);
  }
}

export class Maximum extends Merge {
  override readonly type = 'Maximum';
  protected override merge(inputs: readonly Computed[]): Computed {
    return reduced(inputs, ops.maximum);
  }
}

export class Minimum extends Merge {
  override readonly type = 'Minimum';
  protected override merge(inputs: readonly Computed[]): Computed {
    return reduced(inputs, ops.minimum);
  }
}

/**
 * The sum of its inputs, of one shape or of shapes that broadcast: [n, …] × k → [n, …].
 *
 * @example
 * const skipped = layers.add().apply([x, block]);
 * @see https://keras.io/api/layers/merging_layers/add/
 */
export function add(options?: MergeOptions): Add {
  return new Add('add', options);
}

/**
 * The first input less the second; it takes exactly two.
 *
 * @example
 * layers.subtract().apply([a, b]);
 */
export function subtract(options?: MergeOptions): Subtract {
  return new Subtract('subtract', options);
}

/**
 * The elementwise product of its inputs.
 *
 * @example
 * const gated = layers.multiply().apply([x, gate]);
 */
export function multiply(options?: MergeOptions): Multiply {
  return new Multiply('multiply', options);
}

/**
 * The elementwise mean of its inputs.
 *
 * @example
 * layers.average().apply([a, b, c]);
 */
export function average(options?: MergeOptions): Average {
  return new Average('average', options);
}

/**
 * The elementwise maximum of its inputs.
 *
 * @example
 * layers.maximum().apply([a, b]);
 */
export function maximum(options?: MergeOptions): Maximum {
  return new Maximum('maximum', options);
}

/**
 * The elementwise minimum of its inputs.
 *
 * @example
 * layers.minimum().apply([a, b]);
 */
export function minimum(options?: MergeOptions): Minimum {
  return new Minimum('minimum', options);
}
