// The one error type of the library, and the nearest-name hint its messages give.

/** Codes of errors raised by the library; stable, meant to be compared. */
export type ErrorCode =
  | 'SHAPE_MISMATCH'
  | 'DTYPE_MISMATCH'
  | 'INVALID_ARGUMENT'
  | 'UNKNOWN_NAME'
  | 'UNKNOWN_OPTION'
  | 'OUT_OF_RANGE'
  | 'LABEL_OUT_OF_RANGE'
  | 'NON_FINITE'
  | 'DISPOSED'
  | 'OUT_OF_MEMORY'
  | 'MEMORY_LIMIT'
  | 'NOT_DIFFERENTIABLE'
  | 'NOT_BUILT'
  | 'NOT_COMPILED'
  | 'BUSY'
  | 'EMPTY_DATA'
  | 'SINGULAR'
  | 'FILE_ERROR'
  | 'CORRUPT_FILE'
  | 'FOREIGN_FILE'
  | 'DEVICE_UNAVAILABLE'
  | 'DEVICE_LOST'
  | 'ADDON_MISSING'
  | 'ADDON_UNLOADABLE'
  | 'TRACE_ERROR'
  | 'UNSUPPORTED'
  | 'INTERNAL';

/**
 * Every error the library raises.
 *
 * @example
 * try { net.fit(x, y); } catch (error) {
 *   if (error instanceof DownhillError && error.code === 'SHAPE_MISMATCH') console.error(error.message);
 * }
 */
export class DownhillError extends Error {
  override readonly name = 'DownhillError';
  /** What kind of failure this is; stable across versions. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The error of the native core as a DownhillError; anything without a code of ours is returned as it was. */
export function fromNative(error: unknown): unknown {
  if (error instanceof DownhillError || !(error instanceof Error)) return error;
  const code = (error as Error & { code?: unknown }).code;
  if (typeof code !== 'string' || code.startsWith('ERR_')) return error;
  return new DownhillError(code as ErrorCode, error.message, { cause: error });
}

/** Number of single-character edits between two names, letter case and underscores aside. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

const plain = (name: string) => name.replace(/_/g, '').toLowerCase();

/** The known name nearest to `name`, or undefined when none is near. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Infinity;
  for (const candidate of known) {
    const distance = editDistance(plain(name), plain(candidate));
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best !== undefined && least <= Math.max(2, plain(best).length / 3) ? best : undefined;
}

/** The end of a message about an unknown name: the nearest known one, and the list where it is short. */
export function suggest(name: string, known: Iterable<string>): string {
  const names = [...known];
  const hint = nearest(name, names);
  const list = names.length <= 20 ? ` Known: ${names.join(', ')}.` : '';
  return (hint === undefined ? '' : ` Did you mean "${hint}"?`) + list;
}

/** An UNKNOWN_NAME error: `what` is the kind of thing, e.g. "loss". */
export function unknownName(what: string, name: string, known: Iterable<string>): DownhillError {
  return new DownhillError('UNKNOWN_NAME', `Unknown ${what} "${name}".${suggest(name, known)}`);
}

/** A received value as it stands in messages: short, with its type where that helps. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `the function ${value.name || '(anonymous)'}`;
  if (Array.isArray(value)) {
    const flat = value.every((item) => typeof item === 'number') && value.length <= 16;
    return flat ? `[${value.join(', ')}]` : `an array of length ${value.length}`;
  }
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${(value as unknown as ArrayLike<unknown>).length})`;
  if (typeof value === 'object' && value !== null) {
    const name = (value.constructor as { name?: string } | undefined)?.name;
    return name && name !== 'Object' ? `an object of type ${name}` : `an object`;
  }
  return String(value);
}
