// Metrics that are no mean over rows: exact over batches, whatever their sizes, in evaluation and training, and those of one's own.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  compile,
  layers,
  loadModel,
  losses,
  type Logs,
  metrics,
  ops,
  seed,
  sequential,
  setDevice,
  type SymbolicTensor,
} from 'downhill';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { classifier, close, fails, quadrants, random, throwsAtOnce } from '../support.js';
import { goHome, testDevices } from '../support-devices.js';

const { x, oneHot, labels } = quadrants(150);
const weights = Float64Array.from(
  { length: 150 },
  (
    (next) => () =>
      Math.floor(3 * next())
  )(random(5)),
);

/** Pearson's correlation of targets and predictions. */
const correlation: metrics.StreamingMetric = {
  name: 'correlation',
  sums: 6,
  update: (t, p, w) => {
    const [wt, wp] = [ops.mul(w, t), ops.mul(w, p)];
    return [ops.broadcastTo(w, p.shape), wt, wp, ops.mul(wt, t), ops.mul(wp, p), ops.mul(wt, p)].map((values) =>
      ops.sum(values),
    );
  },
  result: ([n, t, p, tt, pp, tp]) => (n * tp - t * p) / Math.sqrt((n * tt - t * t) * (n * pp - p * p)),
};

/** Counts by class, as many as there are outputs. */
class Shares implements metrics.StreamingMetric {
  readonly name = 'share';
  readonly sums = ([classes]: readonly number[]) => classes;
  constructor(readonly config: { power: number } = { power: 1 }) {}
  update(_: SymbolicTensor, p: SymbolicTensor) {
    return ops.sum(ops.oneHot(ops.argmax(p, -1), p.shape[1]), 0);
  }
  result(sums: Float64Array) {
    const total = sums.reduce((sum, count) => sum + count, 0);
    return Array.from(sums, (count) => (count / total) ** this.config.power);
  }
  getConfig() {
    return this.config;
  }
}

const all = () => ({
  metrics: [
    'auc',
    metrics.auc({ curve: 'PR', name: 'pr', multiLabel: true }),
    'precision',
    metrics.recall({ thresholds: [0.6, 0.4] }),
    metrics.f1Score(),
    'accuracy',
    correlation,
    new Shares(),
  ],
  weightedMetrics: ['auc', metrics.precision({ topK: 1, name: 'top' }), { ...correlation, name: 'some' }],
});
const keys = [
  'loss',
  'auc',
  'pr',
  'precision',
  'recall_0',
  'recall_1',
  'f1Score_0',
  'f1Score_1',
  'accuracy',
  'correlation',
  'share_0',
  'share_1',
  'weighted_auc',
  'top',
  'some',
]; // prettier-ignore

function net() {
  seed(8);
  const made = classifier();
  made.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', ...all() });
  return made;
}

/** Correlation in double. */
function correlated(t: ArrayLike<number>, p: ArrayLike<number>): number {
  const mean = (of: (i: number) => number) => Array.from(t, (_, i) => of(i)).reduce((a, b) => a + b, 0) / t.length;
  const [mt, mp] = [mean((i) => t[i]), mean((i) => p[i])];
  return (
    mean((i) => (t[i] - mt) * (p[i] - mp)) / Math.sqrt(mean((i) => (t[i] - mt) ** 2) * mean((i) => (p[i] - mp) ** 2))
  );
}

describe.each(testDevices)('on %s', (device) => {
  beforeAll(() => setDevice(device));
  afterAll(goHome);

  test('counts have the same bits for every size of batches', async () => {
    const made = net();
    const whole = await made.evaluate(x, oneHot, { batchSize: 150, sampleWeight: weights });
    expect(Object.keys(whole)).toEqual(keys);
    const predicted = (await made.predict(x)).dataSync();
    close(whole.correlation, correlated(oneHot, predicted), 1e-6);
    const counted = ['auc', 'pr', 'precision', 'recall_0', 'recall_1', 'f1Score_0', 'share_1', 'weighted_auc', 'top'];
    for (const batchSize of [1, 7, 64, 149]) {
      const parts = await made.evaluate(x, oneHot, { batchSize, sampleWeight: weights });
      for (const key of counted) expect(parts[key], `${key}, ${batchSize}`).toBe(whole[key]);
      close(Object.values(parts), Object.values(whole), 1e-6);
    }
    // By hand: the probability that a positive example is above a negative one, at 200 thresholds.
    expect(whole.share_0 + whole.share_1).toBeCloseTo(1, 12);
    expect(
      metrics
        .auc()(
          labels,
          Float32Array.from(labels, (label) => label * 0.5 + 0.2),
        )
        .dataSync()[0],
    ).toBe(1);
  });

  test('a fit shows them, running, per epoch and for validation', async () => {
    const made = net();
    const running: Logs[] = [];
    const watch = { onTrainBatchEnd: (_: number, logs: Logs) => void running.push({ ...logs }) };
    const options = { batchSize: 32, epochs: 2, shuffle: false, validationSplit: 0.2, sampleWeight: weights };
    const { history } = await made.fit(x, oneHot, { ...options, callbacks: [watch] });
    expect(Object.keys(history).sort()).toEqual([...keys, ...keys.map((key) => `val_${key}`)].sort());
    expect(running.length).toBe(8);
    expect(running[7]).toEqual(Object.fromEntries(keys.map((key) => [key, history[key][1]])));
    expect(running[4].auc).not.toBe(running[5].auc);
    const {
      val_auc: [, last],
      val_some: [, some],
    } = history; // prettier-ignore
    const again = await made.evaluate(x.subarray(240), oneHot.subarray(240), {
      batchSize: 32,
      sampleWeight: weights.subarray(120),
    });
    expect([again.auc, again.some]).toEqual([last, some]);
  });

  test('sums that are one another’s, the inputs’, or nobody’s', async () => {
    const made = classifier();
    const given: metrics.StreamingMetric = {
      name: 'given',
      sums: 6,
      update: (t, p, w) =>
        [ops.slice(t, [0, 0], [1, 2]), ops.slice(p, [0, 0], [1, 1]), [2, 3], ops.reshape(ops.sum(w), [1, 1])].map(
          (value) => ops.identity(value as never),
        ),
      result: (sums) => [...sums],
    };
    const target: metrics.StreamingMetric = {
      name: 'target',
      sums: 100,
      update: (t) => t,
      result: (sums) => sums.reduce((a, b) => a + b, 0),
    };
    made.compile({
      optimizer: 'sgd',
      loss: 'categoricalCrossentropy',
      metrics: [
        'precision',
        'recall',
        metrics.precision({ name: 'again' }),
        given,
        target,
        'mse',
        metrics.meanSquaredError({ name: 'twice' }),
      ],
    });
    const [px, py] = [x.subarray(0, 200), oneHot.subarray(0, 200)];
    const logs = await made.trainOnBatch(px.subarray(0, 100), py.subarray(0, 100));
    expect(logs.again).toBe(logs.precision);
    expect(logs.twice).toBe(logs.mse);
    expect(logs.precision).toBe(logs.recall); // two outputs that sum to 1: as many positive as there should be
    expect([logs.given_0, logs.given_1, logs.given_3, logs.given_4, logs.given_5]).toEqual([
      oneHot[0],
      oneHot[1],
      2,
      3,
      50,
    ]);
    expect(logs.target).toBe(50);
    const { history } = await made.fit(px, py, { batchSize: 50, shuffle: false, verbose: 0 });
    expect([history.given_0[0], history.given_3[0], history.given_5[0], history.target[0]]).toEqual([
      oneHot[0] + oneHot[100],
      4,
      100,
      100,
    ]);
  });

  test('more of them than one command of a device holds', async () => {
    const made = classifier();
    const named = Array.from({ length: 40 }, (_, i) => metrics.precision({ name: `p${i}`, thresholds: i / 40 }));
    made.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', metrics: named });
    const before = await made.evaluate(x, oneHot, { batchSize: 64 });
    const p = await made.predict(x);
    for (const [i, metric] of named.entries())
      expect(before[`p${i}`]).toBeCloseTo(metric([...oneHot], p.dataSync()).dataSync()[0], 6);
    const { history } = await made.fit(x, oneHot, { batchSize: 50 });
    expect(Object.keys(history).length).toBe(41);
    made.setLearningRate(3e38);
    await fails('NON_FINITE', /loss is .* step [23]/, () => made.fit(x, oneHot, { batchSize: 50, shuffle: false }));
  });

  test('one batch alone', async () => {
    const made = net();
    const before = await made.evaluate(x, oneHot, { batchSize: 150, sampleWeight: weights });
    const first = await made.trainOnBatch(x, oneHot, { sampleWeight: weights });
    close(Object.values(first), Object.values(before), 1e-6);
    const second = await made.trainOnBatch(x, oneHot, { sampleWeight: weights });
    expect(second.loss).toBeLessThan(first.loss);
  });
});

test('many sums', async () => {
  const made = classifier();
  const wide = metrics.auc({ numThresholds: 5000, multiLabel: true });
  made.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', metrics: [wide, 'auc'] });
  const { history } = await made.fit(x, oneHot, { batchSize: 8, epochs: 2 });
  expect(Math.abs(history.auc[1] - history.auc_1[1])).toBeLessThan(0.02);
});

test('a stream to a model that waits for its shape', async () => {
  const made = sequential([layers.dense({ units: 2, activation: 'softmax' })]);
  made.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', metrics: ['auc', new Shares()] });
  const row = (i: number) =>
    [
      [x[2 * i], x[2 * i + 1]],
      [oneHot[2 * i], oneHot[2 * i + 1]],
    ] as const;
  const batch = (from: number, count: number) => {
    const rows = Array.from({ length: count }, (_, i) => row(from + i));
    return [rows.map(([a]) => [...a]), rows.map(([, b]) => [...b])];
  };
  const streamed = await made.evaluate([batch(0, 20), batch(20, 7), batch(27, 13)]);
  const whole = await made.evaluate(x.subarray(0, 80), oneHot.subarray(0, 80));
  expect(streamed.auc).toBe(whole.auc);
  expect(streamed.share_0).toBe(whole.share_0);
});

test('saved and loaded, those of one’s own by their names', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'downhill-metrics-'));
  try {
    const path = join(folder, 'm');
    const made = net();
    made.compile({
      optimizer: 'sgd',
      loss: 'categoricalCrossentropy',
      metrics: [
        correlation,
        new Shares({ power: 2 }),
        'cosineSimilarity',
        losses.cosineSimilarity({ name: 'opposite' }),
      ],
      weightedMetrics: [metrics.auc({ numThresholds: 7 })],
    });
    await made.save(path);
    await fails('UNKNOWN_NAME', /metrics\[0\].*customObjects: \{ correlation/s, () =>
      loadModel(path, { customObjects: { Shares } }),
    );
    const twin = await loadModel(path, { customObjects: { correlation, Shares } });
    const [a, b] = [await made.evaluate(x, oneHot), await twin.evaluate(x, oneHot)];
    expect(b).toEqual(a);
    expect(Object.keys(a)).toEqual([
      'loss',
      'correlation',
      'share_0',
      'share_1',
      'cosineSimilarity',
      'opposite',
      'auc',
    ]);
    expect(a.opposite).toBe(-a.cosineSimilarity);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('names as Keras spells them', async () => {
  const made = classifier([
    'AUC',
    'f1_score',
    'fbeta_score',
    'top_k_categorical_accuracy',
    'Precision',
    'log_cosh',
    'acc',
  ]);
  const logs = await made.evaluate(x, oneHot);
  expect(Object.keys(logs)).toEqual([
    'loss',
    'AUC',
    'f1_score_0',
    'f1_score_1',
    'fbeta_score_0',
    'fbeta_score_1',
    'top_k_categorical_accuracy',
    'Precision',
    'log_cosh',
    'acc',
  ]); // prettier-ignore
});

test('top k of one-hot targets and of labels, with ties and numbers that are none', () => {
  const p = [
    [0.1, 0.5, 0.4],
    [0.4, 0.4, 0.2],
    [Number.NaN, 1, 0],
  ]; // prettier-ignore
  const hot = [
    [0, 0, 1],
    [0, 1, 0],
    [1, 0, 0],
  ]; // prettier-ignore
  close(metrics.topKCategoricalAccuracy({ k: 1 }).perExample(hot, p), [0, 1, 0]);
  close(metrics.topKCategoricalAccuracy({ k: 2 }).perExample([2, 1, 0], p), [1, 1, 0]);
  close(metrics.sparseTopKCategoricalAccuracy({ k: 2 }).perExample([2, 2, 1], p), [1, 0, 1]);
  close(metrics.topKCategoricalAccuracy().perExample(hot, p), [1, 1, 0]);
});

test('nothing to count', () => {
  const none = [0, 0, 0];
  expect(metrics.precision()(none, none).dataSync()[0]).toBe(0);
  expect(metrics.recall()(none, none).dataSync()[0]).toBe(0);
  expect(metrics.auc()(none, [0.1, 0.2, 1]).dataSync()[0]).toBe(0);
  expect(metrics.auc({ curve: 'PR' })(none, [0.1, 0.2, 1]).dataSync()[0]).toBe(0);
  // A prediction that is no number exceeds nothing.
  expect(metrics.precision()([1, 1], [Number.NaN, 0.7]).dataSync()[0]).toBe(1);
  expect(metrics.recall()([1, 1], [Number.NaN, 0.7]).dataSync()[0]).toBe(0.5);
});

test('what they refuse', async () => {
  throwsAtOnce('OUT_OF_RANGE', /thresholds.*\[0, 1\].*received 2/, () => metrics.precision({ thresholds: [0.5, 2] }));
  throwsAtOnce('INVALID_ARGUMENT', /thresholds.*empty/, () => metrics.recall({ thresholds: [] }));
  throwsAtOnce('OUT_OF_RANGE', /topK/, () => metrics.recall({ topK: 0 }));
  throwsAtOnce('OUT_OF_RANGE', /numThresholds.*at least 2/, () => metrics.auc({ numThresholds: 1 }));
  throwsAtOnce('INVALID_ARGUMENT', /curve.*"PR"/, () => metrics.auc({ curve: 'prc' as never }));
  throwsAtOnce('INVALID_ARGUMENT', /multiLabel/, () => metrics.auc({ numLabels: 3 }));
  throwsAtOnce('INVALID_ARGUMENT', /average.*"micro"/, () => metrics.f1Score({ average: 'mean' as never }));
  throwsAtOnce('OUT_OF_RANGE', /threshold/, () => metrics.f1Score({ threshold: 0 }));
  throwsAtOnce('OUT_OF_RANGE', /beta/, () => metrics.fBetaScore({ beta: 0 }));
  throwsAtOnce('OUT_OF_RANGE', /classId 3/, () => metrics.precision({ classId: 3 })([[0, 1]], [[0, 1]]));
  throwsAtOnce('SHAPE_MISMATCH', /\[n, classes\]/, () => metrics.f1Score()([1], [1]));
  throwsAtOnce('SHAPE_MISMATCH', /labelWeights.*\[n, 3\]/, () =>
    metrics.auc({ labelWeights: [1, 1, 1] })([[0, 1]], [[0, 1]]),
  );
  throwsAtOnce('SHAPE_MISMATCH', /sparse form/, () =>
    metrics.auc()(
      [0, 1],
      [
        [0, 1],
        [1, 0],
      ],
    ),
  ); // prettier-ignore
  await fails('UNSUPPORTED', /concrete values/, () =>
    compile((p: SymbolicTensor) => metrics.auc()([1], p as never) as never)([1]),
  );

  const trained = (metric: object) => async () => {
    const made = classifier();
    made.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', metrics: [metric as metrics.StreamingMetric] });
    await made.fit(x, oneHot);
  };
  await fails('INVALID_ARGUMENT', /metrics\[0\] needs a name/, trained({ ...correlation, name: '' }));
  await fails('INVALID_ARGUMENT', /name, sums, update, result/, trained({ name: 'a', sums: 1 }));
  await fails('OUT_OF_RANGE', /"correlation": sums.*received 0/, trained({ ...correlation, sums: 0 }));
  await fails('SHAPE_MISMATCH', /must return 5 numbers.*returned 6/, trained({ ...correlation, sums: 5 }));
  await fails('INVALID_ARGUMENT', /update\(\).*ops.*returned 3/, trained({ ...correlation, update: () => 3 }));
  await fails('INVALID_ARGUMENT', /result\(\) must return a number/, trained({ ...correlation, result: () => 'high' }));
  const twice = classifier();
  const both = [metrics.precision({ thresholds: [0.2, 0.8] }), metrics.precision()];
  twice.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', metrics: both });
  await fails('INVALID_ARGUMENT', /two metrics.*"precision_1"/, () => twice.evaluate(x, oneHot));
});

test('thresholds are taken as they are, and left so', () => {
  const thresholds = Object.freeze([0.9, 0.1, 0.5]);
  for (const make of [metrics.auc, metrics.precision, metrics.recall]) {
    const given = [...thresholds];
    const metric = make({ thresholds: given });
    given[0] = 0.2;
    expect(() => make({ thresholds })).not.toThrow();
    expect(JSON.stringify(metric.getConfig())).not.toContain('0.2');
  }
  expect(thresholds).toEqual([0.9, 0.1, 0.5]);
});
