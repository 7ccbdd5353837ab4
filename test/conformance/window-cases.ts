// Convolutions and pooling: strides, padding, dilation and groups on small images.
import { ops } from 'downhill';
import fc from 'fast-check';
import { build, type Nd, nd, sizeOf } from './nd.js';
import { type Case, type Computed, type Domain, fill, type Problem, seeds } from './problems.js';

/** Zeros before and after, or what says how many. */
type Mode = 'valid' | 'same' | 'explicit';

interface Side {
  size: number;
  kernel: number;
  stride: number;
  dilation: number;
  /** Where the mode is 'explicit'. */
  pads: readonly [number, number];
}

/** TensorFlow's "same": as many outputs as inputs over strides, an odd zero comes last. */
function padsOf({ size, kernel, stride, dilation, pads }: Side, mode: Mode): readonly [number, number] {
  if (mode !== 'same') return mode === 'valid' ? [0, 0] : pads;
  const total = Math.max((Math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

const before = (side: Side, mode: Mode) => padsOf(side, mode)[0];

function outputs(side: Side, mode: Mode): number {
  const [first, last] = padsOf(side, mode);
  return Math.floor((side.size + first + last - (side.kernel - 1) * side.dilation - 1) / side.stride) + 1;
}

/** Whether a window fits into each side. */
const fits = ({ y, x, mode }: Geometry) => outputs(y, mode) > 0 && outputs(x, mode) > 0;

const offsetOf = (shape: readonly number[], index: readonly number[]) =>
  index.reduce((offset, i, axis) => offset * shape[axis]! + i, 0);

interface Geometry {
  y: Side;
  x: Side;
  mode: Mode;
  groups: number;
}

/** Visits every product of a convolution: positions in images, kernel and result. */
function products(
  { y, x, mode, groups }: Geometry,
  [n, , , channels]: readonly number[],
  filters: number,
  visit: (image: number[], kernel: number[], result: number[]) => void,
): void {
  const [height, width] = [outputs(y, mode), outputs(x, mode)];
  const own = channels! / groups;
  for (let image = 0; image < n!; image++)
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++)
        for (let k = 0; k < y.kernel; k++)
          for (let l = 0; l < x.kernel; l++) {
            const row = i * y.stride + k * y.dilation - before(y, mode);
            const column = j * x.stride + l * x.dilation - before(x, mode);
            if (row < 0 || row >= y.size || column < 0 || column >= x.size) continue;
            for (let f = 0; f < filters; f++)
              for (let c = 0; c < own; c++) {
                const channel = Math.floor(f / (filters / groups)) * own + c;
                visit([image, row, column, channel], [k, l, c, f], [image, i, j, f]);
              }
          }
}

const side = (sizes: number[]) =>
  fc.record({
    size: fc.constantFrom(...sizes),
    kernel: fc.constantFrom(1, 2, 3, 5),
    stride: fc.constantFrom(1, 1, 2, 3),
    dilation: fc.constantFrom(1, 1, 2),
    pads: fc.tuple(fc.constantFrom(0, 1, 2, 4), fc.constantFrom(0, 1, 3)),
  });

interface Drawn extends Geometry {
  n: number;
  channels: number;
  filters: number;
  seed: number;
}

const drawn: fc.Arbitrary<Drawn> = fc
  .record({
    y: side([1, 2, 4, 5, 8]),
    x: side([1, 3, 4, 7, 17]),
    mode: fc.constantFrom('valid', 'same', 'explicit'),
    groups: fc.constantFrom(1, 1, 1, 2, 3),
    n: fc.constantFrom(1, 2, 3),
    own: fc.constantFrom(1, 2, 3, 16),
    each: fc.constantFrom(1, 2, 5, 17, 33),
    seed: seeds,
  })
  .map(({ own, each, ...rest }) => ({ ...rest, channels: own * rest.groups, filters: each * rest.groups }))
  .filter((g) => {
    const { y, x, n, channels, filters } = g;
    return fits(g) && n * y.size * x.size * channels * y.kernel * x.kernel * filters <= 20_000;
  });

const options = ({ y, x, mode, groups }: Geometry) => ({
  strides: [y.stride, x.stride] as const,
  dilation: [y.dilation, x.dilation] as const,
  padding: mode === 'explicit' ? ([y.pads, x.pads] as const) : mode,
  groups,
});

function convProblem(g: Drawn): Problem {
  const image = [g.n, g.y.size, g.x.size, g.channels];
  const kernel = [g.y.kernel, g.x.kernel, g.channels / g.groups, g.filters];
  const result = [g.n, outputs(g.y, g.mode), outputs(g.x, g.mode), g.filters];
  return {
    inputs: fill([image, kernel], 'smooth', g.seed),
    call: ([x, w]: Computed[]) => ops.conv2d(x!, w!, options(g)),
    reference: ([x, w]: Nd[]) => {
      const data = new Float64Array(sizeOf(result));
      products(g, image, g.filters, (at, tap, to) => {
        data[offsetOf(result, to)]! += x!.data[offsetOf(image, at)]! * w!.data[offsetOf(kernel, tap)]!;
      });
      return nd(result, data);
    },
  };
}

function transposeProblem(g: Drawn): Problem {
  const image = [g.n, g.y.size, g.x.size, g.channels];
  const kernel = [g.y.kernel, g.x.kernel, g.channels / g.groups, g.filters];
  const result = [g.n, outputs(g.y, g.mode), outputs(g.x, g.mode), g.filters];
  return {
    inputs: fill([result, kernel], 'smooth', g.seed),
    call: ([x, w]: Computed[]) => ops.conv2dTranspose(x!, w!, { ...options(g), size: [g.y.size, g.x.size] }),
    reference: ([y, w]: Nd[]) => {
      const data = new Float64Array(sizeOf(image));
      products(g, image, g.filters, (at, tap, to) => {
        data[offsetOf(image, at)]! += y!.data[offsetOf(result, to)]! * w!.data[offsetOf(kernel, tap)]!;
      });
      return nd(image, data);
    },
  };
}

function pooling(op: 'maxPool2d' | 'averagePool2d', domain: Domain, f: (values: number[]) => number): Case {
  const problems = drawn
    .map((g) => ({ ...g, y: { ...g.y, dilation: 1 }, x: { ...g.x, dilation: 1 } }))
    .filter((g) => {
      const { y, x, n, channels } = g;
      // A window may not lie in the padding alone.
      const reaches = [y, x].every((side) => padsOf(side, g.mode).every((pad) => pad < side.kernel));
      return fits(g) && reaches && n * y.size * x.size * channels <= 300;
    })
    .map((g): Problem => {
      const image = [g.n, g.y.size, g.x.size, g.channels];
      const result = [g.n, outputs(g.y, g.mode), outputs(g.x, g.mode), g.channels];
      const { strides, padding } = options(g);
      return {
        inputs: fill([image], domain, g.seed),
        call: ([x]: Computed[]) => ops[op](x!, { poolSize: [g.y.kernel, g.x.kernel], strides, padding }),
        reference: ([x]: Nd[]) =>
          build(result, ([image_, i, j, c]) => {
            const values: number[] = [];
            for (let k = 0; k < g.y.kernel; k++)
              for (let l = 0; l < g.x.kernel; l++) {
                const row = i! * g.y.stride + k - before(g.y, g.mode);
                const column = j! * g.x.stride + l - before(g.x, g.mode);
                if (row >= 0 && row < g.y.size && column >= 0 && column < g.x.size)
                  values.push(x!.data[offsetOf(image, [image_!, row, column, c!])]!);
              }
            return f(values);
          }),
      };
    });
  return { op, gradient: 'check', problems };
}

export const windowCases: Case[] = [
  { op: 'conv2d', gradient: 'check', problems: drawn.map(convProblem) },
  { op: 'conv2dTranspose', gradient: 'check', problems: drawn.map(transposeProblem) },
  pooling('maxPool2d', 'distinct', (values) => Math.max(...values)),
  pooling('averagePool2d', 'smooth', (values) => values.reduce((sum, value) => sum + value, 0) / values.length),
];
