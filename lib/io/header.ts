// The JSON of a safetensors header, read strictly from its bytes: only what the format has, every name once, nothing nested deeper.
// A parser of its own, because JSON.parse keeps the last of two equal names, knows no offsets and builds what nobody asked for.

/** An entry of a header as it stands there; offsets relative to the data. */
export interface HeaderEntry {
  dtype: string;
  shape: number[];
  offsets: [number, number];
  /** Byte of the header where the entry begins. */
  at: number;
}

export interface Header {
  entries: Map<string, HeaderEntry>;
  metadata: Map<string, string>;
}

/** What is wrong with a header, and at which of its bytes. */
export class HeaderError extends Error {
  constructor(
    readonly at: number,
    reason: string,
  ) {
    super(reason);
  }
}

/** No tensor of any framework has more dimensions. */
const MAX_RANK = 64;

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [0x7b, 0x7d, 0x5b, 0x5d];

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

class Scanner {
  #at = 0;

  constructor(readonly bytes: Uint8Array) {}

  /** Position of the next token. */
  get at(): number {
    this.#space();
    return this.#at;
  }

  fail(reason: string, at = this.#at): never {
    throw new HeaderError(at, reason);
  }

  end(): void {
    if (this.at < this.bytes.length) this.fail('expected the end of the header');
  }

  /** name: value pairs; `entry` reads the value. */
  object(entry: (name: string, at: number) => void): void {
    this.#expect(OPEN, '{');
    if (this.#accept(CLOSE)) return;
    const names = new Set<string>();
    do {
      const at = this.at;
      const name = this.string();
      if (names.has(name)) this.fail(`the name ${JSON.stringify(name)} occurs twice`, at);
      names.add(name);
      this.#expect(COLON, ':');
      entry(name, at);
    } while (this.#accept(COMMA));
    this.#expect(CLOSE, ', or }');
  }

  /** Whole numbers, at most `most` of them. */
  integers(most: number): number[] {
    const values: number[] = [];
    this.#expect(OPEN_LIST, '[');
    if (this.#accept(CLOSE_LIST)) return values;
    do {
      if (values.length === most) this.fail(`more than ${most} numbers in a list`);
      values.push(this.#integer());
    } while (this.#accept(COMMA));
    this.#expect(CLOSE_LIST, ', or ]');
    return values;
  }

  string(): string {
    this.#expect(QUOTE, 'a string');
    const begin = this.#at;
    let escaped = false;
    for (; this.#at < this.bytes.length; this.#at++) {
      const byte = this.bytes[this.#at]!;
      if (byte === QUOTE) return this.#text(begin, this.#at++, escaped);
      if (byte < 0x20) this.fail('a control character in a string');
      if (byte === BACKSLASH) {
        escaped = true;
        this.#at++;
      }
    }
    return this.fail('a string that does not end', begin - 1);
  }

  #text(begin: number, end: number, escaped: boolean): string {
    const slice = this.bytes.subarray(begin, end);
    let text: string;
    try {
      text = decoder.decode(slice);
    } catch {
      this.fail('a string that is not valid UTF-8', begin - 1);
    }
    if (!escaped) return text;
    try {
      return JSON.parse(`"${text}"`) as string;
    } catch {
      return this.fail('a string with an unknown escape', begin - 1);
    }
  }

  #integer(): number {
    const begin = this.at;
    let value = 0;
    for (; this.#at < this.bytes.length; this.#at++) {
      const digit = this.bytes[this.#at]! - 0x30;
      if (digit < 0 || digit > 9) break;
      value = 10 * value + digit;
      if (!Number.isSafeInteger(value)) this.fail('a number above 2^53 - 1', begin);
    }
    const digits = this.#at - begin;
    if (
      digits === 0 ||
      (digits > 1 && this.bytes[begin] === 0x30) ||
      [0x2e, 0x45, 0x65].includes(this.bytes[this.#at]!)
    )
      this.fail('expected a whole number that is not negative', begin);
    return value;
  }

  #space(): void {
    for (; this.#at < this.bytes.length; this.#at++) {
      const byte = this.bytes[this.#at]!;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
    }
  }

  #accept(byte: number): boolean {
    if (this.bytes[this.at] !== byte) return false;
    this.#at++;
    return true;
  }

  #expect(byte: number, what: string): void {
    if (this.#accept(byte)) return;
    const found = this.bytes[this.#at];
    const shown =
      found === undefined ? 'the end' : found > 0x20 && found < 0x7f ? String.fromCharCode(found) : `the byte ${found}`;
    this.fail(`expected ${what}, found ${shown}`);
  }
}

function readEntry(scan: Scanner, name: string, at: number): HeaderEntry {
  const entry: Partial<HeaderEntry> = { at };
  scan.object((key, keyAt) => {
    if (key === 'dtype') entry.dtype = scan.string();
    else if (key === 'shape') entry.shape = scan.integers(MAX_RANK);
    else if (key === 'data_offsets') {
      const offsets = scan.integers(2);
      if (offsets.length !== 2) scan.fail('data_offsets must be two numbers', keyAt);
      entry.offsets = offsets as [number, number];
    } else scan.fail(`a tensor has no field ${JSON.stringify(key.slice(0, 60))}`, keyAt);
  });
  for (const [key, field] of [
    ['dtype', 'dtype'],
    ['shape', 'shape'],
    ['data_offsets', 'offsets'],
  ] as const)
    if (entry[field] === undefined) scan.fail(`the tensor ${JSON.stringify(name)} has no ${key}`, at);
  return entry as HeaderEntry;
}

/**
 * Reads a header's JSON.
 *
 * @throws HeaderError with the byte of the header.
 */
export function parseHeader(bytes: Uint8Array): Header {
  const scan = new Scanner(bytes);
  const header: Header = { entries: new Map(), metadata: new Map() };
  scan.object((name, at) => {
    if (name !== '__metadata__') header.entries.set(name, readEntry(scan, name, at));
    else scan.object((key) => void header.metadata.set(key, scan.string()));
  });
  scan.end();
  return header;
}
