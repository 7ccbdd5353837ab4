// A linear model with mean squared error: its gradient, Hessian 2/n·XᵀX and per-example covariance are known.
import { diagnostics, layers, losses, type Model, optimizers, regularizers, sequential, setDevice } from 'downhill';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { close, randomArray } from '../support.js';
import { goHome, isEmulated, testDevices } from '../support-devices.js';

const rows = 40;
const features = 3;
const l2 = 0.05;
const x = randomArray(rows * features, 3, -1, 2);
const y = randomArray(rows, 4, -2, 1);
const start = [randomArray(features, 5), randomArray(1, 6)];

function model(options: { learningRate?: number; kernelRegularizer?: ReturnType<typeof regularizers.l2> } = {}): Model {
  const { learningRate = 0.1, kernelRegularizer } = options;
  const net = sequential([layers.dense({ units: 1, inputShape: [features], kernelRegularizer })]);
  net.compile({ optimizer: optimizers.sgd({ learningRate }), loss: losses.meanSquaredError() });
  net.setWeights([start[0], start[1]]);
  return net;
}

/** Rows with the bias's input, (row, features + 1). */
const design = Array.from({ length: rows }, (_, i) => [...x.slice(i * features, (i + 1) * features), 1]);
const theta = [...start[0], ...start[1]];
const times = (matrix: number[][], v: number[]) =>
  matrix.map((row) => row.reduce((total, value, j) => total + value * v[j], 0));
const dot = (a: number[], b: number[]) => a.reduce((total, value, i) => total + value * b[i], 0);
const errors = times(design, theta).map((value, i) => value - y[i]);
const gradients = design.map((row, i) => row.map((value) => 2 * errors[i] * value));
const mean = (vectors: number[][]) => vectors[0].map((_, j) => vectors.reduce((t, v) => t + v[j], 0) / vectors.length);
const gradient = mean(gradients);
const hessian = gradient.map((_, j) =>
  gradient.map((__, k) => (2 / rows) * design.reduce((total, row) => total + row[j] * row[k], 0)),
);

/** Ends of a positive spectrum, by many power iterations. */
function ends(matrix: number[][]): [number, number] {
  const dominant = (shift: number) => {
    let v = matrix.map((_, i) => i + 1);
    for (let i = 0; i < 20000; i++) {
      const w = times(matrix, v).map((value, j) => value - shift * v[j]);
      const norm = Math.sqrt(dot(w, w));
      v = w.map((value) => value / norm);
    }
    return dot(v, times(matrix, v));
  };
  const largest = dominant(0);
  return [largest, dominant(largest)];
}

const [largest, smallest] = ends(hessian);

describe.each(testDevices)('on %s', (device) => {
  beforeEach(() => setDevice(device));
  afterAll(goHome);

  test('gradient and curvature', async () => {
    const { norm, weights } = await diagnostics.gradientNorm(model(), x, y, { batchSize: 16 });
    close(
      [norm, ...Object.values(weights)],
      [
        Math.sqrt(dot(gradient, gradient)),
        Math.sqrt(dot(gradient.slice(0, 3), gradient.slice(0, 3))),
        Math.abs(gradient[3]),
      ],
    );
    const gTg = dot(gradient, gradient);
    const gTHg = dot(gradient, times(hessian, gradient));
    const found = await diagnostics.curvature(model(), x, y, { batchSize: 16 });
    close(
      [found.gTg, found.gTHg, found.gain, found.cost, found.change, found.largestRate],
      [gTg, gTHg, 0.1 * gTg, 0.005 * gTHg, 0.005 * gTHg - 0.1 * gTg, (2 * gTg) / gTHg],
    );
    expect(found.learningRate).toBe(0.1);
    // Of a quadratic the model is exact: the loss changes by as much.
    const net = model();
    const before = (await net.trainOnBatch(x, y)).loss;
    const { loss } = await net.evaluate(x, y, { verbose: 0 });
    close(loss - before, found.change, 1e-5);
  });

  test('eigenvalues; the exact space is found in four products', async () => {
    const found = await diagnostics.sharpness(model(), x, y, { batchSize: 16 });
    close([found.largest, found.smallest], [largest, smallest]);
    expect(found).toMatchObject({ iterations: 4, converged: true, saddle: false, unstable: false });
    close(found.limit, 20);
    if (isEmulated(device)) return;
    const power = await diagnostics.sharpness(model(), x, y, { method: 'power', tolerance: 1e-4 });
    close([power.largest, power.smallest], [largest, smallest], 1e-4);
    expect(power.converged).toBe(true);
  });

  test('penalties are part of gradient and Hessian', async () => {
    const net = model({ kernelRegularizer: regularizers.l2({ l2 }) });
    const g = gradient.map((value, j) => value + (j < features ? 2 * l2 * theta[j] : 0));
    const h = hessian.map((row, j) => row.map((value, k) => value + (j === k && j < features ? 2 * l2 : 0)));
    const found = await diagnostics.curvature(net, x, y, { batchSize: 7 });
    close([found.gTg, found.gTHg], [dot(g, g), dot(g, times(h, g))]);
    close(found.loss, (await net.evaluate(x, y, { verbose: 0 })).loss);
  });

  test('noise of single rows is their covariance', async () => {
    const spread = gradients.reduce((total, g) => {
      const off = g.map((value, j) => value - gradient[j]);
      return total + dot(off, off);
    }, 0);
    const trace = spread / (rows - 1);
    const squaredNorm = dot(gradient, gradient) - trace / rows;
    const found = await diagnostics.noiseScale(model(), x, y, { batchSize: 1, batches: rows });
    close([found.trace, found.squaredNorm, found.sigma], [trace, squaredNorm, Math.sqrt(trace)]);
    close(found.noiseScale, trace / squaredNorm, 1e-4);
  });
});

test('the rate at 2/λ parts convergence from divergence', async () => {
  for (const [factor, diverges] of [
    [0.97, false],
    [1.03, true],
  ] as const) {
    const net = model({ learningRate: (2 / largest) * factor });
    expect((await diagnostics.sharpness(net, x, y)).unstable).toBe(diverges);
    const { history } = await net.fit(x, y, { batchSize: rows, epochs: 400, verbose: 0, shuffle: false });
    expect(history.loss[399] > history.loss[0]).toBe(diverges);
  }
});

test('stationary at the minimum, and nowhere else', async () => {
  const net = model({ learningRate: 1 / largest });
  expect((await diagnostics.stationary(net, x, y)).stationary).toBe(false);
  await net.fit(x, y, { batchSize: rows, epochs: 2000, verbose: 0, shuffle: false });
  const found = await diagnostics.stationary(net, x, y);
  expect(found).toMatchObject({ stationary: true, tolerance: 1e-4 });
  expect(found.norm).toBeLessThan(1e-5);
  expect((await diagnostics.stationary(net, x, y, { tolerance: 0 })).stationary).toBe(false);
});

test('identical rows have no noise', async () => {
  const net = model();
  const same = Float32Array.from({ length: rows * features }, (_, i) => x[i % features]);
  const found = await diagnostics.noiseScale(net, same, new Float32Array(rows).fill(0.3), { batchSize: 4 });
  expect([found.trace, found.noiseScale]).toEqual([0, 0]);
  expect(found.squaredNorm).toBeGreaterThan(0);
});

test('a plane through a quadratic is one', async () => {
  const directions = [
    [[[1], [0], [0]], [0]],
    [new Float32Array(3), [1]],
  ] as const;
  const { coordinates, losses: grid } = await diagnostics.lossSurface(model(), x, y, {
    directions,
    range: [-2, 1],
    steps: 4,
  });
  expect(coordinates).toEqual([-2, -1, 0, 1]);
  const here = errors.reduce((total, error) => total + error ** 2, 0) / rows;
  const expected = coordinates.map((a) =>
    coordinates.map(
      (b) =>
        here +
        a * gradient[0] +
        b * gradient[3] +
        0.5 * (a * a * hessian[0][0] + 2 * a * b * hessian[0][3] + b * b * hessian[3][3]),
    ),
  );
  close(grid, expected);
});
