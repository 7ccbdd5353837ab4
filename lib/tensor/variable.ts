// Tensors whose values change.
import { binding, type DType, type Storage } from '../binding/index.js';
import { DownhillError } from '../errors.js';
import type { Constraint } from '../constraints/constraint.js';
import { resolveConstraint, type ConstraintLike } from '../constraints/resolve.js';
import { SymbolicTensor } from '../graph/symbolic.js';
import { checkFlag, Options } from '../options.js';
import { checkCountOfValues, checkFits, type TensorLike, toSource } from './convert.js';
import { build } from './make.js';
import { type Shape, sameShape, shapeText } from './shape.js';
import { storageOf, Tensor } from './tensor.js';

let unnamed = 0;

/**
 * A Tensor with `assign(values)`: what an optimizer updates, and what traced functions read anew at every call.
 */
export class Variable extends Tensor {
  /** What optimizers apply after each update; null: nothing. */
  readonly constraint: Constraint | null;
  readonly #name: string | (() => string);
  readonly #owner: { readonly trainable: boolean } | null;
  #trainable: boolean;

  /** Use `variable(…)`. @internal */
  constructor(
    storage: Storage,
    shape: Shape,
    dtype: DType,
    name: string | (() => string),
    trainable: boolean,
    constraint: Constraint | null = null,
    owner: { readonly trainable: boolean } | null = null,
  ) {
    super(storage, shape, dtype);
    this.#owner = owner;
    this.#name = name;
    this.constraint = constraint;
    this.#trainable = trainable;
  }

  get name(): string {
    return typeof this.#name === 'string' ? this.#name : this.#name();
  }

  /** Whether models and optimizers update it; never that of a layer that is not trained. */
  get trainable(): boolean {
    return this.#trainable && (this.#owner?.trainable ?? true);
  }

  set trainable(value: boolean) {
    this.#trainable = checkFlag(`Variable "${this.name}": trainable`, value);
  }

  /**
   * Overwrites the values. Inside a traced function, a symbolic value is written when the call ends, and read back by what the
   * function reads of this variable afterwards.
   *
   * @throws SHAPE_MISMATCH unless the values have this variable's shape (a typed array: its count)
   */
  assign(values: TensorLike | SymbolicTensor): void {
    const what = `assign to Variable "${this.name}"`;
    const storage = storageOf(this);
    if (values instanceof SymbolicTensor) {
      values.trace.write(this, values);
      return;
    }
    const source = toSource(what, values);
    const flat = ArrayBuffer.isView(values);
    if (flat) checkCountOfValues(what, source.shape[0], this.shape);
    else if (!sameShape(source.shape, this.shape))
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `${what}: expected shape ${shapeText(this.shape)}; received ${shapeText(source.shape)}.`,
      );
    if (source.tensor && source.dtype === this.dtype) {
      binding.storagesWrite([storage], [this.dtype], [storageOf(source.tensor)]);
      return;
    }
    const data = source.tensor ? source.tensor.dataSync() : source.values;
    checkFits(what, data, this.dtype);
    binding.storagesWrite([storage], [this.dtype], [data]);
  }

  protected override describeKind(): string {
    return `Variable "${this.name}"`;
  }
}

export interface VariableOptions {
  /** By default that of the values. */
  shape?: Shape;
  dtype?: DType;
  /** For messages, saved files and parameter groups. */
  name?: string;
  /** Whether an optimizer updates it; true by default. */
  trainable?: boolean;
  /** Applied after each update: by name, one of `constraints.…`, or a function of ops. */
  constraint?: ConstraintLike | null;
}

/**
 * A Variable that starts with the given values.
 *
 * @throws as `tensor`
 * @example
 * const w = variable([[0, 0]], { name: 'w' });
 * await optimizers.sgd({ learningRate: 0.1 }).minimize(() => ops.sum(ops.square(ops.sub(w, 3))), [w]);
 */
export function variable(values: TensorLike, options?: VariableOptions): Variable {
  const read = new Options<VariableOptions>('variable', options, ['shape', 'dtype', 'name', 'trainable', 'constraint']);
  const name = read.has('name') ? read.text('name') : unnamed === 0 ? 'variable' : `variable_${unnamed}`;
  const trainable = read.flag('trainable', true);
  const constraint = resolveConstraint(read.what('constraint'), read.raw.constraint);
  const made = build('variable', values, read.raw.shape, read.raw.dtype);
  if (!read.has('name')) unnamed++;
  return new Variable(made.storage, made.shape, made.dtype, name, trainable, constraint);
}
