// Checks of option objects and arguments, used by every factory and method that takes them.
import { DownhillError, nearest, show } from './errors.js';

/** Limits of a number; inclusive unless `above` or `below` is given. */
export interface Range {
  min?: number;
  max?: number;
  above?: number;
  below?: number;
}

function expectation(range: Range): string {
  const parts: string[] = [];
  if (range.min !== undefined) parts.push(`at least ${range.min}`);
  if (range.above !== undefined) parts.push(`above ${range.above}`);
  if (range.max !== undefined) parts.push(`at most ${range.max}`);
  if (range.below !== undefined) parts.push(`below ${range.below}`);
  return parts.length ? ` ${parts.join(' and ')}` : '';
}

function inside(value: number, range: Range): boolean {
  return (
    (range.min === undefined || value >= range.min) &&
    (range.above === undefined || value > range.above) &&
    (range.max === undefined || value <= range.max) &&
    (range.below === undefined || value < range.below)
  );
}

/** A finite number in a range. `what` names it in the message, e.g. "optimizers.sgd: learningRate". */
export function checkNumber(what: string, value: unknown, range: Range = {}): number {
  if (typeof value !== 'number')
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be a number${expectation(range)}; received ${show(value)}.`,
    );
  if (!Number.isFinite(value) || !inside(value, range))
    throw new DownhillError('OUT_OF_RANGE', `${what} must be a finite number${expectation(range)}; received ${value}.`);
  return value;
}

/** An integer in a range, by default at least 1. */
export function checkCount(what: string, value: unknown, range: Range = { min: 1 }): number {
  if (typeof value !== 'number')
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be an integer${expectation(range)}; received ${show(value)}.`,
    );
  if (!Number.isSafeInteger(value) || !inside(value, range))
    throw new DownhillError('OUT_OF_RANGE', `${what} must be an integer${expectation(range)}; received ${value}.`);
  return value;
}

export function checkFlag(what: string, value: unknown): boolean {
  if (typeof value !== 'boolean')
    throw new DownhillError('INVALID_ARGUMENT', `${what} must be true or false; received ${show(value)}.`);
  return value;
}

export function checkText(what: string, value: unknown): string {
  if (typeof value !== 'string' || value === '')
    throw new DownhillError('INVALID_ARGUMENT', `${what} must be a non-empty string; received ${show(value)}.`);
  return value;
}

/** One of a few allowed values. */
export function checkOneOf<T extends string | number | boolean>(
  what: string,
  value: unknown,
  allowed: readonly T[],
): T {
  if (allowed.includes(value as T)) return value as T;
  const hint =
    typeof value === 'string'
      ? nearest(
          value,
          allowed.filter((item) => typeof item === 'string'),
        )
      : undefined;
  throw new DownhillError(
    'INVALID_ARGUMENT',
    `${what} must be one of ${allowed.map((item) => JSON.stringify(item)).join(', ')}; received ${show(value)}.` +
      (hint === undefined ? '' : ` Did you mean "${hint}"?`),
  );
}

/** A list of non-negative integers; with `count`, of exactly that length. */
export function checkShape(what: string, value: unknown, min = 0): number[] {
  const list = Array.isArray(value) ? (value as unknown[]) : undefined;
  if (!list)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be a list of integers at least ${min}; received ${show(value)}.`,
    );
  for (const item of list)
    if (typeof item !== 'number' || !Number.isSafeInteger(item) || item < min)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${what} must be a list of integers at least ${min}; received ${show(value)}.`,
      );
  return list.slice() as number[];
}

export function checkFunction<F extends (...args: never[]) => unknown>(what: string, value: F): F {
  if (typeof value !== 'function')
    throw new DownhillError('INVALID_ARGUMENT', `${what} must be a function; received ${show(value)}.`);
  return value;
}

/** Throws UNKNOWN_OPTION, with the nearest known key, when `options` has a key that is not in `keys`. */
export function checkKeys(where: string, options: object, keys: readonly string[]): void {
  for (const key of Object.keys(options)) {
    if (keys.includes(key)) continue;
    const hint = nearest(key, keys);
    throw new DownhillError(
      'UNKNOWN_OPTION',
      `${where}: unknown option "${key}".${hint === undefined ? '' : ` Did you mean "${hint}"?`} Known options: ${keys.join(', ') || 'none'}.`,
    );
  }
}

/**
 * Reads an options object: construction checks that it is an object without unknown keys, each method checks one entry and gives
 * it, or the fallback where it is undefined. Without a fallback the entry is required.
 *
 * @example
 * const read = new Options('layers.dense', options, ['units', 'useBias']);
 * const units = read.count('units');
 * const useBias = read.flag('useBias', true);
 */
export class Options<T extends object> {
  readonly raw: Partial<T>;

  constructor(
    readonly where: string,
    options: T | undefined,
    keys: readonly (keyof T & string)[],
  ) {
    if (options === null || (options !== undefined && (typeof options !== 'object' || Array.isArray(options))))
      throw new DownhillError('INVALID_ARGUMENT', `${where} takes an object of options; received ${show(options)}.`);
    this.raw = options ?? {};
    checkKeys(where, this.raw, keys);
  }

  has(key: keyof T & string): boolean {
    return this.raw[key] !== undefined;
  }

  what(key: keyof T & string): string {
    return `${this.where}: ${key}`;
  }

  /** The entry as it is, required. */
  required<K extends keyof T & string>(key: K): NonNullable<T[K]> {
    const value = this.raw[key];
    if (value === undefined || value === null)
      throw new DownhillError('INVALID_ARGUMENT', `${this.where} needs the option "${key}".`);
    return value as NonNullable<T[K]>;
  }

  number(key: keyof T & string, fallback?: number, range?: Range): number {
    return this.#read(key, fallback, (value) => checkNumber(this.what(key), value, range));
  }

  /** A number that may be absent (undefined or null). */
  optionalNumber(key: keyof T & string, range?: Range): number | undefined {
    const value: unknown = this.raw[key];
    return value === undefined || value === null ? undefined : checkNumber(this.what(key), value, range);
  }

  count(key: keyof T & string, fallback?: number, range?: Range): number {
    return this.#read(key, fallback, (value) => checkCount(this.what(key), value, range));
  }

  /** An integer that may be absent (undefined or null). */
  optionalCount(key: keyof T & string, range?: Range): number | undefined {
    const value: unknown = this.raw[key];
    return value === undefined || value === null ? undefined : checkCount(this.what(key), value, range);
  }

  flag(key: keyof T & string, fallback?: boolean): boolean {
    return this.#read(key, fallback, (value) => checkFlag(this.what(key), value));
  }

  text(key: keyof T & string, fallback?: string): string {
    return this.#read(key, fallback, (value) => checkText(this.what(key), value));
  }

  oneOf<V extends string | number | boolean>(key: keyof T & string, allowed: readonly V[], fallback?: V): V {
    return this.#read(key, fallback, (value) => checkOneOf(this.what(key), value, allowed));
  }

  shape(key: keyof T & string, fallback?: number[], min = 0): number[] {
    return this.#read(key, fallback, (value) => checkShape(this.what(key), value, min));
  }

  #read<V>(key: keyof T & string, fallback: V | undefined, check: (value: unknown) => V): V {
    if (this.raw[key] === undefined && fallback !== undefined) return fallback;
    return check(this.required(key));
  }
}
