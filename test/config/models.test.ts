// Models to JSON and back: random models, what they were compiled with, and the user's own classes and functions.
import {
  deserialize,
  initializers,
  layers,
  losses,
  metrics,
  type Model,
  modelFromJSON,
  ops,
  optimizers,
  regularizers,
  Sequential,
  seed,
  sequential,
  type Serialized,
  serialize,
  type SymbolicTensor,
} from 'downhill';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileConfig, compileFromConfig } from '../../lib/config/model.js';
import { withoutInitialValues } from '../../lib/layers/weight.js';
import { throwsAtOnce, quadrants, randomArray } from '../support.js';

const summaryOf = (net: Model): string => {
  let text = '';
  net.summary((part) => {
    text += part;
  });
  return text;
};

const viaText = (net: Model): Model => modelFromJSON(JSON.stringify(net));

const initializer = fc.constantFrom(
  'zeros',
  'glorotUniform',
  initializers.randomNormal({ stddev: 0.2, seed: 5 }),
  initializers.randomUniform({ minval: -1, maxval: 0.3 }),
  initializers.constant({ value: 0.1 }),
);
const regularizer = fc.constantFrom(null, 'l2', regularizers.l1({ l1: 0.01 }), regularizers.l1l2({ l1: 0.1, l2: 0.2 }));
const activation = fc.constantFrom('linear', 'relu', 'tanh', 'softmax', 'leaky_relu', ops.sigmoid);
const name = fc.option(fc.constantFrom('a', 'b', 'NaN', 'Größe/1'), { nil: undefined });

/** A layer that takes any input of rank 2 or more. */
const layer = fc.oneof(
  fc
    .record({
      units: fc.integer({ min: 1, max: 5 }),
      activation,
      useBias: fc.boolean(),
      kernelInitializer: initializer,
      biasInitializer: initializer,
      kernelRegularizer: regularizer,
      biasRegularizer: regularizer,
      trainable: fc.boolean(),
    })
    .map((options) => (rest: object) => layers.dense({ ...options, ...rest })),
  fc.double({ min: 0, max: 1, noNaN: true }).map((rate) => (rest: object) => layers.dropout({ rate, ...rest })),
  activation.map((chosen) => (rest: object) => layers.activation({ activation: chosen, ...rest })),
  fc.constant((rest: object) => layers.flatten(rest)),
  fc.constant((rest: object) => layers.reshape({ targetShape: [1, -1], ...rest })),
);

interface Plan {
  parts: { make: (rest: object) => layers.Layer; name: string | undefined }[];
  start: 'input' | 'inputShape' | 'build' | 'none';
  name: string | undefined;
}

const plan: fc.Arbitrary<Plan> = fc.record({
  parts: fc.array(fc.record({ make: layer, name }), { minLength: 1, maxLength: 6 }),
  start: fc.constantFrom('input', 'inputShape', 'build', 'none'),
  name,
});

const kInput = [2, 3];

function built({ parts, start, name: own }: Plan): Sequential {
  const net = new Sequential(start === 'input' ? [layers.input({ shape: kInput })] : [], own ? { name: own } : {});
  const taken = new Set<string>();
  parts.forEach((part, i) => {
    const rest: Record<string, unknown> = {};
    if (part.name && !taken.has(part.name)) rest.name = part.name;
    if (part.name) taken.add(part.name);
    if (i === 0 && start === 'inputShape') rest.inputShape = kInput;
    net.add(part.make(rest));
  });
  if (start === 'build') net.build(kInput);
  return net;
}

describe('random models', () => {
  test('are equal after JSON: text, names, shapes, summary, outputs and masks', () => {
    fc.assert(
      fc.property(plan, (choice) => {
        const net = built(choice);
        const again = viaText(net);
        expect(JSON.stringify(again)).toBe(JSON.stringify(net));
        expect([again.name, again.built, again.layers.map((part) => part.name)]).toEqual([
          net.name,
          net.built,
          net.layers.map((part) => part.name),
        ]);
        if (!net.built) for (const model of [net, again]) model.build(kInput);
        expect([again.inputShape, again.outputShape, again.inputDtype]).toEqual([
          net.inputShape,
          net.outputShape,
          net.inputDtype,
        ]);
        expect(summaryOf(again)).toBe(summaryOf(net));
        expect(again.parameters.map((parameter) => parameter.name)).toEqual(
          net.parameters.map((parameter) => parameter.name),
        );
        again.setWeights(net.getWeights());
        const x = randomArray(24, 3);
        for (const training of [false, true]) {
          const outputs = [net, again].map((model) => model.apply(batch(x), { training }).dataSync());
          expect(outputs[1]).toEqual(outputs[0]);
        }
        for (const model of [net, again]) model.dispose();
      }),
      { numRuns: 150 },
    );
  });

  test('compiled again, train to the same bits', async () => {
    const optimizer = fc.oneof(
      fc
        .record({ learningRate: fc.double({ min: 0.001, max: 0.1, noNaN: true }), beta1: fc.constantFrom(0.5, 0.9) })
        .map((options) => () => optimizers.adam(options)),
      fc
        .record({
          momentum: fc.constantFrom(0, 0.5),
          preset: fc.constantFrom('keras' as const, 'torch' as const),
          weightDecay: fc.constantFrom(null, 0.01),
          globalClipNorm: fc.constantFrom(null, 0.5),
        })
        .map((options) => () => optimizers.sgd(options)),
    );
    await fc.assert(
      fc.asyncProperty(optimizer, fc.constantFrom(0, 0.1), async (make, labelSmoothing) => {
        const net = sequential([
          layers.dense({ units: 8, activation: 'tanh', inputShape: [2], kernelRegularizer: 'l2' }),
          layers.dropout({ rate: 0.3 }),
          layers.dense({ units: 2, activation: 'softmax' }),
        ]);
        net.compile({
          optimizer: make(),
          loss: losses.categoricalCrossentropy({ labelSmoothing }),
          metrics: ['acc', metrics.categoricalAccuracy({ name: 'right' }), 'mse'],
        });
        const again = viaText(net);
        compileFromConfig(again, JSON.parse(JSON.stringify(compileConfig(net))));
        again.setWeights(net.getWeights());
        const { x, oneHot } = quadrants(50);
        const runs = [];
        for (const model of [net, again]) {
          seed(11);
          const { history } = await model.fit(x, oneHot, { batchSize: 8, epochs: 2, verbose: 0 });
          runs.push({ history, weights: model.getWeights().map((weight) => weight.dataSync()) });
          model.dispose();
        }
        expect(Object.keys(runs[0].history)).toEqual(['loss', 'acc', 'right', 'mse']);
        expect(runs[1]).toEqual(runs[0]);
      }),
      { numRuns: 12 },
    );
  });
});

function batch(x: Float32Array): number[][][] {
  return [0, 1, 2, 3].map((row) => [0, 1].map((i) => [...x.subarray(6 * row + 3 * i, 6 * row + 3 * i + 3)]));
}

describe('the user’s own', () => {
  class Scale extends layers.Layer {
    override readonly type = 'Scale';
    readonly #start: initializers.Initializer;
    readonly by: number;

    constructor(options: layers.LayerOptions & { by: number; start: unknown }) {
      super('scale', options);
      this.by = options.by;
      this.#start = deserialize('initializer', options.start);
    }

    override getConfig() {
      return { ...super.getConfig(), by: this.by, limit: Infinity, list: [NaN, -0], start: serialize(this.#start) };
    }

    protected override declareWeights(): void {
      this.addWeight('factor', [1], this.#start);
    }

    override computeOutputShape(shape: readonly number[]) {
      return [...shape];
    }

    override call(x: never) {
      return ops.mul(ops.mul(x, this.by), this.weights[0].variable) as never;
    }
  }

  const half = (x: layers.Computed) => ops.mul(x, 0.5);
  const cube = (yTrue: SymbolicTensor, yPred: SymbolicTensor) => ops.mean(ops.abs(ops.mul(ops.sub(yPred, yTrue), 2)));
  const heavy = (weights: layers.Computed) => ops.mul(ops.sum(weights), 3) as never;

  const model = () =>
    sequential([
      layers.dense({ units: 3, inputShape: [2], activation: half, kernelRegularizer: heavy }),
      new Scale({ by: 2, start: { className: 'Constant', config: { value: 3 } }, name: 'mine' }),
    ]);

  test('classes and functions come back from customObjects', () => {
    const net = model();
    const json = JSON.stringify(net);
    const again = modelFromJSON(json, { customObjects: { Scale, half, heavy } });
    again.setWeights(net.getWeights());
    expect(JSON.stringify(again)).toBe(json);
    expect(again.layers[1]).toBeInstanceOf(Scale);
    const outputs = [net, again].map((one) => one.apply([[1, 2]]).dataSync());
    expect(outputs[1]).toEqual(outputs[0]);
  });

  test('their configs keep numbers that JSON cannot write', () => {
    let received: Record<string, unknown> = {};
    const build = (config: Record<string, unknown>) => {
      received = config;
      return new Scale(config as never);
    };
    modelFromJSON(JSON.stringify(model()), { customObjects: { Scale: build, half, heavy } });
    expect(received).toMatchObject({ limit: Infinity, list: [NaN, -0] });
    expect(Object.is((received.list as number[])[1], -0)).toBe(true);
  });

  test('what is missing is named, with its place and the remedy', () => {
    const json = JSON.stringify(model());
    throwsAtOnce('UNKNOWN_NAME', /model\.config\.layers\[0\].config.activation.*"half".*customObjects: \{ half/, () =>
      modelFromJSON(json, { customObjects: { Scale, heavy } }),
    );
    throwsAtOnce(
      'UNKNOWN_NAME',
      /^model\.config\.layers\[1\]\.className: unknown layer "Scale".*customObjects: \{ Scale/,
      () => modelFromJSON(json, { customObjects: { half, heavy } }),
    );
    throwsAtOnce('INVALID_ARGUMENT', /must make a layer; it made an object/, () =>
      modelFromJSON(json, { customObjects: { Scale: () => ({}), half, heavy } }),
    );
  });

  test('a class named like one of the library is not taken for it', () => {
    const mine = { Dense: class Dense extends layers.Dropout {} };
    const json = JSON.stringify(sequential([new mine.Dense({ rate: 0.5, seed: 1 })]));
    throwsAtOnce('UNKNOWN_NAME', /unknown layer "Dense".*customObjects/, () => modelFromJSON(json));
    expect(modelFromJSON(json, { customObjects: mine }).layers[0]).toBeInstanceOf(mine.Dense);
  });

  test('a subclass of a library class has its nested options', () => {
    class Wide extends layers.Dense {}
    class Net extends Sequential {}
    const net = new Net([
      new Wide({ units: 2, inputShape: [3], kernelInitializer: initializers.ones(), activation: half }),
    ]);
    const again = modelFromJSON(JSON.stringify(net), { customObjects: { Wide, Net, half } });
    expect(again).toBeInstanceOf(Net);
    expect(JSON.stringify(again)).toBe(JSON.stringify(net));
    expect(again.getWeights()[0].dataSync()).toEqual(new Float32Array(6).fill(1));
  });

  test('losses and metrics keep the names that logs use', async () => {
    const net = sequential([layers.dense({ units: 1, inputShape: [2] })]);
    net.compile({
      optimizer: 'sgd',
      loss: cube,
      metrics: [cube, ops.sub as never, ((t: SymbolicTensor, p: SymbolicTensor) => ops.sub(t, p)) as never],
    });
    const config = JSON.parse(JSON.stringify(compileConfig(net)));
    expect(config.loss).toEqual({ className: 'Function', config: { name: 'cube' } });
    const again = viaText(net);
    throwsAtOnce('UNKNOWN_NAME', /^compile\.loss\.config\.name: .*"cube".*Given was "cubes"/, () =>
      compileFromConfig(again, config, { cubes: cube }),
    );
    const other = (...args: [SymbolicTensor, SymbolicTensor]) => cube(...args);
    compileFromConfig(again, config, { cube: other, metric: ops.sub });
    expect(config.metrics.map((metric: Serialized) => metric.config.name)).toEqual(['cube', 'sub', 'metric']);
    expect(compileConfig(again)).toEqual(config);
    again.setWeights(net.getWeights());
    const logs = [];
    for (const one of [net, again]) logs.push(await one.evaluate([[1, 2]], [[3]]));
    expect(Object.keys(logs[0])).toEqual(['loss', 'cube', 'metric', 'metric_1']);
    expect(logs[1]).toEqual(logs[0]);
  });
});

test('without initial values, weights take neither draws nor memory until they are placed', () => {
  const json = JSON.parse(JSON.stringify(sequential([layers.dense({ units: 2, inputShape: [3] })])));
  const huge = structuredClone(json);
  huge.config.layers[0].config.units = 2 ** 40;
  const large = withoutInitialValues(() => modelFromJSON(huge));
  expect(large.layers[0].weights.map(({ shape }) => shape)).toEqual([[3, 2 ** 40], [2 ** 40]]);
  const next = () => initializers.glorotUniform().sample([4]).dataSync();
  seed(5);
  const expected = next();
  seed(5);
  const net = withoutInitialValues(() => modelFromJSON(json));
  expect(next()).toEqual(expected);
  expect(net.getWeights().flatMap((weight) => [...weight.dataSync()])).toEqual(new Array(8).fill(0));
  expect(modelFromJSON(json).getWeights()[0].dataSync()).not.toEqual(new Float32Array(6));
});

test('a leading layers.input keeps its dtype and name, also alone', () => {
  for (const rest of [[], [layers.flatten(), layers.dropout({ rate: 0 })]]) {
    const net = sequential([layers.input({ shape: [2, 3], dtype: 'int32', name: 'tokens' }), ...rest]);
    const again = viaText(net);
    expect(again.inputDtype).toBe('int32');
    expect(again.built).toBe(rest.length > 0);
    expect(JSON.stringify(again)).toBe(JSON.stringify(net));
    expect(net.toJSON().config.layers).toHaveLength(1 + rest.length);
  }
});

test('toJSON holds no device, no weights and nothing of compile', () => {
  const net = sequential([layers.dense({ units: 2, inputShape: [3] })], { name: 'tiny' });
  expect(Object.keys(net.toJSON().config)).toEqual(['name', 'precision', 'layers', 'inputShape']);
  expect(compileConfig(net)).toBeNull();
});
