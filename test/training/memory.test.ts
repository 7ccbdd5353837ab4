// net.memory(): what it says, beside what is allocated.
import {
  data,
  deviceMemory,
  layers,
  type Model,
  ops,
  optimizers,
  seed,
  sequential,
  setThreads,
  type SymbolicTensor,
} from 'downhill';
import { describe, expect, it } from 'vitest';
import { binding } from '../../lib/binding/index.js';
import { randomArray, throwsAtOnce } from '../support.js';
import { accelerators, isEmulated, testDevices } from '../support-devices.js';

const [features, hidden, rows] = [24, 48, 32];

function network(device: string, optimizer: unknown = 'adam', recompute = false, units = hidden): Model {
  seed(1);
  const net = sequential(
    [
      layers.dense({ units, activation: 'relu', inputShape: [features], recompute }),
      layers.batchNormalization({ recompute }),
      layers.dense({ units, activation: 'gelu', recompute }),
      layers.dense({ units: 1 }),
    ],
    { device },
  );
  net.compile({ optimizer: optimizer as 'adam', loss: 'meanSquaredError' });
  return net;
}

const [x, y] = [randomArray(4 * rows * features, 1), randomArray(4 * rows, 2)];

/** Bytes in use during the last step of a fit, and those of its data set. */
async function during(net: Model, live: () => number): Promise<{ bytes: number; data: number }> {
  let bytes = 0;
  const look = () => {
    bytes = live();
  };
  await net.fit(x, y, { batchSize: rows, epochs: 2, callbacks: [{ onTrainBatchEnd: look }] });
  return { bytes, data: x.byteLength + y.byteLength };
}

it('agrees with what is allocated on the CPU', async () => {
  setThreads(2);
  const before = binding.memory().bytes;
  const net = network('cpu', optimizers.adam({ useEma: true, gradientAccumulationSteps: 2 }));
  const memory = net.memory({ batchSize: rows });
  const { bytes, data: rowBytes } = await during(net, () => binding.memory().bytes);
  const taken = bytes - before - rowBytes;
  expect(taken).toBeGreaterThanOrEqual(memory.total - 64);
  expect(taken).toBeLessThan(memory.total + 2048); // numbers of the graph, rates of the optimizer
});

it.each(accelerators)('agrees with what is allocated on %s', async (device) => {
  const measured = async (units: number) => {
    using net = network(device, 'adam', false, units);
    const before = deviceMemory(device).bytes;
    const { total } = net.memory({ batchSize: rows });
    const { bytes, data: rowBytes } = await during(net, () => deviceMemory(device).bytes);
    return { total, over: bytes - before - rowBytes - total };
  };
  const [narrow, wide] = [await measured(hidden), await measured(3 * hidden)];
  // Tables of the update, logs of a launch and the order of the rows do not grow with the network. A GPU's blocks are up to an eighth larger than asked for.
  const rounding = isEmulated(device) ? 0 : wide.total / 8;
  expect(narrow.over).toBeGreaterThanOrEqual(0);
  expect(narrow.over).toBeLessThan(65536 + rounding);
  expect(Math.abs(wide.over - narrow.over)).toBeLessThanOrEqual(256 + rounding);
});

it.each(testDevices)('holds no batch of what the step does not read, on %s', async (device) => {
  const wide = 800;
  const net = sequential([layers.dense({ units: wide, inputShape: [features] })], { device });
  const trainStep = ({ x: given, training }: { x: SymbolicTensor; training: boolean }) =>
    ops.mean(ops.square(net.apply(given, { training }) as SymbolicTensor));
  net.compile({ optimizer: 'sgd', trainStep: trainStep as never });
  const live = () => (device === 'cpu' ? binding.memory().bytes : deviceMemory(device).bytes);
  const before = live();
  const memory = net.memory({ batchSize: rows });
  expect(memory.batch).toBe(rows * features * 4);
  const unread = new Float32Array(4 * rows * wide);
  let bytes = 0;
  const look = () => {
    bytes = live();
  };
  await net.fit(x, unread, { batchSize: rows, epochs: 1, callbacks: [{ onTrainBatchEnd: look }] });
  // A data set lies on the host as a whole; on a device only what is read of it.
  const rowBytes = x.byteLength + (device === 'cpu' ? unread.byteLength : 0);
  const tables = device === 'cpu' ? 0 : 131072; // of the update, logs of a launch, the order of the rows
  expect(bytes - before - rowBytes).toBeLessThan(memory.total + tables + 16384);
});

describe('its parts', () => {
  it('are parameters, gradients, slots, activations and batches', () => {
    const aligned = (sizes: number[]) => sizes.reduce((sum, size) => sum + Math.ceil((size * 4) / 64) * 64, 0);
    const trained = aligned([features * hidden, hidden, hidden, hidden, hidden * hidden, hidden, hidden, 1]);
    const memory = network('cpu').memory({ batchSize: rows });
    expect(memory.gradients).toBe(trained);
    expect(memory.parameters).toBe(trained + aligned([hidden, hidden])); // moving statistics
    expect(memory.optimizer).toBe(2 * trained);
    expect(memory.batch).toBe(aligned([rows * features, rows]));
    const { total, recomputed, ...parts } = memory;
    expect(total).toBe(Object.values(parts).reduce((sum, bytes) => sum + bytes, 0));
    expect(recomputed).toBe(0);
    expect(memory.activations).toBeGreaterThan(3 * rows * hidden * 4);
    const larger = network('cpu').memory({ batchSize: 4 * rows });
    expect(larger.activations).toBeGreaterThan(3 * memory.activations);
    expect(network('cpu').memory({ batchSize: 16 * rows }).batch).toBe(2 * aligned([16 * rows * features, 16 * rows])); // the next one is gathered meanwhile
    expect(network('cpu', 'sgd').memory().optimizer).toBe(0);
    expect(network('cpu', 'adam', true).memory().activations).toBeLessThan(memory.activations);
    const frozen = network('cpu');
    frozen.layers[2].trainable = false;
    frozen.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
    expect(frozen.memory().gradients).toBe(trained - aligned([hidden * hidden, hidden]));
  });

  it('are of the latest batch size, by default 32', async () => {
    const net = network('cpu');
    expect(net.memory()).toEqual(net.memory({ batchSize: 32 }));
    await net.fit(x, y, { batchSize: 16 });
    expect(net.memory()).toEqual(net.memory({ batchSize: 16 }));
  });

  it('needs a compiled model', () => {
    const net = sequential([layers.dense({ units: 1, inputShape: [2] })]);
    throwsAtOnce('NOT_COMPILED', /compile/, () => net.memory());
    throwsAtOnce('OUT_OF_RANGE', /batchSize/, () => network('cpu').memory({ batchSize: 0 }));
    throwsAtOnce('NOT_BUILT', /input shape/, () => sequential([layers.dense({ units: 1 })]).memory());
  });
});

it('of sparse rows it knows the room of batches of another size', async () => {
  const rows = Array.from({ length: 64 }, (_, i) => i);
  const x = new data.SparseRows({
    shape: [64, 1000],
    indptr: Int32Array.from({ length: 65 }, (_, i) => 20 * i),
    indices: Int32Array.from(rows.flatMap((row) => Array.from({ length: 20 }, (_, i) => row + 10 * i))),
    values: new Float32Array(64 * 20).fill(1),
  });
  const net = sequential([layers.dense({ units: 1, inputShape: [1000] })]);
  net.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  await net.fit(x, new Float32Array(64), { batchSize: 16, epochs: 1, verbose: 0 });
  const [few, many] = [16, 64].map((batchSize) => net.memory({ batchSize }).batch) as [number, number];
  expect(many / few).toBeGreaterThan(3);
});

it('a bias of sequences belongs to its layer: computing it again keeps as little as without one', () => {
  const activations = (useBias: boolean) => {
    const dense = () => layers.dense({ units: 64, activation: 'gelu', useBias });
    const blocks = Array.from({ length: 6 }, (_, i) =>
      sequential([layers.input({ shape: [16, 64] }), dense(), dense()], { recompute: true, name: `block${i}` }),
    );
    const net = sequential([layers.input({ shape: [16, 64] }), ...blocks, layers.dense({ units: 1 })]);
    net.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    return net.memory({ batchSize: 8 }).activations;
  };
  expect(activations(true)).toBeLessThan(1.2 * activations(false));
});
