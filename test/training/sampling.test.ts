// Which rows an epoch visits, and in which order: shuffled once, drawn with replacement, by groups. On every device.
import { type FitOptions, layers, type Model, optimizers, seed, sequential } from 'downhill';
import { afterAll, describe, expect, test } from 'vitest';
import { fails, quadrants } from '../support.js';
import { goHome, testDevices } from '../support-devices.js';
import { classifier } from '../support.js';

afterAll(goHome);

const numbers = (n: number) => Array.from({ length: n }, (_, i) => i);

/** A model whose loss of a row is the row's number, so that logs tell which rows a batch had. */
function teller(device = 'cpu'): Model {
  const net = sequential([layers.dense({ units: 1, useBias: false, inputShape: [1] })], { device });
  net.setWeights([[[1]]]);
  net.compile({ optimizer: optimizers.sgd({ learningRate: 0 }), loss: (_, p) => p });
  return net;
}

/** The rows of each epoch, one by one. */
async function rowsOf(n: number, options: FitOptions, device = 'cpu'): Promise<number[][]> {
  const x = Float32Array.from(numbers(n));
  const epochs: number[][] = [];
  let total = 0;
  const recorder = {
    onEpochBegin: () => {
      epochs.push([]);
      total = 0;
    },
    onTrainBatchEnd: (batch: number, logs: Record<string, number>) => {
      epochs.at(-1)!.push(Math.round(logs.loss * (batch + 1) - total));
      total = logs.loss * (batch + 1);
    },
  };
  await teller(device).fit(x, x, { batchSize: 1, ...options, callbacks: [recorder] });
  return epochs;
}
const sorted = (rows: number[]) => [...rows].sort((a, b) => a - b);

describe.each(testDevices)('%s', (device) => {
  test("shuffle: 'once' has one order in every epoch, drawn for each fit", async () => {
    const [first, ...rest] = await rowsOf(14, { shuffle: 'once', epochs: 3 }, device);
    expect(rest).toEqual([first, first]);
    expect(sorted(first)).toEqual(numbers(14));
    expect(first).not.toEqual(numbers(14));
    expect((await rowsOf(14, { shuffle: 'once' }, device))[0]).not.toEqual(first);
  });

  test('with replacement: rows repeat, each epoch draws anew, or once', async () => {
    const sampling = { replacement: true };
    const epochs = await rowsOf(20, { sampling, epochs: 3 }, device);
    for (const rows of epochs) {
      expect(rows).toHaveLength(20);
      expect(new Set(rows).size).toBeLessThan(20); // all different: one in 4e7
      expect(rows.every((row) => row >= 0 && row < 20)).toBe(true);
    }
    expect(epochs[1]).not.toEqual(epochs[0]);
    const [a, b] = await rowsOf(20, { sampling, shuffle: 'once', epochs: 2 }, device);
    expect(b).toEqual(a);
  });

  test('with replacement: stepsPerEpoch is any number', async () => {
    const epochs = await rowsOf(6, { sampling: { replacement: true }, stepsPerEpoch: 25, epochs: 2 }, device);
    expect(epochs.map((rows) => rows.length)).toEqual([25, 25]);
  });

  test('groups stay together, their rows in order', async () => {
    const groups = ['b', 'a', 'b', 'c', 'a', 'a', 'c', 'd', 'b'];
    const members = [[0, 2, 8], [1, 4, 5], [3, 6], [7]]; // prettier-ignore
    const epochs = await rowsOf(9, { groups, epochs: 6 }, device);
    for (const rows of epochs) {
      let at = 0;
      while (at < 9) {
        const group = members.find(([first]) => first === rows[at])!;
        expect(rows.slice(at, at + group.length)).toEqual(group);
        at += group.length;
      }
    }
    expect(new Set(epochs.map(String)).size).toBeGreaterThan(1);
    expect(await rowsOf(9, { groups, shuffle: false }, device)).toEqual([numbers(9)]);
  });

  test('many steps at a time visit the same rows as one step at a time', async () => {
    const { x, oneHot } = quadrants(90);
    const groups = numbers(90).map((row) => (row * 7) % 13);
    for (const more of [
      { shuffle: 'once' },
      { sampling: { replacement: true } },
      { sampling: { replacement: true }, stepsPerEpoch: 11 },
      { groups },
      { groups, validationSplit: 0.3 },
      { shuffle: false, groups, validationSplit: 0.3 },
    ] as FitOptions[]) {
      const run = async (callbacks: FitOptions['callbacks']) => {
        seed(8);
        const net = sequential([layers.dense({ units: 2, activation: 'softmax', inputShape: [2] })], { device });
        net.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
        const { history } = await net.fit(x, oneHot, { batchSize: 16, epochs: 3, ...more, callbacks });
        return { history, weights: net.getWeights().map((weight) => [...weight.dataSync()]) };
      };
      expect(await run([]), JSON.stringify(more)).toEqual(await run([{ onTrainBatchEnd: () => {} }]));
    }
  });
});

describe('validationSplit with groups', () => {
  const groups = [5, 5, 9, 5, 9, 7, 7, 9, 7, 8, 8, 8]; // first seen: 5 (3 rows), 9 (3), 7 (3), 8 (3)
  const held = async (options: FitOptions): Promise<{ trained: number[]; validated: number }> => {
    const x = Float32Array.from(numbers(12));
    const { history } = await teller().fit(x, x, { batchSize: 12, groups, ...options });
    const trained = (await rowsOf(12, { groups, ...options }))[0];
    return { trained: sorted(trained), validated: history.val_loss[0] };
  };

  test('holds back whole groups, the last ones, nearest to the fraction', async () => {
    const last = [9, 10, 11];
    const two = [5, 6, 8, ...last];
    const mean = (rows: number[]) => rows.reduce((sum, row) => sum + row, 0) / rows.length;
    for (const [validationSplit, rows] of [
      [0.25, last],
      [0.3, last], // 4 of 12 wanted
      [0.01, last], // at least one group
      [0.5, two],
      [0.99, [2, 4, 7, ...two]], // and one is left
    ] as const) {
      const found = await held({ validationSplit });
      expect(found.trained, `${validationSplit}`).toEqual(numbers(12).filter((row) => !rows.includes(row)));
      expect(found.validated).toBeCloseTo(mean([...rows]), 5);
    }
    expect((await held({ validationSplit: 0.3, shuffle: false })).trained).toEqual(numbers(9));
  });

  test('those that are trained on stay together', async () => {
    seed(2);
    const orders = await rowsOf(12, { groups, validationSplit: 0.25, epochs: 40 });
    const texts = new Set(orders.map((rows) => rows.map((row) => groups[row]).join('')));
    expect([...texts].sort()).toEqual(['555777999', '555999777', '777555999', '777999555', '999555777', '999777555']);
  });

  test('one group cannot be split', async () => {
    const x = Float32Array.from(numbers(4));
    await fails('EMPTY_DATA', /4 rows in 1 groups leaves/, () =>
      teller().fit(x, x, { groups: [1, 1, 1, 1], validationSplit: 0.5 }),
    );
  });
});

describe('a minibatch is an unbiased sample', () => {
  // Σ p(x, y) ∇L over a discrete distribution: rows with multiplicities p · n.
  const points = [
    { x: [1, 2], y: 3, count: 1 },
    { x: [-1, 0.5], y: 1, count: 2 },
    { x: [0.25, -2], y: -1, count: 3 },
  ];
  const rows = points.flatMap(({ x, y, count }) => numbers(count).map(() => ({ x, y })));
  /** The gradient of the mean squared error of some rows at fixed weights: what one step of rate 1 takes away. */
  async function gradient(batch: { x: number[]; y: number }[]): Promise<number[]> {
    const net = sequential([layers.dense({ units: 1, useBias: false, inputShape: [2] })]);
    net.setWeights([[[0.5], [-0.25]]]);
    net.compile({ optimizer: optimizers.sgd({ learningRate: 1 }), loss: 'meanSquaredError' });
    await net.trainOnBatch(
      batch.map(({ x }) => x),
      batch.map(({ y }) => [y]),
    ); // prettier-ignore
    const [a, b] = net.getWeights()[0].dataSync();
    return [0.5 - a, -0.25 - b];
  }
  const near = (found: number[], expected: number[], digits = 5) =>
    found.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i], digits);
    });

  test('g = ΣΣ p ∇L on a discrete distribution, exactly', async () => {
    const expected = [0, 0];
    for (const { x, y, count } of points)
      (await gradient([{ x, y }])).forEach((g, i) => {
        expected[i] += (count / rows.length) * g;
      });
    near(await gradient(rows), expected);
    // All 36 samples of two rows with replacement, and all 30 without: the mean is the whole gradient.
    for (const replacement of [true, false]) {
      const mean = [0, 0];
      let samples = 0;
      for (const i of numbers(6))
        for (const j of numbers(6)) {
          if (!replacement && i === j) continue;
          samples++;
          (await gradient([rows[i], rows[j]])).forEach((g, k) => {
            mean[k] += g;
          });
        }
      near(
        mean.map((sum) => sum / samples),
        expected,
      ); // prettier-ignore
    }
  });

  test('every row is equally likely in every batch of an epoch', async () => {
    seed(6);
    for (const options of [{ sampling: { replacement: true } }, {}, { groups: numbers(5) }] as FitOptions[]) {
      const epochs = await rowsOf(5, { ...options, epochs: 2000 });
      for (const place of [0, 2, 4]) {
        const counts = numbers(5).map((row) => epochs.filter((rows) => rows[place] === row).length);
        const chi = counts.reduce((sum, count) => sum + (count - 400) ** 2 / 400, 0);
        expect(chi, `${JSON.stringify(options)} ${counts}`).toBeLessThan(25); // 4 degrees of freedom: one in 20,000
      }
    }
  });
});

test('errors', async () => {
  const { x, oneHot } = quadrants(20);
  const fit = (options: object) => () => classifier().fit(x, oneHot, options as FitOptions);
  await fails(
    'INVALID_ARGUMENT',
    /shuffle must be true, or 'once'/,
    fit({ sampling: { replacement: true }, shuffle: false }),
  ); // prettier-ignore
  await fails(
    'INVALID_ARGUMENT',
    /groups or sampling.replacement, not both/,
    fit({ sampling: { replacement: true }, groups: numbers(20) }),
  ); // prettier-ignore
  await fails('UNKNOWN_OPTION', /fit: sampling: unknown option "replace"/, fit({ sampling: { replace: true } }));
  await fails('INVALID_ARGUMENT', /replacement must be true or false/, fit({ sampling: { replacement: 1 } }));
  await fails(
    'SHAPE_MISMATCH',
    /groups must have a value for each of the 20 rows; received 19/,
    fit({ groups: numbers(19) }),
  ); // prettier-ignore
  await fails('INVALID_ARGUMENT', /groups must be an array/, fit({ groups: 'patients' }));
  await fails('INVALID_ARGUMENT', /received undefined for row 0/, fit({ groups: [undefined] }));
  for (const options of [{ groups: [1] }, { sampling: { replacement: true } }])
    await fails('INVALID_ARGUMENT', /groups and sampling need arrays/, () => classifier().fit([[x, oneHot]], options));
});
