// Storages that belong to variables: an optimizer's slots, made when a variable is first updated.
import { binding, type Storage } from '../binding/index.js';
import { elementBytes, type Shape, sizeOf } from '../tensor/shape.js';
import { storageOf } from '../tensor/tensor.js';
import type { Variable } from '../tensor/variable.js';

/** A slot of a variable: float32, of its own shape. */
export interface SlotShape {
  /** For files; unique within the variable. */
  readonly name: string;
  readonly shape: Shape;
}

export interface Slot extends SlotShape {
  readonly storage: Storage;
}

/** Zeroed float32 storages of these shapes, one after another in one arena. */
export function arenaFor(shaped: readonly { readonly shape: Shape }[]): Storage[] {
  return shaped.length ? binding.arena(shaped.map(({ shape }) => sizeOf(shape) * elementBytes)) : [];
}

export class Slots {
  #slots = new WeakMap<Variable, readonly Slot[]>();

  /**
   * @param shapesOf the slots that a variable has
   * @param copied name of the slots, if any, that begin as their variables' values
   * @param start what the others begin at
   */
  constructor(
    readonly shapesOf: (variable: Variable) => readonly SlotShape[],
    readonly copied: string | null = null,
    readonly start: (name: string, variable: Variable) => number = () => 0,
  ) {}

  /** The slots of each variable. New ones begin with their first values. */
  of(variables: readonly Variable[]): (readonly Slot[])[] {
    const fresh = variables.filter((variable) => !this.#slots.has(variable));
    const made = this.layOut(fresh);
    this.adopt(fresh, made);
    const all = made.flatMap((slots, i) => slots.map((slot) => ({ ...slot, variable: fresh[i] })));
    this.#fill(all);
    const copies = all.filter(({ name }) => name === this.copied);
    if (copies.length > 0)
      binding.storagesWrite(
        copies.map(({ storage }) => storage),
        copies.map(() => 'float32'),
        copies.map(({ variable }) => storageOf(variable)),
      );
    return variables.map((variable) => this.#slots.get(variable)!);
  }

  /** Gives slots the values that they begin at. */
  #fill(slots: readonly (Slot & { variable: Variable })[]): void {
    const starts = slots.map(({ name, variable }) => this.start(name, variable));
    const distinct = starts.filter((value, i) => starts.findIndex((other) => Object.is(other, value)) === i);
    for (const value of distinct) {
      const filled = slots.filter((_, i) => Object.is(starts[i], value));
      if (!Object.is(value, 0))
        binding.storagesFill(
          filled.map(({ storage }) => storage),
          value,
        );
    }
  }

  /** Zeroed slots that are nobody's yet, in the variables' order, one arena per name, so that updates merge. */
  layOut(variables: readonly Variable[]): Slot[][] {
    const shapes = variables.map((variable) => this.shapesOf(variable));
    const storages = new Map<SlotShape, Storage>();
    for (const name of new Set(shapes.flat().map((slot) => slot.name))) {
      const named = shapes.flat().filter((slot) => slot.name === name);
      for (const [i, storage] of arenaFor(named).entries()) storages.set(named[i], storage);
    }
    return shapes.map((slots) =>
      slots.map((slot) => ({ name: slot.name, shape: slot.shape, storage: storages.get(slot)! })),
    );
  }

  /** Gives variables that have none theirs. */
  adopt(variables: readonly Variable[], slots: readonly (readonly Slot[])[]): void {
    variables.forEach((variable, i) => {
      this.#slots.set(variable, slots[i]);
    });
  }

  /** Null where there are none yet. */
  get(variable: Variable): readonly Slot[] | null {
    return this.#slots.get(variable) ?? null;
  }

  clear(): void {
    this.#slots = new WeakMap();
  }
}
