// Storages that belong to variables: an optimizer's slots, made when a variable is first updated.
import { binding, type Storage } from '../binding/index.js';
import { sizeOf } from '../tensor/shape.js';
import { storageOf } from '../tensor/tensor.js';
import type { Variable } from '../tensor/variable.js';

/** Bytes of a float32. */
const kElement = 4;

/** Zeroed float32 storages of the variables' sizes, one after another in one arena. */
export function arenaFor(variables: readonly Variable[]): Storage[] {
  return variables.length ? binding.arena(variables.map((variable) => sizeOf(variable.shape) * kElement)) : [];
}

export class Slots {
  #slots = new WeakMap<Variable, Storage[]>();

  /** copied: the slot, if any, that begins as its variable's values; start: what the others begin at. */
  constructor(
    readonly count: number,
    readonly copied: number | null = null,
    readonly start: (slot: number, variable: Variable) => number = () => 0,
  ) {}

  /** The slots of each variable. New ones are laid out in the variables' order, one arena per slot, so that updates merge. */
  of(variables: readonly Variable[]): Storage[][] {
    const fresh = variables.filter((variable) => !this.#slots.has(variable));
    const arenas = Array.from({ length: this.count }, () => arenaFor(fresh));
    fresh.forEach((variable, i) => {
      this.#slots.set(
        variable,
        arenas.map((arena) => arena[i]),
      );
    });
    if (fresh.length > 0)
      arenas.forEach((arena, slot) => {
        const values = fresh.map((variable) => this.start(slot, variable));
        for (const value of new Set(values.map((start) => (Object.is(start, -0) ? '-0' : start))))
          if (value !== 0) {
            const number = value === '-0' ? -0 : value;
            const filled = arena.filter((_, i) => Object.is(values[i], number));
            binding.storagesFill(filled, number);
          }
      });
    if (this.copied !== null && fresh.length > 0)
      binding.storagesWrite(
        arenas[this.copied],
        fresh.map(() => 'float32'),
        fresh.map(storageOf),
      );
    return variables.map((variable) => this.#slots.get(variable)!);
  }

  /** Gives variables that have none theirs: by slot, then by variable. */
  adopt(variables: readonly Variable[], slots: readonly (readonly Storage[])[]): void {
    variables.forEach((variable, i) => {
      this.#slots.set(
        variable,
        slots.map((storages) => storages[i]),
      );
    });
  }

  /** Null where there are none yet. */
  get(variable: Variable): readonly Storage[] | null {
    return this.#slots.get(variable) ?? null;
  }

  clear(): void {
    this.#slots = new WeakMap();
  }
}
