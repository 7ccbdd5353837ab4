// Values of configs: plain JSON, in which numbers that JSON cannot write are strings.
import { DownhillError, show } from '../errors.js';

/** A plain JSON object. */
export type Config = Record<string, unknown>;

/** Levels of nesting; deeper configs are cyclic or hostile. */
const kDepth = 64;

const specials = new Map<string, number>([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
]);

/** Keys whose strings are names, never numbers. */
const names = ['name', 'className', 'match', 'regExp'];

export function isPlain(value: unknown): value is Config {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

export function malformed(path: string, expected: string, received: unknown): DownhillError {
  return new DownhillError('INVALID_ARGUMENT', `${path} must be ${expected}; received ${show(received)}.`);
}

/**
 * A value as plain JSON. Undefined entries are left out; `object` turns what is not plain (an initializer, a function) into its config,
 * or gives undefined for what it does not know.
 *
 * @throws INVALID_ARGUMENT, with the path, for what JSON cannot hold
 */
export function encode(
  value: unknown,
  path: string,
  object: (value: object) => Config | string | undefined,
  depth = 0,
): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number')
    return Number.isFinite(value) && !Object.is(value, -0) ? value : Object.is(value, -0) ? '-0' : String(value);
  if (depth > kDepth) throw malformed(path, `nested at most ${kDepth} levels deep`, value);
  if (Array.isArray(value)) return value.map((item, i) => encode(item, `${path}[${i}]`, object, depth + 1));
  const config = typeof value === 'object' || typeof value === 'function' ? object(value) : undefined;
  if (config !== undefined) return config;
  if (!isPlain(value)) throw malformed(path, 'a number, string, boolean, null, list or plain object', value);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.map(([key, item]) => [key, encode(item, `${path}.${key}`, object, depth + 1)]));
}

/** The value that encode() was given, but for objects, which stay configs. */
export function decode(value: unknown, path: string, key = '', depth = 0): unknown {
  if (typeof value === 'string') return names.includes(key) ? value : (specials.get(value) ?? value);
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value;
  if (depth > kDepth) throw malformed(path, `nested at most ${kDepth} levels deep`, value);
  if (Array.isArray(value)) return value.map((item, i) => decode(item, `${path}[${i}]`, key, depth + 1));
  if (!isPlain(value)) throw malformed(path, 'plain JSON', value);
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => {
      if (name === '__proto__') throw malformed(path, 'an object without the key "__proto__"', value);
      return [name, decode(item, `${path}.${name}`, name, depth + 1)];
    }),
  );
}
