// Texts as vectors, and sparse rows in a fit.
import { data, layers, sequential, tensor } from 'downhill';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { codeOf } from '../errors.js';
import { close } from '../support.js';

const texts = ['The cat sat on the mat.', "Don't pet the cat: it's a CAT!", 'Über 20 cats_2, ça va — the mat', ''];
const { bagOfWords, SparseRows } = data;
const dense = (rows: data.SparseRows) => rows.toDense().arraySync() as number[][];

describe('a vocabulary', () => {
  it('has the most frequent words first, equal ones in order', () => {
    const words = bagOfWords(texts);
    expect(words.vocabulary).toEqual([
      'the',
      'cat',
      'mat',
      '20',
      'cats_2',
      'don',
      'it',
      'on',
      'pet',
      'sat',
      'va',
      'ça',
      'über',
    ]); // prettier-ignore
    expect(bagOfWords(texts, { vocabulary: 4 }).vocabulary).toEqual(['the', 'cat', 'mat', '20']);
    expect(bagOfWords(texts, { minDocuments: 2 }).vocabulary).toEqual(['the', 'cat', 'mat']);
    expect(bagOfWords(texts, { lowercase: false, vocabulary: 3 }).vocabulary).toEqual(['the', 'cat', 'mat']);
    expect(words.words(texts[2]!)).toEqual(['über', '20', 'cats_2', 'ça', 'va', 'the', 'mat']);
    expect(bagOfWords(texts, { token: "[a-z']+" }).words("Don't!")).toEqual(["don't"]);
  });

  it('counts, marks and weighs', () => {
    const vocabulary = ['cat', 'dog', 'the', 'mat'];
    expect(dense(bagOfWords([], { vocabulary }).transform(texts))).toEqual([
      [1, 0, 2, 1],
      [2, 0, 1, 0],
      [0, 0, 1, 1],
      [0, 0, 0, 0],
    ]);
    expect(dense(bagOfWords([], { vocabulary, weighting: 'binary', norm: 'l1' }).transform(texts.slice(0, 2)))).toEqual(
      [[1 / 3, 0, 1 / 3, 1 / 3].map(Math.fround), [0.5, 0, 0.5, 0]],
    );
    // Four texts, of which two have the cat, none a dog, three "the", two the mat.
    const idf = [5 / 3, 5 / 1, 5 / 4, 5 / 3].map((ratio) => Math.log(ratio) + 1);
    const words = bagOfWords(texts, { vocabulary, weighting: 'tfidf' });
    close(words.idf, idf);
    const length = Math.hypot(2 * idf[0]!, idf[2]!);
    close(dense(words.transform(texts))[1], [(2 * idf[0]!) / length, 0, idf[2]! / length, 0]);
    close(dense(bagOfWords(texts, { vocabulary, weighting: 'tfidf', norm: 'none' }).transform(texts))[0], [
      idf[0]!,
      0,
      2 * idf[2]!,
      idf[3]!,
    ]); // prettier-ignore
  });

  it('is made again from its config', () => {
    const words = bagOfWords(texts, { vocabulary: 5, weighting: 'tfidf', norm: 'l1', token: '\\w+', lowercase: false });
    const again = bagOfWords([], JSON.parse(JSON.stringify(words.getConfig())));
    expect(again.getConfig()).toEqual(words.getConfig());
    expect(again.transform(texts).values).toEqual(words.transform(texts).values);
  });

  it.each<[string, () => unknown, string]>([
    ['one text', () => bagOfWords('text' as never), 'INVALID_ARGUMENT'],
    ['what is no text', () => bagOfWords(['a', 5] as never), 'INVALID_ARGUMENT'],
    ['what is no text, later', () => bagOfWords(texts).transform([null] as never), 'INVALID_ARGUMENT'],
    ['a vocabulary of no words', () => bagOfWords(texts, { vocabulary: 0 }), 'OUT_OF_RANGE'],
    ['a word twice', () => bagOfWords(texts, { vocabulary: ['a', 'a'] }), 'INVALID_ARGUMENT'],
    ['a bad pattern', () => bagOfWords(texts, { token: '(' }), 'INVALID_ARGUMENT'],
    ['an unknown weighting', () => bagOfWords(texts, { weighting: 'tf' as never }), 'INVALID_ARGUMENT'],
    [
      'factors of other words',
      () => bagOfWords([], { vocabulary: ['a'], idf: [1, 2], weighting: 'tfidf' }),
      'SHAPE_MISMATCH',
    ],
    ['an unknown option', () => bagOfWords(texts, { maxFeatures: 3 } as never), 'UNKNOWN_OPTION'],
  ])('refuses %s', (_, body, code) => {
    expect(codeOf(body)).toBe(code);
  });
});

describe('sparse rows', () => {
  const matrix = fc
    .record({ rows: fc.integer({ min: 0, max: 9 }), columns: fc.integer({ min: 1, max: 7 }) })
    .chain(({ rows, columns }) =>
      fc.array(fc.array(fc.constantFrom(0, 0, 0, 1, -2.5), { minLength: columns, maxLength: columns }), {
        minLength: rows,
        maxLength: rows,
      }),
    );

  function sparse(rows: number[][], columns: number): data.SparseRows {
    const indptr = [0];
    const indices: number[] = [];
    for (const row of rows) {
      row.forEach((value, j) => {
        if (value !== 0) indices.push(j);
      });
      indptr.push(indices.length);
    }
    return new SparseRows({
      shape: [rows.length, columns],
      indptr: Int32Array.from(indptr),
      indices: Int32Array.from(indices),
      values: Float32Array.from(rows.flat().filter((value) => value !== 0)),
    });
  }

  it('are the dense ones', () => {
    fc.assert(
      fc.property(matrix, fc.nat(), fc.nat(), (rows, a, b) => {
        const columns = rows[0]?.length ?? 3;
        const made = sparse(rows, columns);
        expect([...made.toDense().dataSync()]).toEqual(rows.flat());
        const [begin, end] = [a % (rows.length + 1), b % (rows.length + 1)].sort((x, y) => x - y) as [number, number];
        expect([...made.slice(begin, end).toDense().dataSync()]).toEqual(rows.slice(begin, end).flat());
        expect(made.toDense(begin, end).shape).toEqual([end - begin, columns]);
      }),
    );
  });

  const rows = Array.from({ length: 10 }, (_, i) => [i, i % 3 === 0 ? 1 : 0, 0]);
  const x = sparse(rows, 3);
  const y = Float32Array.from({ length: 20 }, (_, i) => i);

  it('come as batches, each row once, with its targets', () => {
    const plain = [...x.batches(y, { batchSize: 4, shuffle: false })];
    expect(plain.map(([part]) => part.length / 3)).toEqual([4, 4, 2]);
    expect(plain.flatMap(([part]) => [...part])).toEqual(rows.flat());
    expect(plain.flatMap(([, part]) => [...part])).toEqual([...y]);
    const batches = x.batches(y, { batchSize: 4, seed: 3 });
    const passes = [0, 1].map(() =>
      [...batches].flatMap(([part, targets]) => {
        const found = Array.from({ length: part.length / 3 }, (_, i) => part[3 * i]!);
        found.forEach((row, i) => {
          expect([targets[2 * i], targets[2 * i + 1]]).toEqual([2 * row, 2 * row + 1]);
          expect(part[3 * i + 1]).toBe(row % 3 === 0 ? 1 : 0);
        });
        return found;
      }),
    ); // prettier-ignore
    for (const pass of passes) expect([...pass].sort((a, b) => a - b)).toEqual(rows.map(([row]) => row));
    expect(passes[0]).not.toEqual(passes[1]);
    const once = x.batches(y, { shuffle: 'once', seed: 3 });
    expect([...once]).toEqual([...once]);
    expect([...x.batches(y, { seed: 3 })]).toEqual([...x.batches(y, { seed: 3 })]);
  });

  it.each<[string, () => unknown, string]>([
    [
      'indices out of range',
      () =>
        new SparseRows({
          shape: [1, 2],
          indptr: Int32Array.of(0, 1),
          indices: Int32Array.of(2),
          values: Float32Array.of(1),
        }),
      'OUT_OF_RANGE',
    ],
    [
      'indptr of other rows',
      () =>
        new SparseRows({
          shape: [2, 2],
          indptr: Int32Array.of(0, 1),
          indices: Int32Array.of(1),
          values: Float32Array.of(1),
        }),
      'SHAPE_MISMATCH',
    ],
    [
      'indptr that descends',
      () =>
        new SparseRows({
          shape: [2, 2],
          indptr: Int32Array.of(0, 2, 1),
          indices: Int32Array.of(1),
          values: Float32Array.of(1),
        }),
      'OUT_OF_RANGE',
    ],
    [
      'plain arrays',
      () =>
        new SparseRows({ shape: [0, 2], indptr: [0] as never, indices: Int32Array.of(), values: Float32Array.of() }),
      'INVALID_ARGUMENT',
    ],
    ['targets of other rows', () => x.batches(Float32Array.of(1, 2, 3)), 'SHAPE_MISMATCH'],
    ['targets that are no typed array', () => x.batches([1] as never), 'INVALID_ARGUMENT'],
    ['rows out of range', () => x.slice(3, 11), 'OUT_OF_RANGE'],
    ['an unknown option', () => x.batches(y, { size: 4 } as never), 'UNKNOWN_OPTION'],
  ])('refuse %s', (_, body, code) => {
    expect(codeOf(body)).toBe(code);
  });
});

test('a fit on sparse rows is the fit on dense ones', async () => {
  const mails = Array.from({ length: 41 }, (_, i) =>
    i % 2 ? `money offer ${i % 5} now now` : `meeting at ${i % 7} o'clock with notes`,
  );
  const labels = Int32Array.from(mails, (_, i) => i % 2);
  const x = bagOfWords(mails, { vocabulary: 8 }).transform(mails);
  const make = () => {
    const net = sequential([
      layers.dense({ units: 1, activation: 'sigmoid', inputShape: [x.shape[1]], kernelInitializer: 'zeros' }),
    ]);
    net.compile({ optimizer: 'adam', loss: 'binaryCrossentropy', metrics: ['accuracy'] });
    return net;
  };
  const [sparse, whole] = [make(), make()];
  const a = await sparse.fit(x.batches(labels, { batchSize: 8, shuffle: false }), { epochs: 3, verbose: 0 });
  const b = await whole.fit(x.toDense(), labels, { batchSize: 8, shuffle: false, epochs: 3, verbose: 0 });
  close(a.history.loss, b.history.loss);
  close(sparse.getWeights()[0], whole.getWeights()[0], 1e-7);
  const scores = await sparse.evaluate(x.batches(labels, { shuffle: false }), { verbose: 0 });
  expect(scores.accuracy).toBe(1);
  expect(tensor(x.values).shape[0]).toBeLessThan(x.shape[0] * x.shape[1]);
});
