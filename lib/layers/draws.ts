// The keys of what a layer draws while it trains.
import { SymbolicTensor } from '../graph/symbolic.js';
import type { Trace } from '../graph/trace.js';
import { drawSeed } from '../random.js';
import type { Computed } from './layer.js';

/** Between the keys of two calls of one layer: far from what users choose as seeds. */
const kApart = 2654435761;

export class Draws {
  #seed: number;
  #calls = 0;
  /** Calls within one trace: each draws of its own. */
  readonly #traced = new WeakMap<Trace, number>();

  constructor(seed: number | undefined) {
    this.#seed = seed ?? drawSeed();
  }

  /** In use; setting it repeats what a layer with that seed draws. */
  get seed(): number {
    return this.#seed;
  }

  set seed(seed: number) {
    this.#seed = seed;
  }

  /** A training step counts its draws by itself; a call on concrete values is a program of its own, so its key must move. */
  keyFor(x: Computed): number {
    return x instanceof SymbolicTensor ? this.keyIn(x.trace) : this.#seed + ++this.#calls;
  }

  /** Of a layer that is called once, its seed. */
  keyIn(trace: Trace): number {
    const calls = this.#traced.get(trace) ?? 0;
    this.#traced.set(trace, calls + 1);
    return (this.#seed + calls * kApart) % 2 ** 53;
  }
}
