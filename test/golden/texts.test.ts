import { data } from 'downhill';
import { describe, expect, it } from 'vitest';
import { expectClose, read } from './golden.js';

interface Golden {
  fit: string[];
  apply: string[];
  cases: { options: data.BagOfWordsOptions; words: string[]; rows: Record<string, number>[] }[];
}

const golden = read<Golden>('texts');

describe('bags of words beside scikit-learn', () => {
  it.each(golden.cases)('$options', ({ options, words, rows }) => {
    const bag = data.bagOfWords(golden.fit, options);
    expect([...bag.vocabulary].sort()).toEqual([...words].sort());
    const found = bag.transform(golden.apply);
    for (const [i, expected] of rows.entries()) {
      const row = found.slice(i, i + 1);
      const named = Object.fromEntries(
        Array.from(row.indices, (column, k) => [bag.vocabulary[column]!, row.values[k]!]),
      );
      expect(Object.keys(named).sort()).toEqual(Object.keys(expected).sort());
      for (const [word, value] of Object.entries(expected))
        expectClose(named[word]!, value, `row ${i}, ${word}`, { relative: 1e-6 });
    }
  });
});
