// Texts as rows of integers, for embeddings.
import type { data } from 'downhill';

/** What stands behind a text that is shorter than the row, and for words that the vocabulary does not have. */
const kPadding = 0;
const kUnknown = 1;

/**
 * The first `length` words of each text as numbers from 2 on, in the order of the vocabulary, with 1 for words that are not in it. Shorter texts
 * are padded with 0, which `maskZero` of an embedding leaves out.
 *
 * @returns [texts, length], row by row; numbers are below words.vocabulary.length + 2
 */
export function tokens(words: data.BagOfWords, texts: readonly string[], length: number): Int32Array {
  const numbers = new Map(words.vocabulary.map((word, i) => [word, i + kUnknown + 1]));
  const rows = new Int32Array(texts.length * length).fill(kPadding);
  for (const [i, text] of texts.entries()) {
    const row = words.words(text).slice(0, length);
    rows.set(
      row.map((word) => numbers.get(word) ?? kUnknown),
      i * length,
    );
  }
  return rows;
}
