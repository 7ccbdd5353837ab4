// Where a layer is: the models that have it, what stands before its name, and its calls in graphs.
import type { Layer } from './layer.js';
import type { LayerCall } from './output.js';

export class Place {
  /** Where the layer is applied to symbolic values. */
  readonly calls: LayerCall[] = [];
  #scope: string | null = null;
  /** Models that it is a layer of. */
  #models = 0;
  #stack: (() => void) | null = null;

  constructor(
    readonly layer: Layer,
    /** Its automatic name, without a number. */
    readonly kind: string,
  ) {}

  /** What stands before its name: "", or "encoder/" in a model that is a layer itself. */
  get scope(): string {
    return this.#scope ?? '';
  }

  /** Whether it is a layer of a model. */
  get owned(): boolean {
    return this.#scope !== null;
  }

  /** One more model has it as a layer. `stack`: makes the calls of a sequential one, once somebody asks for them. */
  join(stack: (() => void) | null): void {
    this.#models++;
    this.#stack ??= stack;
  }

  /** A model that has it is disposed of; whether it was the last one. */
  leave(): boolean {
    return --this.#models === 0;
  }

  /** It becomes a layer of a model with this scope. A longer one stays. */
  enter(scope: string): void {
    if (this.#scope === null || scope !== '') this.#scope = scope;
    this.renamed();
  }

  /** The layers in it have other scopes. */
  renamed(): void {
    const scope = this.owned ? `${this.layer.path}/` : '';
    for (const inner of this.layer.innerLayers) inner.place.enter(scope);
  }

  /** Its calls; those of a stack that nobody has asked for yet are made. */
  called(): readonly LayerCall[] {
    if (this.calls.length === 0) this.#stack?.();
    return this.calls;
  }
}
