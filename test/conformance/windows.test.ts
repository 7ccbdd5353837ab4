// Convolutions and pooling of sizes that are cut into blocks and chunks: near a reference in double on every device and instruction set, on
// the CPU the same bits at 1, 2 and 3 threads. Then ties, NaN, and errors.
import { compile, grad, ops, setThreads, type Tensor, tensor } from 'downhill';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { throwsAtOnce } from '../support.js';
import { goHome, goTo, isEmulated, places } from '../support-devices.js';
import { expectNear } from './compare.js';
import { type Nd, nd, sizeOf } from './nd.js';
import { fill, float32 } from './problems.js';

interface Large {
  title: string;
  image: [n: number, height: number, width: number, channels: number];
  kernel: [height: number, width: number, filters: number];
  strides: [number, number];
  dilation: [number, number];
  groups: number;
  emulated?: boolean;
}

const plain = { strides: [1, 1] as [number, number], dilation: [1, 1] as [number, number], groups: 1 };
const large: Large[] = [
  { ...plain, title: 'many small images', image: [40, 7, 8, 5], kernel: [3, 3, 36], emulated: true },
  { ...plain, title: 'one image of many rows', image: [1, 70, 50, 16], kernel: [3, 3, 20] },
  {
    ...plain,
    title: 'strides and dilation',
    image: [3, 40, 41, 3],
    kernel: [5, 4, 33],
    strides: [2, 3],
    dilation: [1, 2],
  },
  { ...plain, title: 'groups', image: [18, 9, 9, 12], kernel: [3, 3, 70], groups: 2 },
  { ...plain, title: 'depthwise', image: [18, 9, 13, 24], kernel: [3, 3, 48], groups: 24, strides: [2, 1] },
  { ...plain, title: 'one pixel', image: [18, 9, 9, 20], kernel: [1, 1, 36] },
  { ...plain, title: 'wide kernels of few filters', image: [2, 8, 9, 40], kernel: [7, 7, 70] },
];

/** y, d_x and d_w of Σ f · y with padding "same", in double. */
function reference({ image, kernel, strides, dilation, groups }: Large, x: Nd, w: Nd, f: Nd): [Nd, Nd, Nd] {
  const [n, height, width, channels] = image;
  const [tall, wide, filters] = kernel;
  const [sy, sx] = strides;
  const [dy, dx] = dilation;
  const [rows, columns] = [Math.ceil(height / sy), Math.ceil(width / sx)];
  const top = Math.max((rows - 1) * sy + (tall - 1) * dy + 1 - height, 0) >> 1;
  const left = Math.max((columns - 1) * sx + (wide - 1) * dx + 1 - width, 0) >> 1;
  const [own, each] = [channels / groups, filters / groups];
  const y = new Float64Array(n * rows * columns * filters);
  const [ofX, ofW] = [new Float64Array(x.data.length), new Float64Array(w.data.length)];
  for (let i = 0; i < n * rows * columns; i++) {
    const [image_, row, column] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
    for (let k = 0; k < tall; k++)
      for (let l = 0; l < wide; l++) {
        const [r, c] = [row * sy + k * dy - top, column * sx + l * dx - left];
        if (r < 0 || r >= height || c < 0 || c >= width) continue;
        const pixel = ((image_ * height + r) * width + c) * channels;
        for (let channel = 0; channel < own; channel++)
          for (let filter = 0; filter < filters; filter++) {
            const at = pixel + Math.floor(filter / each) * own + channel;
            const tap = ((k * wide + l) * own + channel) * filters + filter;
            const to = i * filters + filter;
            y[to]! += x.data[at]! * w.data[tap]!;
            ofX[at]! += f.data[to]! * w.data[tap]!;
            ofW[tap]! += f.data[to]! * x.data[at]!;
          }
      }
  }
  return [nd([n, rows, columns, filters], y), nd(x.shape, ofX), nd(w.shape, ofW)];
}

const prepared = new Map<string, { inputs: Nd[]; factors: Nd; expected: [Nd, Nd, Nd] }>();
function prepare(one: Large) {
  const found = prepared.get(one.title);
  if (found) return found;
  const [n, height, width, channels] = one.image;
  const [tall, wide, filters] = one.kernel;
  const result = [n, Math.ceil(height / one.strides[0]), Math.ceil(width / one.strides[1]), filters];
  const [x, w, f] = fill([one.image, [tall, wide, channels / one.groups, filters], result], 'smooth', 9) as [
    Nd,
    Nd,
    Nd,
  ];
  const made = { inputs: [x, w], factors: f, expected: reference(one, x, w, f) };
  prepared.set(one.title, made);
  return made;
}

const pools = [
  { title: 'many images', shape: [20, 9, 11, 33] },
  { title: 'few images of many channels', shape: [2, 13, 9, 150] },
];

describe.each(places)('large images on $title', (place) => {
  beforeAll(() => goTo(place));
  afterAll(goHome);
  const few = <T extends { emulated?: boolean }>(all: T[]) =>
    isEmulated(place.device) ? all.filter(({ emulated }) => emulated) : all;

  /** The bits at every number of threads; those of the last. */
  async function atAllThreads(body: () => Promise<Tensor[]>): Promise<Nd[]> {
    let first: Nd[] | undefined;
    for (const count of place.threads) {
      setThreads(count);
      const found: Nd[] = [];
      for (const value of await body()) found.push(nd(value.shape, await value.data()));
      first ??= found;
      expect(found, `${count} threads`).toEqual(first);
    }
    return first!;
  }

  it.each(few(large))('$title', async (one) => {
    const { inputs, factors, expected } = prepare(one);
    const { strides, dilation, groups } = one;
    const [x, w] = inputs.map(float32) as [Tensor, Tensor];
    const f = float32(factors);
    const convolve = (a: Parameters<typeof ops.conv2d>[0], b: Parameters<typeof ops.conv2d>[1]) =>
      ops.conv2d(a as Tensor, b as Tensor, { strides, dilation, groups, padding: 'same' });
    const gradient = grad((a, b) => ops.sum(ops.mul(convolve(a, b), f)), [0, 1]);
    const found = await atAllThreads(async () => [convolve(x, w), ...(await gradient(x, w))]);
    for (const [i, name] of ['y', 'd_x', 'd_w'].entries()) {
      const scale = expected[i]!.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expectNear(name, found[i]!, expected[i]!, { relative: 1e-5, absolute: 2e-6 * scale });
    }
  });

  it.each(isEmulated(place.device) ? [] : pools)('pools of $title', async ({ shape }) => {
    const [x] = fill([shape], 'smooth', 4) as [Nd];
    const options = { poolSize: 3, strides: 2, padding: 'same' } as const;
    const results = await atAllThreads(async () => {
      const value = float32(x);
      const sum = (pool: typeof ops.maxPool2d) => grad((v) => ops.sum(ops.square(pool(v as never, options))))(value);
      return [
        ops.maxPool2d(value, options),
        ops.averagePool2d(value, options),
        await sum(ops.maxPool2d),
        await sum(ops.averagePool2d),
      ];
    });
    const [n, height, width, channels] = shape as [number, number, number, number];
    const [rows, columns] = [Math.ceil(height / 2), Math.ceil(width / 2)];
    const [top, left] = [(rows * 2 + 1 - height) >> 1, (columns * 2 + 1 - width) >> 1];
    const most = nd([n, rows, columns, channels], new Float64Array(n * rows * columns * channels));
    const mean = nd(most.shape, most.data);
    const [ofMost, ofMean] = [new Float64Array(x.data.length), new Float64Array(x.data.length)];
    for (let i = 0; i < most.data.length; i++) {
      const [channel, column] = [i % channels, Math.floor(i / channels) % columns];
      const [row, image] = [Math.floor(i / channels / columns) % rows, Math.floor(i / channels / columns / rows)];
      const window: number[] = [];
      for (let r = Math.max(row * 2 - top, 0); r < Math.min(row * 2 - top + 3, height); r++)
        for (let c = Math.max(column * 2 - left, 0); c < Math.min(column * 2 - left + 3, width); c++)
          window.push(((image * height + r) * width + c) * channels + channel);
      const best = window.reduce((a, b) => (x.data[b]! > x.data[a]! ? b : a));
      most.data[i] = x.data[best]!;
      mean.data[i] = window.reduce((sum, at) => sum + x.data[at]!, 0) / window.length;
      ofMost[best]! += 2 * most.data[i]!;
      for (const at of window) ofMean[at]! += (2 * mean.data[i]!) / window.length;
    }
    [most, mean, nd(shape, ofMost), nd(shape, ofMean)].forEach((expected, i) => {
      expectNear(`result ${i}`, results[i]!, expected, { relative: 1e-5, absolute: 1e-5 });
    });
  });

  test('a convolution, its bias and its activation are one step', async () => {
    const [x, w, b] = fill([[2, 5, 6, 3], [3, 3, 3, 7], [7]], 'smooth', 3).map(float32) as [Tensor, Tensor, Tensor];
    const fused = compile((a: Tensor, k: Tensor, c: Tensor) => ops.tanh(ops.add(ops.conv2d(a, k), c)));
    const sums = ops.conv2d(x, w);
    const y = await fused(x, w, b);
    expectNear('fused', nd(y.shape, await y.data()), nd(y.shape, await ops.tanh(ops.add(sums, b)).data()), {
      absolute: 1e-6,
      relative: 0,
    });
  });

  test('the largest of a window: the first of equal ones, NaN above all', async () => {
    const x = tensor([1, 5, 5, 2, Number.NaN, 3, -Infinity, -Infinity], [1, 1, 8, 1]);
    const options = { poolSize: [1, 2] } as const;
    expect([...(await ops.maxPool2d(x, options).data())]).toEqual([5, 5, Number.NaN, -Infinity]);
    const slope = await grad((v: Tensor) =>
      ops.sum(ops.mul(ops.maxPool2d(v, options), tensor([1, 2, 3, 4], [1, 1, 4, 1]))),
    )(x);
    expect([...(await slope.data())]).toEqual([0, 1, 2, 0, 3, 0, 4, 0]);
  });

  test('relu and bias behind a pool: the gradient is masked and summed before it is spread', async () => {
    const [x, b, f] = fill([[3, 7, 8, 5], [5], [3, 4, 4, 5]], 'smooth', 6).map(float32) as [Tensor, Tensor, Tensor];
    const slopes = async (activation: (v: Tensor) => Tensor) => {
      const loss = (v: Tensor, c: Tensor) => {
        const y = activation(ops.sub(ops.add(v, c), 0.5));
        return ops.sum(ops.mul(ops.maxPool2d(y, { poolSize: 3, strides: 2, padding: 'same' }), f));
      };
      return Promise.all([grad((v: Tensor) => loss(v, b))(x), grad((c: Tensor) => loss(x, c))(b)]);
    };
    const [ofX, ofB] = await slopes(ops.relu);
    const [expectedX, expectedB] = await slopes((v) => ops.maximum(v, 0)); // which is not known to be a relu
    for (const [got, expected] of [
      [ofX, expectedX],
      [ofB, expectedB],
    ] as const) {
      const values = await expected.data();
      expect(values.some((value) => value !== 0)).toBe(true);
      expectNear('slope', nd(got.shape, await got.data()), nd(expected.shape, values), {
        relative: 1e-5,
        absolute: 1e-5,
      });
    }
  });

  test('empty batches, and sums of no channels', async () => {
    const kernel = tensor(new Float32Array(18), [3, 3, 1, 2]);
    expect(ops.conv2d(tensor(new Float32Array(0), [0, 4, 4, 1]), kernel).shape).toEqual([0, 2, 2, 2]);
    expect(ops.maxPool2d(tensor(new Float32Array(0), [0, 4, 4, 1])).shape).toEqual([0, 2, 2, 1]);
    const none = ops.conv2d(tensor(new Float32Array(0), [1, 2, 2, 0]), tensor(new Float32Array(0), [1, 1, 0, 2]));
    expect([...(await none.data())]).toEqual(new Array(8).fill(0));
  });
});

test('a convolution that does not fit', () => {
  const image = tensor(new Float32Array(2 * 4 * 5 * 6), [2, 4, 5, 6]);
  const kernel = (...shape: number[]) => tensor(new Float32Array(sizeOf(shape)), shape);
  throwsAtOnce('SHAPE_MISMATCH', /channels.*\[2, 4, 5, 6\] and \[3, 3, 5, 2\]/, () =>
    ops.conv2d(image, kernel(3, 3, 5, 2)),
  );
  throwsAtOnce('SHAPE_MISMATCH', /window of 5 does not fit into the height of 4/, () =>
    ops.conv2d(image, kernel(5, 3, 6, 2)),
  );
  throwsAtOnce('SHAPE_MISMATCH', /window of 7 \(dilated\).*width of 5/, () =>
    ops.conv2d(image, kernel(1, 3, 6, 2), { dilation: 3 }),
  );
  throwsAtOnce('SHAPE_MISMATCH', /multiple of the 3 groups/, () =>
    ops.conv2d(image, kernel(3, 3, 2, 4), { groups: 3 }),
  );
  throwsAtOnce('SHAPE_MISMATCH', /expected x \[n, height, width, channels\]/, () =>
    ops.conv2d(kernel(3, 3, 6), kernel(3, 3, 6, 2)),
  );
  throwsAtOnce('INVALID_ARGUMENT', /padding must be "valid"/, () =>
    ops.conv2d(image, kernel(3, 3, 6, 2), { padding: 'full' as 'same' }),
  );
  throwsAtOnce('OUT_OF_RANGE', /strides/, () => ops.conv2d(image, kernel(3, 3, 6, 2), { strides: 0 }));
  throwsAtOnce('INVALID_ARGUMENT', /strides must be an integer, or two/, () =>
    ops.conv2d(image, kernel(3, 3, 6, 2), { strides: [1, 2, 3] as never }),
  );
  throwsAtOnce('UNKNOWN_OPTION', /dilation/, () => ops.conv2d(image, kernel(3, 3, 6, 2), { dilatation: 2 } as never));
  throwsAtOnce('SHAPE_MISMATCH', /images of \[9, 9\] would give \[7, 7\]/, () =>
    ops.conv2dTranspose(image, kernel(3, 3, 2, 6), { size: 9 }),
  );
  throwsAtOnce('SHAPE_MISMATCH', /window of 6 does not fit/, () => ops.maxPool2d(image, { poolSize: 6 }));
  throwsAtOnce('INVALID_ARGUMENT', /padding must be smaller than the pool/, () =>
    ops.averagePool2d(image, {
      padding: [
        [2, 0],
        [0, 0],
      ],
    }),
  );
});

test('sizes beyond all images are errors, and large strides cost nothing', async () => {
  const zeros = (...shape: number[]) => tensor(new Float32Array(sizeOf(shape)), shape);
  const pads: [[number, number], [number, number]] = [
    [1, 1],
    [1, 1],
  ];
  throwsAtOnce('SHAPE_MISMATCH', /nothing to pool/, () =>
    ops.maxPool2d(zeros(2, 0, 4, 3), { poolSize: 2, strides: 1, padding: pads }),
  );
  throwsAtOnce('INVALID_ARGUMENT', /poolSize \[100000, 100000\] has more than 2\^28 pixels/, () =>
    ops.maxPool2d(zeros(1, 4, 4, 1), { poolSize: 100_000, strides: 1, padding: 'same' }),
  );
  throwsAtOnce('INVALID_ARGUMENT', /padding included, are larger than 2\^28 pixels/, () =>
    ops.conv2d(zeros(1, 8, 8, 4), zeros(3, 3, 4, 4), { dilation: 100_000, padding: 'same' }),
  );
  throwsAtOnce('INVALID_ARGUMENT', /strides must be two integers from 1 to 2\^28; received \[1000000000, 1\]/, () =>
    ops.conv2d(zeros(1, 4, 4, 1), zeros(2, 2, 1, 1), { strides: [1e9, 1] }),
  );
  const ones = (...shape: number[]) => tensor(new Float32Array(sizeOf(shape)).fill(1), shape);
  const spread = ops.conv2dTranspose(ones(1, 1, 1, 1), ones(1, 1, 1, 1), { size: [3, 2], strides: 100_000 });
  expect([...(await spread.data())]).toEqual([1, 0, 0, 0, 0, 0]);
});
