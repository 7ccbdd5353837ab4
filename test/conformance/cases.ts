// One case or more for every row of the op table.
import { ops, type Tensor } from 'downhill';
import fc from 'fast-check';
import { attentionCases } from './attention-cases.js';
import * as formulas from './formulas.js';
import { alongAxis, at, build, indicesOf, map, matmul, type Nd, reduce, sizeOf, swapLast, transpose } from './nd.js';
import { normalizationCases } from './normalization-cases.js';
import {
  broadcastable,
  byName,
  type Case,
  type Computed,
  type Domain,
  fill,
  floats,
  int32,
  ints,
  type Problem,
  seeds,
  shapes,
} from './problems.js';
import { recurrentCases } from './recurrent-cases.js';
import { sparseMatmulCase } from './sparse-cases.js';
import { windowCases } from './window-cases.js';

const one = (minRank = 0, options?: Parameters<typeof shapes>[1]) => shapes(minRank, options).map((shape) => [shape]);
/** Small enough for values that are all 0.05 apart. */
const few = { most: 120 };

// ---- elementwise ----------------------------------------------------------------------------------------------------

const domains: Record<string, Domain> = {
  log: 'positive',
  sqrt: 'positive',
  rsqrt: 'positive',
  abs: 'distinct',
  sign: 'distinct',
  relu: 'distinct',
  selu: 'distinct',
  maximum: 'distinct',
  minimum: 'distinct',
  div: 'positive',
  pow: 'positive',
};

const unaryCases: Case[] = Object.entries(formulas.unary).map(([op, formula]) => ({
  op,
  gradient: op === 'sign' ? 'zero' : 'check',
  problems: floats(
    one(0, domains[op] === 'distinct' ? few : undefined),
    domains[op] ?? 'smooth',
    ([x]) => byName[op]!(x),
    (x) => map(formula, x),
  ),
}));

const comparisons = ['equal', 'notEqual', 'less', 'lessEqual', 'greater', 'greaterEqual'];

const binaryCases: Case[] = Object.entries(formulas.binary).map(([op, formula]) => ({
  op,
  gradient: comparisons.includes(op) ? 'none' : 'check',
  problems: floats(
    broadcastable(2, domains[op] === 'distinct' ? few : undefined),
    domains[op] ?? 'smooth',
    ([a, b]) => byName[op]!(a, b),
    (a, b) => map(formula, a, b),
  ),
}));

/** int32 forms of what takes either dtype. */
const intCases: Case[] = [
  ...['neg', 'abs', 'sign', 'square', 'relu'].map((op) => ({
    op,
    problems: ints(
      one(),
      ([x]) => byName[op]!(x),
      (x) => map(formulas.unary[op]!, x),
    ),
  })),
  ...['add', 'sub', 'mul', 'maximum', 'minimum', ...comparisons].map((op) => ({
    op,
    problems: ints(
      broadcastable(2),
      ([a, b]) => byName[op]!(a, b),
      (a, b) => map(formulas.binary[op]!, a, b),
    ),
  })),
  {
    op: 'clip',
    problems: ints(
      one(),
      ([x]) => ops.clip(x!, -7, 20),
      (x) => map(formulas.clip(-7, 20), x),
    ),
  },
  {
    op: 'where',
    problems: ints(
      broadcastable(3),
      ([c, a, b]) => ops.where(c!, a!, b!),
      (c, a, b) => map((k, p, q) => (k ? p : q), c, a, b),
    ),
  },
  ...['sum', 'max', 'min'].map((op) => ({
    op,
    problems: ints(
      one(0, { empty: false }),
      ([x]) => byName[op]!(x),
      (x) => reduce(x, undefined, false, formulas.reductions[op]!),
    ),
  })),
  {
    op: 'transpose',
    problems: ints(
      one(),
      ([x]) => ops.transpose(x!),
      (x) => transpose(x),
    ),
  },
  {
    op: 'cast',
    problems: ints(
      one(),
      ([x]) => ops.cast(x!, 'float32'),
      (x) => x,
    ),
  },
].map((item) => ({ ...item, variant: 'int32', gradient: 'none', exact: true }) as Case);

/** A unary op with one attribute from a few values. */
function attributed<T>(
  op: string,
  values: readonly T[],
  call: (x: Computed, a: T) => Computed,
  formula: (a: T) => (x: number) => number,
  domain: Domain,
): Case {
  return {
    op,
    gradient: 'check',
    problems: fc.tuple(shapes(0, few), seeds, fc.nat(values.length - 1)).map(([shape, seed, i]) => ({
      inputs: fill([shape], domain, seed),
      call: ([x]: Computed[]) => call(x!, values[i]!),
      reference: ([x]: Nd[]) => map(formula(values[i]!), x!),
    })),
  };
}

const attributedCases: Case[] = [
  attributed('leakyRelu', [0.2, 0.01, 0], (x, alpha) => ops.leakyRelu(x, { alpha }), formulas.leakyRelu, 'distinct'),
  attributed('elu', [1, 0.5, 1.7], (x, alpha) => ops.elu(x, { alpha }), formulas.elu, 'distinct'),
  attributed('gelu', [false, true], (x, approximate) => ops.gelu(x, { approximate }), formulas.gelu, 'smooth'),
  attributed(
    'clip',
    [[-0.5, 0.75] as const, [-Infinity, 0.25] as const, [-1, Infinity] as const],
    (x, [low, high]) => ops.clip(x, low, high),
    ([low, high]) => formulas.clip(low, high),
    'distinct',
  ),
];

const whereCase: Case = {
  op: 'where',
  gradient: 'check',
  problems: fc.tuple(broadcastable(3), seeds).map(([[c, a, b], seed]) => {
    const condition = map((x) => Number(x > 0), fill([c!], 'integer', seed)[0]!);
    return {
      inputs: fill([a!, b!], 'smooth', seed + 1),
      call: ([x, y]: Computed[]) => ops.where(int32(condition), x!, y!),
      reference: ([x, y]: Nd[]) => map((k, p, q) => (k ? p : q), condition, x!, y!),
    };
  }),
};

// ---- reductions -----------------------------------------------------------------------------------------------------

/** Axes of a shape by number: all (undefined), one, or several, some counted from the end. */
function axesOf(rank: number, choice: number): number[] | undefined {
  if (rank === 0 || choice % 4 === 0) return undefined;
  const axes = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => (choice >> (axis + 2)) & 1);
  if (axes.length === 0) axes.push(choice % rank);
  return choice & 2 ? axes.map((axis) => axis - rank) : axes;
}

const reductionCases: Case[] = Object.entries(formulas.reductions).map(([op, formula]) => ({
  op,
  gradient: 'check',
  problems: fc
    .tuple(
      shapes(0, { empty: op === 'sum', ...(op === 'max' || op === 'min' ? few : {}) }),
      seeds,
      fc.nat(63),
      fc.boolean(),
    )
    .map(([shape, seed, choice, keepDims]) => {
      const axes = axesOf(shape.length, choice);
      const domain = op === 'max' || op === 'min' ? 'distinct' : op === 'norm' ? 'positive' : 'smooth';
      return {
        inputs: fill([shape], domain, seed),
        call: ([x]: Computed[]) => byName[op]!(x, axes?.length === 1 ? axes[0] : axes, { keepDims }),
        reference: ([x]: Nd[]) => reduce(x!, axes, keepDims, formula),
      };
    }),
}));

const argmaxCase: Case = {
  op: 'argmax',
  gradient: 'none',
  exact: true,
  problems: fc
    .tuple(shapes(1, { empty: false }), seeds, fc.nat(7), fc.boolean())
    .map(([shape, seed, choice, keepDims]) => {
      const axis = choice === 0 ? undefined : (choice % shape.length) - (choice & 1 ? shape.length : 0);
      return {
        // Few different values, so that there are ties.
        inputs: fill([shape], 'integer', seed).map((x) => map((value) => value % 3, x)),
        call: ([x]: Computed[]) => ops.argmax(x!, axis, { keepDims }),
        reference: ([x]: Nd[]) =>
          reduce(x!, axis === undefined ? undefined : [axis], keepDims, (values) =>
            values.indexOf(Math.max(...values)),
          ),
      };
    }),
};

// ---- matrix products and rows ---------------------------------------------------------------------------------------

const dim = fc.constantFrom(1, 2, 3, 5, 8, 17, 33);

const matmulCase: Case = {
  op: 'matmul',
  gradient: 'check',
  problems: fc
    .tuple(
      dim,
      fc.oneof(dim, fc.constant(70)), // long enough for dot products on every instruction set
      dim,
      fc.boolean(),
      fc.boolean(),
      broadcastable(2, { most: 6, maxRank: 2, empty: false }),
      seeds,
      fc.boolean(),
    )
    .map(([m, k, n, transposeA, transposeB, [batchA, batchB], seed, flat]) => {
      const a = [...(flat ? [] : batchA!), ...(transposeA ? [k, m] : [m, k])];
      const b = [...(flat ? [] : batchB!), ...(transposeB ? [n, k] : [k, n])];
      return {
        inputs: fill([a, b], 'smooth', seed),
        call: ([x, y]: Computed[]) => ops.matmul(x!, y!, { transposeA, transposeB }),
        reference: ([x, y]: Nd[]) => matmul(transposeA ? swapLast(x!) : x!, transposeB ? swapLast(y!) : y!),
      };
    }),
};

function rowCase(op: 'softmax' | 'logSoftmax', formula: (row: readonly number[]) => number[]): Case {
  return {
    op,
    gradient: 'check',
    problems: fc.tuple(shapes(1, { most: 400 }), seeds, fc.nat(7)).map(([shape, seed, choice]) => {
      const axis = choice < 3 ? undefined : (choice % shape.length) - (choice & 1 ? shape.length : 0);
      return {
        inputs: fill([shape], 'smooth', seed),
        call: ([x]: Computed[]) => ops[op](x!, axis),
        reference: ([x]: Nd[]) => alongAxis(x!, axis ?? -1, formula),
      };
    }),
  };
}

const logSumExpCase: Case = {
  op: 'logSumExp',
  gradient: 'check',
  problems: fc
    .tuple(shapes(1, { empty: false, most: 400 }), seeds, fc.nat(7), fc.boolean())
    .map(([shape, seed, choice, keepDims]) => {
      const axis = choice < 3 ? undefined : (choice % shape.length) - (choice & 1 ? shape.length : 0);
      return {
        inputs: fill([shape], 'smooth', seed),
        call: ([x]: Computed[]) => ops.logSumExp(x!, axis, { keepDims }),
        reference: ([x]: Nd[]) => reduce(x!, [axis ?? -1], keepDims, formulas.logSumExp),
      };
    }),
};

/** Σ over the last axis of −t · f(row). */
const crossEntropy = (x: Nd, t: Nd, f: (row: readonly number[]) => number[]) =>
  reduce(
    map((p, q) => -p * q, alongAxis(x, -1, f), t),
    [-1],
    false,
    (values) => values.reduce((a, b) => a + b, 0),
  );

const normalisedLog = (row: readonly number[]) => {
  const total = row.reduce((a, b) => a + b, 0);
  return row.map((p) => Math.log(formulas.clip(1e-7, 1 - 1e-7)(p / total)));
};

const classes = shapes(1, { empty: false, most: 400 });

/** A case of (predictions [..., c], targets of the same shape). */
function denseTargets(
  op: 'softmaxCrossEntropy' | 'categoricalCrossEntropy',
  domain: Domain,
  f: (row: readonly number[]) => number[],
): Case {
  return {
    op,
    gradient: 'check',
    problems: fc.tuple(classes, seeds).map(([shape, seed]) => ({
      inputs: [fill([shape], domain, seed)[0]!, fill([shape], 'unit', seed + 1)[0]!],
      call: ([x, t]: Computed[]) => ops[op](x!, t!),
      reference: ([x, t]: Nd[]) => crossEntropy(x!, t!, f),
    })),
  };
}

/** A case of (predictions [..., c], labels [...]). */
function labelTargets(
  op: 'sparseSoftmaxCrossEntropy' | 'sparseCategoricalCrossEntropy',
  domain: Domain,
  f: (row: readonly number[]) => number[],
): Case {
  return {
    op,
    gradient: 'check',
    problems: fc.tuple(classes, seeds).map(([shape, seed]) => {
      const count = shape.at(-1)!;
      const labels = map((x) => Math.abs(x) % count, fill([shape.slice(0, -1)], 'integer', seed)[0]!);
      const hot = build(shape, (index) => Number(at(labels, index.slice(0, -1)) === index.at(-1)));
      return {
        inputs: fill([shape], domain, seed + 1),
        call: ([x]: Computed[]) => ops[op](x!, int32(labels)),
        reference: ([x]: Nd[]) => crossEntropy(x!, hot, f),
      };
    }),
  };
}

const behindActivations: Case[] = [
  {
    op: 'categoricalCrossEntropy',
    variant: 'after softmax',
    gradient: 'check',
    problems: fc.tuple(classes, seeds).map(([shape, seed]) => ({
      inputs: [fill([shape], 'smooth', seed)[0]!, fill([shape], 'unit', seed + 1)[0]!],
      call: ([x, t]: Computed[]) => ops.categoricalCrossEntropy(ops.softmax(x!), t!),
      reference: ([x, t]: Nd[]) => crossEntropy(x!, t!, formulas.logSoftmax),
    })),
  },
  {
    op: 'binaryCrossEntropy',
    variant: 'after sigmoid',
    gradient: 'check',
    problems: fc.tuple(shapes(), seeds).map(([shape, seed]) => ({
      inputs: [fill([shape], 'smooth', seed)[0]!, fill([shape], 'unit', seed + 1)[0]!],
      call: ([x, t]: Computed[]) => ops.binaryCrossEntropy(ops.sigmoid(x!), t!),
      reference: ([x, t]: Nd[]) => map((z, q) => formulas.unary.softplus!(z) - q * z, x!, t!),
    })),
  },
];

const lossCases: Case[] = [
  denseTargets('softmaxCrossEntropy', 'smooth', formulas.logSoftmax),
  denseTargets('categoricalCrossEntropy', 'unit', normalisedLog),
  labelTargets('sparseSoftmaxCrossEntropy', 'smooth', formulas.logSoftmax),
  labelTargets('sparseCategoricalCrossEntropy', 'unit', normalisedLog),
  {
    op: 'binaryCrossEntropy',
    gradient: 'check',
    problems: floats(
      shapes().map((shape) => [shape, shape]),
      'unit',
      ([p, t]) => ops.binaryCrossEntropy(p!, t!),
      (p, t) => map((a, b) => -(b * Math.log(a) + (1 - b) * Math.log(1 - a)), p, t),
    ),
  },
  ...behindActivations,
];

// ---- movement -------------------------------------------------------------------------------------------------------

const movementCases: Case[] = [
  {
    op: 'identity',
    gradient: 'check',
    problems: floats(
      one(),
      'smooth',
      ([x]) => ops.identity(x!),
      (x) => x,
    ),
  },
  {
    op: 'stopGradient',
    gradient: 'zero',
    problems: floats(
      one(),
      'smooth',
      ([x]) => ops.stopGradient(x!),
      (x) => x,
    ),
  },
  {
    op: 'reshape',
    gradient: 'check',
    problems: fc.tuple(shapes(1, { empty: false }), seeds, fc.boolean()).map(([shape, seed, infer]) => {
      const target = [shape.at(-1)!, ...shape.slice(0, -1)];
      return {
        inputs: fill([shape], 'smooth', seed),
        call: ([x]: Computed[]) => ops.reshape(x!, infer ? [target[0]!, -1] : target),
        reference: ([x]: Nd[]) => ({
          shape: infer ? [target[0]!, sizeOf(target) / target[0]!] : target,
          data: x!.data,
        }),
      };
    }),
  },
  {
    op: 'transpose',
    gradient: 'check',
    problems: fc
      .tuple(shapes(), seeds, fc.boolean(), fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4, maxLength: 4 }))
      .map(([shape, seed, reverse, order]) => {
        const permutation = reverse || shape.length === 0 ? undefined : order.filter((axis) => axis < shape.length);
        return {
          inputs: fill([shape], 'smooth', seed),
          call: ([x]: Computed[]) => ops.transpose(x!, permutation),
          reference: ([x]: Nd[]) => transpose(x!, permutation),
        };
      }),
  },
  {
    op: 'broadcastTo',
    gradient: 'check',
    problems: fc.tuple(broadcastable(2), seeds).map(([[target, shape], seed]) => ({
      inputs: fill([shape!], 'smooth', seed),
      call: ([x]: Computed[]) => ops.broadcastTo(x!, target!),
      reference: ([x]: Nd[]) => build(target!, (index) => at(x!, index)),
    })),
  },
  {
    op: 'concat',
    gradient: 'check',
    problems: fc
      .tuple(shapes(1), fc.array(fc.constantFrom(0, 1, 2, 3, 8), { minLength: 1, maxLength: 4 }), seeds, fc.nat(7))
      .map(([shape, lengths, seed, choice]) => {
        const axis = choice % shape.length;
        const parts = lengths.map((length) => shape.map((d, i) => (i === axis ? length : d)));
        return {
          inputs: fill(parts, 'smooth', seed),
          call: (xs: Computed[]) => ops.concat(xs as Tensor[], choice & 1 ? axis : axis - shape.length),
          reference: (xs: Nd[]) => concat(xs, axis),
        };
      }),
  },
  {
    op: 'slice',
    gradient: 'check',
    problems: fc
      .tuple(shapes(), seeds, fc.array(fc.nat(40), { minLength: 8, maxLength: 8 }))
      .map(([shape, seed, numbers]) => {
        const begin = shape.map((d, axis) => numbers[axis]! % (d + 1));
        const size = shape.map((d, axis) =>
          numbers[axis + 4]! % 5 === 0 ? -1 : numbers[axis + 4]! % (d - begin[axis]! + 1),
        );
        const taken = size.map((s, axis) => (s === -1 ? shape[axis]! - begin[axis]! : s));
        return {
          inputs: fill([shape], 'smooth', seed),
          call: ([x]: Computed[]) => ops.slice(x!, begin, size),
          reference: ([x]: Nd[]) =>
            build(taken, (index) =>
              at(
                x!,
                index.map((i, axis) => i + begin[axis]!),
              ),
            ),
        };
      }),
  },
  {
    op: 'pad',
    gradient: 'check',
    problems: fc
      .tuple(shapes(0, { most: 300 }), seeds, fc.array(fc.nat(3), { minLength: 8, maxLength: 8 }))
      .map(([shape, seed, counts]) => {
        const before = counts.slice(0, shape.length);
        const after = counts.slice(4, 4 + shape.length);
        return {
          inputs: fill([shape], 'smooth', seed),
          call: ([x]: Computed[]) => ops.pad(x!, before, after),
          reference: ([x]: Nd[]) =>
            build(
              shape.map((d, axis) => before[axis]! + d + after[axis]!),
              (index) => {
                const from = index.map((i, axis) => i - before[axis]!);
                return from.every((i, axis) => i >= 0 && i < shape[axis]!) ? at(x!, from) : 0;
              },
            ),
        };
      }),
  },
  {
    op: 'gather',
    gradient: 'check',
    problems: gathers((x, indices, axis, choice) => [
      ([v]) => ops.gather(v!, int32(indices), choice & 1 ? axis : axis - x.shape.length),
      ([v]) => gather(v!, indices, axis),
    ]),
  },
  {
    op: 'scatterAdd',
    gradient: 'check',
    problems: gathers((x, indices, axis) => {
      // Updates of gather's result shape, scattered back to x's.
      const updates = gather(x, indices, axis);
      return [
        ([v]) => ops.scatterAdd(int32(indices), v!, x.shape[axis]!, axis),
        ([v]) => scatterAdd(indices, v!, x.shape, axis),
        [updates],
      ];
    }),
  },
  {
    op: 'oneHot',
    gradient: 'none',
    exact: true,
    problems: fc.tuple(shapes(0, { maxRank: 3 }), seeds, fc.constantFrom(1, 3, 17)).map(([shape, seed, depth]) => {
      const labels = map((x) => Math.abs(x) % depth, fill([shape], 'integer', seed)[0]!);
      return {
        inputs: [],
        call: () => ops.oneHot(int32(labels), depth),
        reference: () => build([...shape, depth], (index) => Number(at(labels, index.slice(0, -1)) === index.at(-1))),
      };
    }),
  },
  {
    op: 'cast',
    variant: 'to int32',
    gradient: 'none',
    exact: true,
    problems: floats(
      one(),
      'smooth',
      ([x]) => ops.cast(x!, 'int32'),
      (x) => map(Math.trunc, x),
    ),
  },
  {
    op: 'cast',
    variant: 'to float32',
    gradient: 'check',
    problems: floats(
      one(),
      'smooth',
      ([x]) => ops.cast(x!, 'float32'),
      (x) => x,
    ),
  },
];

function concat(xs: readonly Nd[], axis: number): Nd {
  const shape = xs[0]!.shape.map((d, i) => (i === axis ? xs.reduce((sum, x) => sum + x.shape[axis]!, 0) : d));
  return build(shape, (index) => {
    let rest = index[axis]!;
    for (const x of xs) {
      if (rest < x.shape[axis]!)
        return at(
          x,
          index.map((i, j) => (j === axis ? rest : i)),
        );
      rest -= x.shape[axis]!;
    }
    throw new Error('unreachable');
  });
}

function gather(x: Nd, indices: Nd, axis: number): Nd {
  const rank = indices.shape.length;
  return build([...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)], (index) =>
    at(x, [...index.slice(0, axis), at(indices, index.slice(axis, axis + rank)), ...index.slice(axis + rank)]),
  );
}

function scatterAdd(indices: Nd, updates: Nd, shape: readonly number[], axis: number): Nd {
  return build(shape, (index) => {
    let sum = 0;
    for (const position of indicesOf(indices.shape))
      if (at(indices, position) === index[axis])
        sum += at(updates, [...index.slice(0, axis), ...position, ...index.slice(axis + 1)]);
    return sum;
  });
}

type GatherParts = [call: Problem['call'], reference: (xs: Nd[]) => Nd, inputs?: Nd[]];

function gathers(parts: (x: Nd, indices: Nd, axis: number, choice: number) => GatherParts): fc.Arbitrary<Problem> {
  return fc
    .tuple(shapes(1, { empty: false, most: 200, maxRank: 3 }), shapes(0, { most: 12, maxRank: 2 }), seeds, fc.nat(7))
    .map(([shape, indexShape, seed, choice]) => {
      const axis = choice % shape.length;
      const x = fill([shape], 'smooth', seed)[0]!;
      const indices = map((value) => Math.abs(value) % shape[axis]!, fill([indexShape], 'integer', seed + 1)[0]!);
      const [call, reference, inputs] = parts(x, indices, axis, choice);
      return { inputs: inputs ?? [x], call, reference };
    });
}

export const cases: Case[] = [
  ...unaryCases,
  ...binaryCases,
  ...intCases,
  ...attributedCases,
  whereCase,
  ...reductionCases,
  argmaxCase,
  matmulCase,
  sparseMatmulCase,
  ...attentionCases,
  ...normalizationCases,
  ...recurrentCases,
  ...windowCases,
  rowCase('softmax', formulas.softmax),
  rowCase('logSoftmax', formulas.logSoftmax),
  logSumExpCase,
  ...lossCases,
  ...movementCases,
];
