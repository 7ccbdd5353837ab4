// The native updaters of one optimizer, one per list of variables, and the count of steps that they share.
import { binding, type Storage, type Updater } from '../binding/index.js';
import { LruCache } from '../graph/lru.js';
import { storageOf } from '../tensor/tensor.js';
import type { Variable } from '../tensor/variable.js';
import { arenaFor } from './slots.js';
import { idsOf } from './variable-ids.js';

export interface Bound {
  variables: readonly Variable[];
  gradients: readonly Storage[];
  updater: Updater;
}

/** Updaters that one optimizer keeps. */
const kBound = 8;

export class Updaters {
  readonly #owned = new LruCache<Bound>(kBound);
  #bound: Bound[] = [];
  #active: Updater | null = null;
  #steps = 0;
  #skipped = 0;

  /**
   * @param make makes an updater
   * @param tell tells one what may have changed since it was made
   */
  constructor(
    readonly make: (variables: readonly Variable[], gradients: readonly Storage[]) => Updater,
    readonly tell: (updater: Updater) => void,
  ) {}

  /** Steps so far: the active updater counts them. */
  get steps(): number {
    return this.#active ? binding.updaterIterations(this.#active) : this.#steps;
  }

  /** Updates that were skipped. */
  get skipped(): number {
    return this.#active ? binding.updaterSkipped(this.#active) : this.#skipped;
  }

  /** Sets both counts. */
  count(steps: number, skipped: number): void {
    this.#steps = steps;
    this.#skipped = skipped;
    if (this.#active) binding.updaterSetIterations(this.#active, steps, skipped);
  }

  /** Of these variables with gradients in these storages; becomes the active one. Asked again it is the same. */
  bind(variables: readonly Variable[], gradients: readonly Storage[]): Updater {
    const known = this.#bound.find((bound) => same(bound.variables, variables) && same(bound.gradients, gradients));
    return this.activate((known ?? this.#make(variables, gradients)).updater);
  }

  /** Updater and gradient storages for a list of the user's variables. */
  own(variables: readonly Variable[]): Bound {
    for (const variable of variables) storageOf(variable);
    return this.#owned.get(idsOf(variables), () => this.#make(variables, arenaFor(variables)));
  }

  /** Goes on with the steps counted so far. */
  activate(updater: Updater): Updater {
    if (updater !== this.#active) {
      binding.updaterSetIterations(updater, this.steps, this.skipped);
      this.#active = updater;
      this.tell(updater);
    }
    return updater;
  }

  /** Those that are known, and the one in use, which may have been known longer than they. */
  tellAll(): void {
    const updaters = new Set(this.#bound.map(({ updater }) => updater));
    if (this.#active) updaters.add(this.#active);
    for (const updater of updaters) this.tell(updater);
  }

  /** Forgets the updaters, but for the counts. */
  clear(): void {
    this.#steps = this.steps;
    this.#skipped = this.skipped;
    this.#active = null;
    this.#bound = [];
    this.#owned.clear();
  }

  #make(variables: readonly Variable[], gradients: readonly Storage[]): Bound {
    const updater = this.make(variables, gradients);
    this.tell(updater);
    const bound = { variables: [...variables], gradients: [...gradients], updater };
    this.#bound = [...this.#bound.slice(1 - kBound), bound];
    return bound;
  }
}

function same(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}
