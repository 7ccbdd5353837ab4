// Layers that the backward pass computes again: the same bits with less memory.
import {
  callbacks,
  grad,
  input,
  layers,
  loadModel,
  type Model,
  type ModelCompileOptions,
  model,
  ops,
  optimizers,
  type SymbolicTensor,
  seed,
  sequential,
  type Tensor,
} from 'downhill';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fails, randomArray, throwsAtOnce } from '../support.js';
import { testDevices } from '../support-devices.js';

interface Case {
  net: Model;
  x: Float32Array | Float32Array[];
  y: Float32Array | Float32Array[];
  compile?: Partial<ModelCompileOptions>;
}

const rows = 6;

/** A layer of the user's own with layers in it. */
class Block extends layers.Layer {
  readonly type = 'Block';
  #dense = this.addLayer(layers.dense({ units: 8, activation: 'gelu', name: 'inner' }));
  #drop = this.addLayer(layers.dropout({ rate: 0.3, seed: 5 }));
  computeOutputShape(shape: number[]) {
    return shape;
  }
  protected override declareWeights(shape: number[]) {
    this.#dense.build(shape);
  }
  call(x: Tensor, context: { training: boolean }) {
    return ops.add(x, this.#drop.apply(this.#dense.apply(x), context) as Tensor);
  }
}

/** Models by what they are about; `recompute` is that of their layers. */
const cases: Record<string, (recompute: boolean, device: string) => Case> = {
  'dense layers, dropout, normalization': (recompute, device) => ({
    net: sequential(
      [
        layers.dense({ units: 12, activation: 'tanh', inputShape: [8], recompute }),
        layers.layerNormalization({ recompute }),
        layers.dense({ units: 12, activation: 'relu', recompute }),
        layers.dropout({ rate: 0.4, seed: 3, recompute }),
        layers.dense({ units: 12, activation: 'gelu', recompute, activityRegularizer: 'l2' }),
        layers.dense({ units: 2, recompute }),
      ],
      { device },
    ),
    x: randomArray(3 * rows * 8, 1),
    y: randomArray(3 * rows * 2, 2),
  }),
  'images with batch normalization': (recompute, device) => ({
    net: sequential(
      [
        sequential(
          [
            layers.conv2d({ filters: 4, kernelSize: 3, padding: 'same', useBias: false, inputShape: [6, 6, 2] }),
            layers.batchNormalization({ momentum: 0.7 }),
            layers.activation('relu'),
            layers.maxPooling2d({ poolSize: 2 }),
          ],
          { recompute, name: 'block' },
        ),
        layers.conv2d({ filters: 3, kernelSize: 2, activation: 'silu', recompute }),
        layers.flatten(),
        layers.dense({ units: 2 }),
      ],
      { device },
    ),
    x: randomArray(3 * rows * 72, 3),
    y: randomArray(3 * rows * 2, 4),
  }),
  sequences: (recompute, device) => ({
    net: sequential(
      [
        layers.dense({ units: 6, activation: 'tanh', inputShape: [4, 3], recompute }),
        layers.lstm({ units: 5, returnSequences: true, recompute }),
        layers.gru({ units: 4, recompute }),
        layers.dense({ units: 2 }),
      ],
      { device },
    ),
    x: randomArray(3 * rows * 12, 5),
    y: randomArray(3 * rows * 2, 6),
  }),
  'shared blocks and several outputs': (recompute, device) => {
    const x = input({ shape: [8] });
    const block = sequential(
      [
        layers.dense({ units: 8, activation: 'gelu', inputShape: [8] }),
        layers.dropout({ rate: 0.2, seed: 9 }),
        layers.dense({ units: 8, activation: 'sigmoid', recompute }),
      ],
      { recompute, name: 'block' },
    );
    let h = x;
    for (let i = 0; i < 3; i++) h = layers.add().apply([h, block.apply(h)]);
    h = new Block('block_of_layers', { recompute }).apply(h);
    return {
      net: model({
        inputs: x,
        outputs: [layers.dense({ units: 2 }).apply(h), layers.dense({ units: 1 }).apply(h)],
        device,
      }),
      x: randomArray(3 * rows * 8, 7),
      y: [randomArray(3 * rows * 2, 8), randomArray(3 * rows, 9)],
    };
  },
  'gradients of gradients': (recompute, device) => ({
    net: sequential(
      [
        layers.dense({ units: 7, activation: 'tanh', inputShape: [4], recompute }),
        layers.dense({ units: 7, activation: 'softplus', recompute }),
        layers.dense({ units: 1 }),
      ],
      { device },
    ),
    x: randomArray(3 * rows * 4, 10),
    y: randomArray(3 * rows, 11),
    compile: {
      loss: undefined,
      trainStep: ({ x, y, training }: Record<'x' | 'y', SymbolicTensor> & { training: boolean }, net: Model) => {
        const slope = grad((at: SymbolicTensor) => ops.sum(net.apply(at, { training })))(
          ops.mul(x, 0.5),
        ) as SymbolicTensor;
        const error = ops.mean(ops.square(ops.sub(net.apply(x, { training }), y)));
        return ops.add(error, ops.mean(ops.square(slope)));
      },
    } as never,
  }),
};

async function trained({ net, x, y, compile }: Case, memoryLimit?: number) {
  net.compile({ optimizer: 'adam', loss: 'meanSquaredError', memoryLimit, ...compile } as ModelCompileOptions);
  const memory = net.memory({ batchSize: rows });
  const { history } = await net.fit(x, y, { batchSize: rows, epochs: 1, shuffle: false });
  const weights = net.getWeights().map((weight) => weight.dataSync());
  net.dispose();
  return { memory, result: { loss: history.loss, weights } };
}

function made(name: string, recompute: boolean, device: string): Case {
  seed(4);
  return cases[name](recompute, device);
}

describe.each(testDevices)('recompute on %s', (device) => {
  for (const name of Object.keys(cases))
    it(`gives the same bits: ${name}`, async () => {
      const kept = await trained(made(name, false, device));
      const again = await trained(made(name, true, device));
      expect(kept.memory.recomputed).toBe(0);
      expect(again.memory.recomputed).toBeGreaterThan(0);
      expect(again.result).toEqual(kept.result);
    });

  // A small step with second derivatives has its peak elsewhere: there is nothing to gain.
  it.each(Object.keys(cases).filter((name) => name !== 'gradients of gradients'))(
    'follows from memoryLimit: %s',
    async (name) => {
      const kept = await trained(made(name, false, device));
      const all = kept.memory.total - kept.memory.activations;
      const within = (share: number) => Math.floor(all + share * kept.memory.activations);
      const least = await leastOf(made(name, false, device));
      expect(least).toBeLessThan(kept.memory.total);
      const limit = Math.max(least, within(0.9));
      const again = await trained(made(name, false, device), limit);
      expect(again.memory.total).toBeLessThanOrEqual(limit);
      expect(again.memory.recomputed).toBeGreaterThan(0);
      expect(again.result).toEqual(kept.result);
    },
  );
});

/** The least bytes, as the message of the error has them. */
async function leastOf({ net, compile }: Case): Promise<number> {
  net.compile({ optimizer: 'adam', loss: 'meanSquaredError', memoryLimit: 1, ...compile } as ModelCompileOptions);
  let least = 0;
  try {
    net.memory({ batchSize: rows });
  } catch (error) {
    least = Number(/at least (\d+) bytes/.exec((error as Error).message)?.[1]);
  }
  net.dispose();
  return least;
}

/** n equal layers. */
function deep(n: number, options: { recompute?: boolean; memoryLimit?: number } = {}, activation = 'gelu') {
  const { recompute = false, memoryLimit } = options;
  seed(2);
  const net = sequential([layers.input({ shape: [32] })]);
  for (let i = 0; i < n; i++) net.add(layers.dense({ units: 32, activation: activation as never, recompute }));
  net.add(layers.dense({ units: 1 }));
  net.compile({ optimizer: 'sgd', loss: 'meanSquaredError', memoryLimit });
  return net;
}

describe('the plan', () => {
  const batchSize = 64;
  const one = batchSize * 32 * 4; // bytes of one layer's output

  it('keeps the inputs of recomputed layers alone', () => {
    const kept = deep(16).memory({ batchSize }).activations / one;
    const again = deep(16, { recompute: true }).memory({ batchSize }).activations / one;
    // gelu keeps what it was given, and the next layer its result
    expect(kept).toBeGreaterThan(31);
    expect(again).toBeLessThan(20);
  });

  it('keeps about the square root under a limit', () => {
    const n = 64;
    const net = deep(n);
    const { activations } = net.memory({ batchSize });
    expect(activations / one).toBeGreaterThan(2 * n - 1);
    net.compile({ optimizer: 'sgd', loss: 'meanSquaredError', memoryLimit: 1 });
    let least = 0;
    try {
      net.memory({ batchSize });
    } catch (error) {
      least = Number(/(\d+) for what the step computes/.exec((error as Error).message)?.[1]);
    }
    // n/g inputs of groups, and what one group of g keeps: 2g; least at 2 √(2n)
    expect(least / one).toBeGreaterThan(8);
    expect(least / one).toBeLessThan(2 * Math.sqrt(2 * n) + 6);
  });

  it('computes no more again than the limit asks for', () => {
    const n = 16;
    const { total, activations } = deep(n).memory({ batchSize });
    const again = [0.95, 0.7, 0.5].map((share) => {
      const memory = deep(n, { memoryLimit: Math.floor(total - (1 - share) * activations) }).memory({ batchSize });
      expect(memory.activations).toBeLessThanOrEqual(share * activations);
      return memory.recomputed;
    });
    expect(again[0]).toBeGreaterThan(0);
    expect(again[1]).toBeGreaterThan(again[0]);
    expect(again[2]).toBeGreaterThan(again[1]);
    expect(deep(n, { memoryLimit: total }).memory({ batchSize }).recomputed).toBe(0);
  });

  /** Two dense layers, and where `recompute` is said: of both, of their block, of the model. */
  function nested(
    layer: boolean,
    block: boolean,
    own: boolean,
    step?: (net: Model, x: SymbolicTensor) => SymbolicTensor,
  ) {
    const dense = () => layers.dense({ units: 32, activation: 'gelu', recompute: layer });
    const inner = sequential([layers.input({ shape: [32] }), dense(), dense()], { recompute: block, name: 'block' });
    const net = sequential([layers.dense({ units: 32, inputShape: [32] }), inner, layers.dense({ units: 1 })], {
      recompute: own,
    });
    const trainStep = ({ x, y }: Record<'x' | 'y', SymbolicTensor>) => ops.mean(ops.square(ops.sub(step!(net, x), y)));
    net.compile({ optimizer: 'sgd', ...(step ? { trainStep } : { loss: 'meanSquaredError' }) } as never);
    return net.memory({ batchSize });
  }

  it('asks the blocks, not the layers in them, nor the model that is trained', () => {
    const plain = nested(false, false, false);
    expect(plain.recomputed).toBe(0);
    expect(nested(false, false, true)).toEqual(plain);
    const block = nested(false, true, false);
    expect(block.recomputed).toBeGreaterThan(0);
    expect(nested(true, true, false)).toEqual(block);
    expect(nested(true, true, true)).toEqual(block);
    expect(nested(true, false, false)).not.toEqual(block); // each alone keeps what lies between the two
  });

  it('asks the model that a trainStep applies', () => {
    const step = (net: Model, x: SymbolicTensor) => net.apply(x, { training: true });
    const plain = nested(false, false, false, step);
    expect(plain.recomputed).toBe(0);
    const whole = nested(false, false, true, step);
    expect(whole.recomputed).toBeGreaterThan(nested(false, true, false, step).recomputed);
    expect(nested(true, true, true, step)).toEqual(whole);
  });

  it('keeps what two calls on the same value make once', () => {
    const productsAgain = (scale: number) => {
      const net = deep(2);
      const model = sequential([net], { recompute: true });
      const trainStep = ({ x, y }: Record<'x' | 'y', SymbolicTensor>) => {
        const slope = grad((from: SymbolicTensor) => ops.sum(model.apply(from)))(scale === 1 ? x : ops.mul(x, scale));
        return ops.add(ops.mean(ops.square(ops.sub(model.apply(x), y))), ops.mean(ops.square(slope as SymbolicTensor)));
      };
      model.compile({ optimizer: 'sgd', trainStep } as never);
      const steps = model.program('train').describe().split('\n');
      return steps.filter((line) => line.includes('matmul') && line.includes('again')).length;
    };
    expect(productsAgain(0.5)).toBeGreaterThan(2);
    expect(productsAgain(1)).toBe(0);
  });

  it('marks what is computed again, late', () => {
    const net = deep(4, { recompute: true });
    const steps = net.program('train').describe().split('\n');
    const again = steps.flatMap((line, i) => (line.includes('again') ? [i] : []));
    const loss = steps.findIndex((line) => line.includes('sum'));
    expect(again.length).toBeGreaterThan(3);
    expect(again[0]).toBeGreaterThan(loss);
    // each just before its own gradients: not all at once
    expect(again.at(-1)! - again[0]).toBeGreaterThan(again.length);
  });
});

describe('options', () => {
  it('refuses a limit that cannot be kept to, with the least bytes', async () => {
    const net = deep(4, { memoryLimit: 20_000 });
    const message =
      /takes at least \d+ bytes.*\d+ for parameters, gradients and the optimizer.*memoryLimit is 20000\. Take smaller batches/;
    throwsAtOnce('MEMORY_LIMIT', message, () => net.memory());
    await fails('MEMORY_LIMIT', message, () => net.fit(new Float32Array(320), new Float32Array(10)));
    const least = await leastOf({ net: deep(4), x: [], y: [] });
    const exact = deep(4, { memoryLimit: least });
    exact.compile({ optimizer: 'adam', loss: 'meanSquaredError', memoryLimit: least });
    expect(exact.memory({ batchSize: rows }).total).toBe(least);
    throwsAtOnce('OUT_OF_RANGE', /memoryLimit/, () => deep(1, { memoryLimit: 0 }));
    throwsAtOnce('INVALID_ARGUMENT', /recompute/, () => layers.dense({ units: 1, recompute: 1 as never }));
  });

  it('is saved and loaded, and may differ where training is resumed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'downhill-'));
    try {
      const path = join(folder, 'net.safetensors');
      const net = sequential([
        sequential([layers.dense({ units: 4, inputShape: [3] })], { recompute: true, name: 'block' }),
        layers.dense({ units: 2, recompute: true }),
      ]);
      const compiled = { optimizer: 'sgd', loss: 'meanSquaredError', memoryLimit: 1e9 } as const;
      net.compile(compiled);
      const [x, y] = [randomArray(30, 1), randomArray(20, 2)];
      await net.fit(x, y, { epochs: 1, callbacks: [callbacks.modelCheckpoint({ path })] });
      const loaded = await loadModel(path);
      expect(loaded.layers.map(({ recompute }) => recompute)).toEqual([true, true]);
      expect(loaded.toJSON()).toEqual(net.toJSON());
      expect(loaded.compiled?.memoryLimit).toBe(1e9);
      const other = sequential([
        sequential([layers.dense({ units: 4, inputShape: [3] })], { name: 'block' }),
        layers.dense({ units: 2 }),
      ]);
      other.compile({ ...compiled, memoryLimit: null });
      const { history } = await other.fit(x, y, { epochs: 2, resume: path });
      expect(history.loss.length).toBe(2);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('plays with accumulated gradients', async () => {
    const run = async (recompute: boolean) => {
      const net = deep(4, { recompute });
      net.compile({ optimizer: optimizers.adam({ gradientAccumulationSteps: 3 }), loss: 'meanSquaredError' });
      await net.fit(randomArray(320 * 2, 3), randomArray(20, 4), { batchSize: 5, epochs: 2, shuffle: false });
      return net.getWeights().map((weight) => weight.dataSync());
    };
    expect(await run(true)).toEqual(await run(false));
  });
});
