// Names of files with fields: "epoch-{epoch:03d}-{val_loss:.2f}.safetensors", in the notation of Python's format().
import { DownhillError } from '../errors.js';

interface Field {
  name: string;
  zero: boolean;
  width: number;
  precision: number | null;
  type: string;
}

const FIELD = /\{(\w+)(?::(0?)([1-9]\d?)?(?:\.(\d\d?))?([dfe]?))?\}/g;
/** What format() makes of a number. */
const NUMBER = String.raw` *-?(?:\d[\d.e+-]*|Infinity|NaN)`;
const literal = (part: string) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
/** What AtomicFile appends to the name of a target: .<process>.<n>.tmp */
const TEMPORARY = String.raw`\.(\d+)\.\d+\.tmp`;

export class PathPattern {
  readonly #parts: (string | Field)[] = [];

  constructor(what: string, pattern: string) {
    let end = 0;
    for (const match of pattern.matchAll(FIELD)) {
      const [whole, name, zero, width, precision, type] = match;
      this.#parts.push(pattern.slice(end, match.index));
      this.#parts.push({
        name,
        zero: zero === '0',
        width: Number(width ?? 0),
        precision: precision === undefined ? null : Number(precision),
        type: type ?? '',
      });
      end = match.index + whole.length;
    }
    this.#parts.push(pattern.slice(end));
    const wrong = this.#parts.find((part): part is string => typeof part === 'string' && /[{}]/.test(part));
    if (wrong !== undefined)
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${what}: "${pattern}" has a brace that begins no field. Fields are {epoch}, {step} or a key of the logs, such as {epoch:03d} or {val_loss:.2f}.`,
      );
  }

  /** The path for these values; throws INVALID_ARGUMENT for a field without one. */
  format(what: string, values: Readonly<Record<string, number>>): string {
    return this.#parts
      .map((part) => {
        if (typeof part === 'string') return part;
        if (!Object.hasOwn(values, part.name))
          throw new DownhillError(
            'INVALID_ARGUMENT',
            `${what}: nothing is named {${part.name}} at this moment. There are ${Object.keys(values).join(', ')}.`,
          );
        return text(part, values[part.name]);
      })
      .join('');
  }

  /** Whether format() may have given this path. */
  matches(path: string): boolean {
    const whole = this.#parts.map((part) => (typeof part === 'string' ? literal(part) : NUMBER)).join('');
    return new RegExp(`^${whole}$`).test(path);
  }

  /** Matches the base names of temporary files for paths of this pattern; its group is the process that wrote it. */
  temporaries(): RegExp {
    const whole = this.#parts.map((part) => (typeof part === 'string' ? literal(part) : '.+')).join('');
    return new RegExp(`^${whole.slice(whole.lastIndexOf('/') + 1)}${TEMPORARY}$`);
  }
}

function text({ zero, width, precision, type }: Field, value: number): string {
  const digits = plain(value, precision, type);
  const sign = digits.startsWith('-') ? '-' : '';
  return zero ? sign + digits.slice(sign.length).padStart(width - sign.length, '0') : digits.padStart(width);
}

function plain(value: number, precision: number | null, type: string): string {
  if (type === 'd') return String(Math.trunc(value));
  if (type === 'e') return value.toExponential(precision ?? 6).replace(/e([+-])(\d)$/, 'e$10$2');
  if (type === 'f') return value.toFixed(precision ?? 6);
  return precision === null ? String(value) : String(Number(value.toPrecision(Math.max(1, precision))));
}
