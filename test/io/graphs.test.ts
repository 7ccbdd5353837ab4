// Graphs of layers to JSON and files and back: shared layers, models as layers, resumed fits, weights by name.
import { join } from 'node:path';
import fc from 'fast-check';
import {
  callbacks,
  Functional,
  input,
  layers,
  type LayerOutput,
  loadModel,
  type Model,
  model,
  modelFromJSON,
  ops,
  optimizers,
  regularizers,
  seed,
  sequential,
  tensor,
  type Tensor,
} from 'downhill';
import { describe, expect, test } from 'vitest';
import { fails, randomArray, throwsAtOnce } from '../support.js';
import { temporaryFolder } from './files.js';
import { stateOf } from './models.js';

const folder = temporaryFolder();
let files = 0;
const fresh = () => join(folder, `${files++}.safetensors`);
const { dense, dropout } = layers;
const kRows = 20;

/** Values of four features; each step takes some of them and makes another. */
interface Plan {
  inputs: number;
  steps: { kind: string; from: number[]; units: number }[];
  form: 'list' | 'record';
}

const kinds = ['dense', 'dropout', 'add', 'multiply', 'concatenate', 'again', 'model', 'stack', 'activation', 'lambda'];
const plan: fc.Arbitrary<Plan> = fc.record({
  inputs: fc.integer({ min: 1, max: 3 }),
  steps: fc.array(
    fc.record({
      kind: fc.constantFrom(...kinds),
      from: fc.array(fc.nat(20), { minLength: 2, maxLength: 3 }),
      units: fc.integer({ min: 1, max: 4 }),
    }),
    { maxLength: 8 },
  ),
  form: fc.constantFrom('list', 'record'),
});

const half = (x: Tensor) => ops.mul(x, 0.5);
const customObjects = { half };

function build({ inputs: count, steps, form }: Plan, from = 8): Functional {
  seed(from);
  const inputs = Array.from({ length: count }, (_, i) => input({ shape: [4], ...(i === 1 && { name: 'second' }) }));
  const values: LayerOutput[] = [...inputs];
  const made: layers.Layer[] = [dense({ units: 4, activation: 'tanh', name: 'first' })];
  for (const { kind, from, units } of steps) {
    const operands = from.map((at) => values[at % values.length]!);
    const one = operands[0]!;
    const apply = (layer: layers.Layer) => {
      made.push(layer);
      values.push(layer.apply(one));
    };
    if (kind === 'dense') apply(dense({ units: 4, kernelRegularizer: regularizers.l2({ l2: 0.01 * units }) }));
    else if (kind === 'dropout') apply(dropout({ rate: 0.1 * units }));
    else if (kind === 'activation') apply(layers.activation('sigmoid'));
    else if (kind === 'lambda') apply(layers.lambda(half));
    else if (kind === 'add') values.push(layers.add().apply(operands));
    else if (kind === 'multiply') values.push(layers.multiply().apply(operands));
    else if (kind === 'concatenate') values.push(dense({ units: 4 }).apply(layers.concatenate().apply(operands)));
    else if (kind === 'again')
      values.push(made[from[0]! % made.length]!.apply(one, units > 2 ? { training: true } : {}));
    else if (kind === 'stack') apply(sequential([dense({ units }), dropout({ rate: 0.3 }), dense({ units: 4 })]));
    else {
      const x = input({ shape: [4] });
      const hidden = dense({ units, activation: 'relu' }).apply(x);
      apply(model({ inputs: x, outputs: dense({ units: 4 }).apply(layers.dropout({ rate: 0.2 }).apply(hidden)) }));
    }
  }
  const end = layers.add().apply(values.slice(-3).length > 1 ? values.slice(-3) : [values[0]!, values[0]!]);
  const outputs = [dense({ units: 2 }).apply(end), dense({ units: 1, name: 'z' }).apply(values.at(-1)!)];
  const net = model({ inputs, outputs: form === 'list' ? outputs : { b: outputs[0]!, a: outputs[1]! } });
  net.compile({
    optimizer: optimizers.adam({ learningRate: 0.01 }),
    loss: 'mse',
    metrics: form === 'list' ? [['mae'], null] : { a: 'mae' },
    lossWeights: form === 'list' ? [0.5, 2] : { a: 3 },
  });
  return net;
}

const dataOf = (net: Functional) => ({
  x: net.inputs.map((_, i) => tensor(randomArray(4 * kRows, 30 + i), [kRows, 4])),
  y: net.outputPorts.pack(net.outputs.map(({ shape }, i) => randomArray(shape[0]! * kRows, 40 + i))) as never,
});

const numbers = (values: unknown): unknown =>
  values instanceof Object && 'dataSync' in values
    ? [...(values as Tensor).dataSync()]
    : Object.entries(values as object).map(([key, value]) => [key, numbers(value)]);

describe('random graphs', () => {
  test('after JSON: text, names, weights, outputs', () => {
    fc.assert(
      fc.property(plan, (choice) => {
        const net = build(choice);
        const again = modelFromJSON(JSON.stringify(net), { customObjects }) as Functional;
        expect(again).toBeInstanceOf(Functional);
        expect(JSON.stringify(again)).toBe(JSON.stringify(net));
        expect(again.layers.map(({ name }) => name)).toEqual(net.layers.map(({ name }) => name));
        const names = net.parameters.map(({ name }) => name);
        expect(again.parameters.map(({ name }) => name)).toEqual(names);
        expect(new Set(names).size).toBe(names.length);
        again.setWeights(net.getWeights());
        const { x } = dataOf(net);
        expect(numbers(again.apply(x as never))).toEqual(numbers(net.apply(x as never)));
        for (const each of [net, again]) each.dispose();
      }),
      { numRuns: 80 },
    );
  });

  test('from a file: equal continued training', async () => {
    await fc.assert(
      fc.asyncProperty(plan, async (choice) => {
        const net = build(choice);
        const { x, y } = dataOf(net);
        await net.fit(x, y, { batchSize: 8 });
        const path = fresh();
        await net.save(path);
        const again = (await loadModel(path, { customObjects })) as Functional;
        expect(stateOf(again)).toEqual(stateOf(net));
        const runs = [];
        for (const each of [net, again]) {
          seed(4);
          const { history } = await each.fit(x, y, { batchSize: 8, epochs: 2 });
          runs.push([history, stateOf(each), numbers(await each.predict(x)), await each.evaluate(x, y)]);
        }
        expect(runs[1]).toEqual(runs[0]);
        for (const each of [net, again]) each.dispose();
      }),
      { numRuns: 25 },
    );
  });
});

/** Two inputs and outputs, a shared layer, dropout in a model within. */
function whole(from?: number): Functional {
  const choice: Plan = {
    inputs: 2,
    steps: [
      { kind: 'again', from: [0, 0], units: 1 },
      { kind: 'again', from: [1, 0], units: 1 },
      { kind: 'model', from: [2, 2], units: 3 },
      { kind: 'stack', from: [3, 3], units: 3 },
      { kind: 'add', from: [3, 4, 5], units: 1 },
    ],
    form: 'record',
  };
  return build(choice, from);
}

test('a fit is resumed in its middle, with the masks of layers in models within', async () => {
  const { x, y } = dataOf(whole());
  const options = { batchSize: 4, epochs: 3 };
  const alone = whole();
  seed(2);
  const { history } = await alone.fit(x, y, options);
  const path = join(folder, 'step-{step}.safetensors');
  const saved = whole();
  seed(2);
  await saved.fit(x, y, { ...options, callbacks: [callbacks.modelCheckpoint({ path, everySteps: 7 })] });
  const other = whole(9);
  seed(77);
  const resumed = await other.fit(x, y, { ...options, resume: path.replace('{step}', '7') });
  expect(resumed.history).toEqual(history);
  expect(stateOf(other)).toEqual(stateOf(alone));
  const wider = build({ inputs: 2, steps: [{ kind: 'model', from: [0, 0], units: 4 }], form: 'record' });
  await fails('INVALID_ARGUMENT', /of another model/, () => wider.fit(x, y, { resume: path.replace('{step}', '7') }));
});

test('what is trainable, and the weights of losses, are as they were', async () => {
  const net = whole();
  net.getLayer('functional').trainable = false;
  net.compile({
    optimizer: 'sgd',
    loss: { a: 'mse', b: null },
    lossWeights: { a: 0.25 },
    weightedMetrics: { b: ['mae'] },
  });
  const path = fresh();
  await net.save(path);
  const again = (await loadModel(path, { customObjects })) as Functional;
  const inner = again.getLayer('functional') as Functional;
  expect(inner.trainable).toBe(false);
  expect(again.weights.map(({ trainable }) => trainable)).toEqual(net.weights.map(({ trainable }) => trainable));
  const { x, y } = dataOf(net);
  expect(await again.evaluate(x, y)).toEqual(await net.evaluate(x, y));
  expect(Object.keys(await again.evaluate(x, y))).toEqual(['loss', 'b_mae']);
});

describe('weights by name', () => {
  const encoder = () => {
    const x = input({ shape: [4] });
    return model({ inputs: x, outputs: dense({ units: 2 }).apply(dense({ units: 3 }).apply(x)), name: 'encoder' });
  };
  const decoder = () => sequential([dense({ units: 4, inputShape: [2] })], { name: 'decoder' });
  const auto = (e: Functional, d: Model) => {
    const x = input({ shape: [4] });
    return model({ inputs: x, outputs: d.apply(e.apply(x)) });
  };

  test('a model’s names are its own, whether it is a layer or not', async () => {
    const [e, d] = [encoder(), decoder()];
    const net = auto(e, d);
    const [all, part] = [fresh(), fresh()];
    await net.saveWeights(all);
    await e.saveWeights(part);
    const alone = encoder();
    expect(await alone.loadWeights(part)).toEqual({ missing: [], unexpected: [], mismatched: [] });
    expect(numbers(alone.getWeights())).toEqual(numbers(e.getWeights()));
    const other = auto(encoder(), decoder());
    await other.loadWeights(all);
    expect(numbers(other.getWeights())).toEqual(numbers(net.getWeights()));
    // Transfer: those of the encoder into a model that has one.
    const third = auto(encoder(), decoder());
    const report = await third.loadWeights(part, { map: (name) => `encoder/${name}`, strict: false });
    expect(report.missing).toEqual(['decoder/dense/kernel', 'decoder/dense/bias']);
    expect(numbers((third.getLayer('encoder') as Model).getWeights())).toEqual(numbers(e.getWeights()));
    // And out of the whole.
    await alone.loadWeights(all, { map: (name) => (name.startsWith('encoder/') ? name.slice(8) : null) });
    const parameters = optimizers.adam({ groups: [{ match: /^encoder\//, learningRate: 0 }] });
    net.compile({ optimizer: parameters, loss: 'mse' });
    const before = numbers(e.getWeights());
    await net.fit(tensor(randomArray(16, 1), [4, 4]), randomArray(16, 2));
    expect(numbers(e.getWeights())).toEqual(before);
    expect(numbers(net.getWeights().slice(0, 4))).toEqual(before);
  });
});

describe('what a config cannot hold, and configs that are none', () => {
  test('lambdas without a name', async () => {
    const x = input({ shape: [2] });
    const net = model({ inputs: x, outputs: layers.lambda((v: Tensor) => ops.mul(v, 2)).apply(x) });
    await fails('UNSUPPORTED', /Layer "lambda".*no name.*customObjects/s, () => net.save(fresh()));
    const named = model({ inputs: x, outputs: layers.lambda(half).apply(x) });
    throwsAtOnce('UNKNOWN_NAME', /layers\[1\].*"half".*customObjects: \{ half: … \}/s, () =>
      modelFromJSON(JSON.stringify(named)),
    );
    expect(numbers(modelFromJSON(JSON.stringify(named), { customObjects }).apply(tensor([[2, 4]])))).toEqual([1, 2]);
  });

  test('a layer that is shared with a model within', async () => {
    const shared = dense({ units: 4 });
    const inner = input({ shape: [4] });
    const sub = model({ inputs: inner, outputs: shared.apply(inner), name: 'sub' });
    const x = input({ shape: [4] });
    const net = model({ inputs: x, outputs: shared.apply(sub.apply(x)) });
    expect(net.countParams()).toBe(20);
    await fails('UNSUPPORTED', /one layer is "sub\/dense" and "dense"/, () => net.save(fresh()));
  });

  test('malformed graphs', () => {
    const config = () => JSON.parse(JSON.stringify(whole())) as { config: Record<string, never> };
    const broken: [RegExp, (config: never) => void][] = [
      [
        /calls\[0\] must be the call of a layer/,
        ({ calls }: { calls: { layer: string }[] }) => {
          calls[0]!.layer = 'nobody';
        },
      ],
      [
        /calls\[0\].inputs\[0\].*no output 0 of call 3 of a layer "second"/,
        ({ calls }: { calls: { inputs: number[][] }[] }) => {
          calls[0]!.inputs[0]![1] = 3;
        },
      ],
      [
        /calls\[0\].inputs\[0\] must be \[layer, call, output\]/,
        ({ calls }: { calls: { inputs: unknown[] }[] }) => {
          calls[0]!.inputs[0] = 'input';
        },
      ],
      [
        /calls must be a list/,
        (own: { calls: unknown }) => {
          own.calls = 7;
        },
      ],
      [
        /outputs/,
        (own: { outputs: unknown }) => {
          own.outputs = [['first', 0, 9]];
        },
      ],
      [
        /disconnected/,
        (own: { inputs: unknown }) => {
          own.inputs = [['input', 0, 0]];
        },
      ],
      [
        /calls\[0\] must be/,
        ({ calls }: { calls: { training: unknown }[] }) => {
          calls[0]!.training = 'yes';
        },
      ],
    ]; // prettier-ignore
    for (const [message, change] of broken) {
      const made = config();
      change(made.config as never);
      throwsAtOnce('INVALID_ARGUMENT', message, () => modelFromJSON(made, { customObjects }));
    }
  });
});

test('a stack whose models share a layer is refused when it is saved', async () => {
  const shared = dense({ units: 2 });
  const [a, b] = [1, 2].map(() => sequential([layers.input({ shape: [2] }), shared]));
  await fails('UNSUPPORTED', /one layer is .* a config cannot hold a layer that is shared/, () =>
    sequential([a!, b!]).save(join(folder, 'shared.safetensors')),
  );
});
