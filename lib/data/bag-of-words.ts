// Texts as vectors: how often each word of a vocabulary occurs in them.
import type { Config } from '../config/values.js';
import { DownhillError, show } from '../errors.js';
import { checkCount, checkNumber, Options } from '../options.js';
import { SparseRows } from './sparse-rows.js';

const weightings = ['counts', 'binary', 'tfidf'] as const;
const norms = ['none', 'l1', 'l2'] as const;

export type Weighting = (typeof weightings)[number];

export interface BagOfWordsOptions {
  /** The n most frequent words of the texts, 10,000 by default, or the words themselves, in the order of the columns. */
  vocabulary?: number | readonly string[];
  /** 'counts' (default): how often; 'binary': whether; 'tfidf': counts times log((1 + n) / (1 + n_w)) + 1, n_w the texts with the word of n. */
  weighting?: Weighting;
  /** What each row is divided by: 'none', the sum of its magnitudes ('l1') or its length ('l2'); 'l2' with 'tfidf', 'none' otherwise. */
  norm?: (typeof norms)[number];
  /** Whether texts are made lower case; true by default. */
  lowercase?: boolean;
  /** What a word is, as the text of a regular expression: by default two or more letters, digits or underscores of any script. */
  token?: string;
  /** Words in fewer texts are left out of the vocabulary; 1 by default. */
  minDocuments?: number;
  /** Factors of the words, log((1 + n) / (1 + n_w)) + 1, for a vocabulary of which they are known; for 'tfidf'. */
  idf?: readonly number[] | null;
}

const where = 'data.bagOfWords';
const kToken = '[\\p{L}\\p{N}_]{2,}';

function checkTexts(what: string, texts: unknown): readonly string[] {
  if (!Array.isArray(texts))
    throw new DownhillError('INVALID_ARGUMENT', `${what} must be an array of texts; received ${show(texts)}.`);
  const wrong = texts.findIndex((text) => typeof text !== 'string');
  if (wrong >= 0)
    throw new DownhillError('INVALID_ARGUMENT', `${what} must be texts; item ${wrong} is ${show(texts[wrong])}.`);
  return texts as string[];
}

/** In how many texts a word occurs, and how often. */
interface Occurrence {
  texts: number;
  times: number;
}

/** A vocabulary, and how texts become rows of it. */
export class BagOfWords {
  readonly vocabulary: readonly string[];
  readonly weighting: Weighting;
  readonly norm: (typeof norms)[number];
  readonly lowercase: boolean;
  readonly token: string;
  /** Of each word, with weighting 'tfidf'; else null. */
  readonly idf: readonly number[] | null;
  readonly #pattern: RegExp;
  readonly #columns: ReadonlyMap<string, number>;

  constructor(texts: readonly string[], options?: BagOfWordsOptions) {
    const read = new Options<BagOfWordsOptions>(where, options, [
      'vocabulary',
      'weighting',
      'norm',
      'lowercase',
      'token',
      'minDocuments',
      'idf',
    ]);
    checkTexts(`${where}: texts`, texts);
    this.weighting = read.oneOf('weighting', weightings, 'counts');
    this.norm = read.oneOf('norm', norms, this.weighting === 'tfidf' ? 'l2' : 'none');
    this.lowercase = read.flag('lowercase', true);
    this.token = read.text('token', kToken);
    this.#pattern = patternOf(read.what('token'), this.token);
    const least = read.count('minDocuments', 1);
    const given: unknown = read.raw.vocabulary ?? 10_000;
    const known = read.raw.idf ?? null;
    const needed = !Array.isArray(given) || (this.weighting === 'tfidf' && known === null);
    const found = needed ? this.#count(texts) : new Map<string, Occurrence>();
    this.vocabulary = Array.isArray(given)
      ? checkWords(read.what('vocabulary'), given)
      : mostFrequent(found, checkCount(read.what('vocabulary'), given), least);
    this.#columns = new Map(this.vocabulary.map((word, i) => [word, i]));
    this.idf = this.weighting === 'tfidf' ? this.#idfOf(known, found, texts.length) : null;
  }

  /** Options that make an equal object, without texts: data.bagOfWords([], config). */
  getConfig(): Config {
    const { vocabulary, weighting, norm, lowercase, token, idf } = this;
    return { vocabulary: [...vocabulary], weighting, norm, lowercase, token, idf: idf && [...idf] };
  }

  /** The words of a text, in order, in the vocabulary or not. */
  words(text: string): string[] {
    return (this.lowercase ? text.toLowerCase() : text).match(this.#pattern) ?? [];
  }

  /**
   * Texts as rows of the vocabulary; words that are not in it are left out. Columns ascend within a row.
   *
   * @returns [texts, vocabulary.length]
   */
  transform(texts: readonly string[]): SparseRows {
    checkTexts(`${where}: transform: texts`, texts);
    const indptr = new Int32Array(texts.length + 1);
    const indices: number[] = [];
    const values: number[] = [];
    for (const [row, text] of texts.entries()) {
      const counts = new Map<number, number>();
      for (const word of this.words(text)) {
        const column = this.#columns.get(word);
        if (column !== undefined) counts.set(column, (counts.get(column) ?? 0) + 1);
      }
      const weighted = [...counts]
        .sort(([a], [b]) => a - b)
        .map(([column, count]) => [column, this.#weigh(column, count)] as const);
      const scale = scaleOf(this.norm, weighted);
      for (const [column, value] of weighted) {
        indices.push(column);
        values.push(value * scale);
      }
      indptr[row + 1] = indices.length;
    }
    return new SparseRows({
      shape: [texts.length, this.vocabulary.length],
      indptr,
      indices: Int32Array.from(indices),
      values: Float32Array.from(values),
    });
  }

  #weigh(column: number, count: number): number {
    if (this.weighting === 'binary') return 1;
    return this.idf ? count * this.idf[column]! : count;
  }

  #count(texts: readonly string[]): Map<string, Occurrence> {
    const found = new Map<string, Occurrence & { last: number }>();
    for (const [i, text] of texts.entries())
      for (const word of this.words(text)) {
        const entry = found.get(word);
        if (!entry) {
          found.set(word, { texts: 1, times: 1, last: i });
          continue;
        }
        entry.times++;
        if (entry.last !== i) entry.texts++;
        entry.last = i;
      }
    return found;
  }

  #idfOf(known: unknown, found: ReadonlyMap<string, Occurrence>, count: number): number[] {
    const { vocabulary } = this;
    if (known === null)
      return vocabulary.map((word) => Math.log((1 + count) / (1 + (found.get(word)?.texts ?? 0))) + 1);
    if (!Array.isArray(known) || known.length !== vocabulary.length)
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `${where}: idf must be a list with a number for each of ${vocabulary.length} words; received ${show(known)}.`,
      );
    return known.map((value, i) => checkNumber(`${where}: idf[${i}]`, value));
  }
}

function patternOf(what: string, token: string): RegExp {
  try {
    return new RegExp(token, 'gu');
  } catch (error) {
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be the text of a regular expression; ${(error as Error).message}.`,
      { cause: error },
    );
  }
}

function checkWords(what: string, words: readonly unknown[]): string[] {
  const seen = new Set<unknown>();
  for (const [i, word] of words.entries()) {
    if (typeof word !== 'string' || word === '' || seen.has(word))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${what} must be a list of different words; item ${i} is ${show(word)}${seen.has(word) ? ', a second time' : ''}.`,
      );
    seen.add(word);
  }
  return words as string[];
}

/** The most frequent words first; equally frequent ones in alphabetical order. */
function mostFrequent(found: ReadonlyMap<string, Occurrence>, limit: number, least: number): string[] {
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return [...found]
    .filter(([, { texts }]) => texts >= least)
    .sort(([a, { times }], [b, other]) => other.times - times || order(a, b))
    .slice(0, limit)
    .map(([word]) => word);
}

function scaleOf(norm: (typeof norms)[number], row: readonly (readonly [number, number])[]): number {
  if (norm === 'none' || row.length === 0) return 1;
  const size =
    norm === 'l1'
      ? row.reduce((sum, [, value]) => sum + Math.abs(value), 0)
      : Math.sqrt(row.reduce((sum, [, value]) => sum + value * value, 0));
  return size > 0 ? 1 / size : 1;
}

/**
 * A vocabulary from texts, usually those for training, and with it any texts as sparse vectors: how often each word occurs, whether it does, or its
 * tf-idf (as scikit-learn's TfidfVectorizer). A word is a longest run of two or more letters, digits or underscores, in lower case: "don't" is
 * "don", "e-mail" is "mail".
 *
 * @param texts those that the vocabulary and the factors of 'tfidf' come from
 * @param options vocabulary (10,000), weighting ('counts'), norm, lowercase (true), token, minDocuments (1), idf
 * @returns an object with vocabulary, transform(texts) and getConfig()
 * @throws INVALID_ARGUMENT, OUT_OF_RANGE, SHAPE_MISMATCH, UNKNOWN_OPTION
 * @example
 * const words = data.bagOfWords(train.x, { vocabulary: 10_000, weighting: 'tfidf' });
 * await net.fit(words.transform(train.x), train.y, { epochs: 5 });
 * await net.evaluate(words.transform(test.x), test.y);
 */
export function bagOfWords(texts: readonly string[], options?: BagOfWordsOptions): BagOfWords {
  return new BagOfWords(texts, options);
}
