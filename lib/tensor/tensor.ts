// Values in native memory.
import { binding, type DType, type Storage } from '../binding/index.js';
import { DownhillError } from '../errors.js';
import type { ArrayOf } from './convert.js';
import { type Shape, shapeText, sizeOf } from './shape.js';

// Node 20's first releases lack the symbol that `using` needs.
(Symbol as { dispose?: symbol }).dispose ??= Symbol.for('nodejs.dispose');

/** How Node's console asks a value for its text. */
const kInspect = Symbol.for('nodejs.util.inspect.custom');

/** Prints at most this many values of a tensor. */
const kPrinted = 100;

/** Nested values, scalars as numbers. */
function nest(values: ArrayLike<number>, shape: Shape): ArrayOf {
  let next = 0;
  const build = (depth: number): ArrayOf =>
    depth === shape.length ? values[next++] : Array.from({ length: shape[depth] }, () => build(depth + 1));
  return build(0);
}

function print(values: ArrayOf): string {
  return typeof values === 'number' ? String(Number(values.toPrecision(7))) : `[${values.map(print).join(', ')}]`;
}

/** The native memory of a tensor; throws DISPOSED. For lib/ alone. */
export let storageOf: (tensor: Tensor) => Storage;
/** Settles when the values are there; null when they are. For lib/ alone. */
export let pendingOf: (tensor: Tensor) => Promise<void> | null;

/**
 * A multi-dimensional array of numbers in native memory. Made by `tensor(…)` or by the library; its values never change, but for
 * a Variable's. Released by `dispose()`, by `using`, or by garbage collection.
 *
 * @example
 * const t = tensor([[1, 2], [3, 4]]);
 * t.shape;            // [2, 2]
 * await t.array();    // [[1, 2], [3, 4]]
 */
export class Tensor {
  readonly shape: Shape;
  readonly dtype: DType;
  #storage: Storage | null;
  #pending: Promise<void> | null;

  static {
    storageOf = (tensor) => tensor.#use();
    pendingOf = (tensor) => tensor.#pending;
  }

  /** Use `tensor(…)`. @internal */
  constructor(storage: Storage, shape: Shape, dtype: DType, pending: Promise<void> | null = null) {
    this.#storage = storage;
    this.shape = Object.isFrozen(shape) ? shape : Object.freeze([...shape]);
    this.dtype = dtype;
    this.#pending = pending;
    if (!pending) return;
    // The error stays in the storage and is raised where the values are read.
    const arrived = () => {
      this.#pending = null;
    };
    pending.then(arrived, arrived);
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** The device that holds the values; they move when another one needs them. */
  get device(): string {
    return binding.storageDevice(this.#use());
  }

  get disposed(): boolean {
    return this.#storage === null;
  }

  /** The values in row-major order, as a copy. Rejects with the error of the work that should have made them, or DISPOSED. */
  async data(): Promise<Float32Array | Int32Array> {
    const storage = this.#use();
    if (this.#pending) await this.#pending.catch(() => undefined);
    return binding.storageRead(storage, this.dtype);
  }

  /** As data(), at once; blocks the event loop while the values are being computed. */
  dataSync(): Float32Array | Int32Array {
    return binding.storageRead(this.#use(), this.dtype);
  }

  /** The values as nested arrays; of a scalar, its number. */
  async array(): Promise<ArrayOf> {
    return nest(await this.data(), this.shape);
  }

  /** As array(), at once; blocks the event loop while the values are being computed. */
  arraySync(): ArrayOf {
    return nest(this.dataSync(), this.shape);
  }

  /** Releases the memory now. Using the tensor afterwards throws DISPOSED; disposing again does nothing. */
  dispose(): void {
    if (!this.#storage) return;
    binding.storageDispose(this.#storage);
    this.#storage = null;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** What stands before the parentheses when printed. */
  protected describeKind(): string {
    return 'Tensor';
  }

  toString(): string {
    const head = `${this.describeKind()}(shape=${shapeText(this.shape)}, dtype=${this.dtype}`;
    if (this.disposed) return `${head}, disposed)`;
    if (this.#pending) return `${head}, pending)`;
    if (this.size > kPrinted) return `${head}, ${this.size} values)`;
    return `${head}, values=${print(this.arraySync())})`;
  }

  [kInspect](): string {
    return this.toString();
  }

  #use(): Storage {
    if (!this.#storage)
      throw new DownhillError(
        'DISPOSED',
        `This ${this.describeKind()} of shape ${shapeText(this.shape)} has been disposed of. Use it before dispose(), or keep a copy.`,
      );
    return this.#storage;
  }
}
