// The inputs or the outputs of a model, and the forms in which they are given: one value, a list, or an object by name.
import { isPlain } from '../config/values.js';
import type { DType } from '../binding/native.js';
import { DownhillError, nearest, show } from '../errors.js';
import type { Shape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';

/** One input or output. */
export interface Port {
  readonly name: string;
  /** Of one example, without the batch. */
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Whose name is asked for anew each time: models that have its layer, too, may give that another one. */
export function livePort(name: () => string, { shape, dtype }: Omit<Port, 'name'>): Port {
  return {
    shape,
    dtype,
    get name() {
      return name();
    },
  };
}

export type Form = 'one' | 'list' | 'record';

/** A value for each, in their form. */
export type Packed<T> = T | T[] | Record<string, T>;

/** A value for each input or output: one, a list, or an object by name. */
export type ByPort<T> = T | readonly T[] | Readonly<Record<string, T>>;

export class Ports {
  constructor(
    readonly side: 'input' | 'output',
    readonly form: Form,
    readonly all: readonly Port[],
  ) {}

  get names(): string[] {
    return this.all.map(({ name }) => name);
  }

  /** The only one; throws UNSUPPORTED where there are several. */
  only(model: string): Port {
    if (this.all.length === 1) return this.all[0];
    throw new DownhillError(
      'UNSUPPORTED',
      `The model "${model}" has ${this.all.length} ${this.side}s (${this.names.join(', ')}), not one shape: read net.${this.side}s.`,
    );
  }

  pack<T>(values: readonly T[]): Packed<T> {
    if (this.form === 'one') return values[0];
    if (this.form === 'list') return [...values];
    return Object.fromEntries(this.all.map(({ name }, i) => [name, values[i]]));
  }

  /** Whether an object has values by their names, and nothing else. */
  areKeysOf(given: unknown): boolean {
    if (!isPlain(given)) return false;
    const keys = Object.keys(given);
    return keys.length > 0 && keys.every((key) => this.names.includes(key));
  }

  /**
   * What was given for each: a list in their order, or an object by their names. `needs`: which must be given; others may be missing, null or
   * undefined, and then are.
   *
   * @throws INVALID_ARGUMENT with the names, UNKNOWN_NAME
   */
  spread(what: string, given: unknown, needs: (i: number) => boolean = () => true): unknown[] {
    const values = this.#listed(what, given, needs);
    const missing = this.all.filter((_, i) => needs(i) && (values[i] === undefined || values[i] === null));
    if (missing.length > 0 && (this.all.length > 1 || isPlain(given)))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${what} lacks ${this.side} ${missing.map(({ name }) => `"${name}"`).join(', ')}; ${this.#expected()}.`,
      );
    return values;
  }

  /** As messages and errors of a data set name the values. */
  label(what: string, i: number): string {
    return this.all.length === 1 ? what : `${what}.${this.all[i].name}`;
  }

  #expected(): string {
    const names = this.names.join(', ');
    if (this.form === 'record') return `expected an object by the names ${names}`;
    return `expected a list of ${this.all.length} (${names}), or an object by these names`;
  }

  #listed(what: string, given: unknown, needs: (i: number) => boolean): unknown[] {
    if (isPlain(given)) return this.#byName(what, given);
    const count = this.all.length;
    if (count === 1) {
      const wrapped = Array.isArray(given) && given.length === 1 && this.#isWhole(given[0]);
      return [wrapped ? given[0] : given];
    }
    // The order of an object's keys is no order of a list.
    const listed = this.form !== 'record' && Array.isArray(given);
    if (listed && given.length === count) return given;
    // As Keras: those without a loss may be left out.
    const wanted = this.all.flatMap((_, i) => (needs(i) ? [i] : []));
    if (listed && given.length === wanted.length && given.length > 1)
      return this.all.map((_, i): unknown => (needs(i) ? given[wanted.indexOf(i)] : null));
    if (wanted.length === 1 && !Array.isArray(given)) return this.all.map((_, i) => (needs(i) ? given : null));
    throw new DownhillError('INVALID_ARGUMENT', `${what}: ${this.#expected()}; received ${show(given)}.`);
  }

  /** Whether an item of a list is the values of all rows, and no single row. */
  #isWhole(item: unknown): boolean {
    if (typeof item !== 'object' || item === null) return false;
    const rows = Array.isArray(item) && typeof item[0] === 'object';
    return this.form === 'one' ? item instanceof Tensor : !Array.isArray(item) || rows;
  }

  #byName(what: string, given: Record<string, unknown>): unknown[] {
    for (const key of Object.keys(given)) {
      if (this.names.includes(key)) continue;
      const hint = nearest(key, this.names);
      throw new DownhillError(
        'UNKNOWN_NAME',
        `${what}: the model has no ${this.side} "${key}".${hint === undefined ? '' : ` Did you mean "${hint}"?`} They are: ${this.names.join(', ')}.`,
      );
    }
    return this.all.map(({ name }) => (Object.hasOwn(given, name) ? given[name] : undefined));
  }
}
