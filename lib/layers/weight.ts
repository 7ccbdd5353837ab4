// A weight of a layer: declared when the layer is built, placed in a model's arena when the model is first used.
import { binding, type Storage } from '../binding/index.js';
import type { Constraint } from '../constraints/constraint.js';
import type { Initializer } from '../initializers/index.js';
import type { Regularizer } from '../regularizers/index.js';
import { elementBytes, type Shape, sizeOf } from '../tensor/shape.js';
import { storageOf, type Tensor } from '../tensor/tensor.js';
import { Variable } from '../tensor/variable.js';

let drawing = true;

/** Weights that `make` declares draw no initial values and take no memory until placed; they start at 0. For values from a file. */
export function withoutInitialValues<T>(make: () => T): T {
  const before = drawing;
  drawing = false;
  try {
    return make();
  } finally {
    drawing = before;
  }
}

export class Weight {
  /** The values that it starts with, drawn when it is declared; null once placed, or when it starts at 0. */
  #initial: Tensor | null;
  #variable: Variable | null = null;

  constructor(
    /** Within its layer: "kernel". */
    readonly name: string,
    readonly shape: Shape,
    initializer: Initializer,
    readonly regularizer: Regularizer | null,
    readonly constraint: Constraint | null,
    /** Of its layer, by reference: freezing a layer freezes its weights. */
    readonly owner: { readonly path: string; readonly trainable: boolean },
    /** False: state of the layer, which steps of training write, but no optimizer. */
    readonly learned = true,
  ) {
    this.#initial = drawing ? initializer.sample([...shape]) : null;
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  /** "dense/kernel"; of a model that is a layer, behind its name: "encoder/dense/kernel". */
  get path(): string {
    return `${this.owner.path}/${this.name}`;
  }

  get placed(): boolean {
    return this.#variable !== null;
  }

  get trainable(): boolean {
    return this.#variable?.trainable ?? (this.learned && this.owner.trainable);
  }

  /** Where its values live. Places the weight by itself when no model has done so. */
  get variable(): Variable {
    if (!this.#variable) placeWeights([this]);
    return this.#variable!;
  }

  /** Moves the initial values into `storage`, which this weight owns from now on. */
  place(storage: Storage): void {
    if (this.#initial) {
      binding.storagesWrite([storage], ['float32'], [storageOf(this.#initial)]);
      this.#initial.dispose();
      this.#initial = null;
    }
    const { shape, learned, constraint, owner } = this;
    this.#variable = new Variable(storage, shape, 'float32', () => this.path, learned, constraint, owner);
  }
}

/** Places those weights that have no memory yet in one new arena, in order. */
export function placeWeights(weights: readonly Weight[]): void {
  const fresh = weights.filter((weight) => !weight.placed);
  if (fresh.length === 0) return;
  const views = binding.arena(fresh.map((weight) => weight.size * elementBytes));
  fresh.forEach((weight, i) => {
    weight.place(views[i]);
  });
}

/** Zero-filled float32 storages, parallel to the weights, in one arena that is first used on that device. */
export function arenaLike(weights: readonly Weight[], device?: string): Storage[] {
  const sizes = weights.map((weight) => weight.size * elementBytes);
  return weights.length === 0 ? [] : binding.arena(sizes, device);
}

/** The same for gradients, of which steps on the CPU may write single rows. updated: by weight, whether the optimizer updates such rows alone. */
export function gradientsLike(weights: readonly Weight[], device: string, updated: readonly boolean[]): Storage[] {
  if (device !== 'cpu' || weights.length === 0) return arenaLike(weights, device);
  return binding.arena(
    weights.map((weight) => weight.size * elementBytes),
    device,
    [...updated],
  );
}
