// Recurrent layers, step by step.
import { ops, type Tensor, tensor } from 'downhill';
import fc from 'fast-check';
import { type Nd, nd } from './nd.js';
import { type Case, type Computed, fill, type Problem, seeds } from './problems.js';

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** States of one unit from its gates' input and recurrent products and its states before, [h, c]. */
type CellFunction = (x: number[], m: number[], before: number[]) => number[];

interface Cell {
  op: 'simpleRNN' | 'lstm' | 'gru';
  gates: number;
  carried: number;
  bias: boolean;
  step: CellFunction;
}

const cells: Cell[] = [
  { op: 'simpleRNN', gates: 1, carried: 1, bias: false, step: ([x], [m]) => [Math.tanh(x! + m!)] },
  {
    op: 'lstm',
    gates: 4,
    carried: 2,
    bias: false,
    step: (x, m, [, before]) => {
      const [i, f, o] = [0, 1, 3].map((k) => sigmoid(x[k]! + m[k]!)) as [number, number, number];
      const g = Math.tanh(x[2]! + m[2]!);
      const c = f * before! + i * g;
      return [o * Math.tanh(c), c, i, f, g, o];
    },
  },
  {
    op: 'gru',
    gates: 3,
    carried: 1,
    bias: true,
    step: (x, m, [before]) => {
      const [z, r] = [0, 1].map((k) => sigmoid(x[k]! + m[k]!)) as [number, number];
      const candidate = Math.tanh(x[2]! + r * m[2]!);
      return [z * before! + (1 - z) * candidate, z, r, candidate, m[2]!];
    },
  },
];

function reference(cell: Cell, [x, kernel, ...rest]: Nd[], mask: readonly number[] | null): Nd {
  const [n, steps] = x!.shape as [number, number];
  const units = kernel!.shape[0]!;
  const bias = cell.bias ? rest.shift()! : undefined;
  const width = cell.gates * units;
  const rows: number[] = [];
  for (let row = 0; row < n; row++) {
    let before = Array.from({ length: cell.carried }, (_, i) =>
      Array.from({ length: units }, (_, j) => rest[i]?.data[row * units + j] ?? 0),
    );
    for (let t = 0; t < steps; t++) {
      const product = Array.from({ length: width }, (_, k) =>
        before[0]!.reduce((sum, h, j) => sum + h * kernel!.data[j * width + k]!, bias?.data[k] ?? 0),
      );
      const own = (from: ArrayLike<number>, at: number, j: number) =>
        Array.from({ length: cell.gates }, (_, g) => from[at + g * units + j]!);
      const states = Array.from({ length: units }, (_, j) =>
        cell.step(
          own(x!.data, (row * steps + t) * width, j),
          own(product, 0, j),
          before.map((state) => state[j]!),
        ),
      );
      if (mask?.[row * steps + t] === 0)
        for (const [j, state] of states.entries()) for (const s of state.keys()) state[s] = before[s]?.[j] ?? 0;
      const count = states[0]?.length ?? 0;
      const columns = Array.from({ length: count }, (_, s) => states.map((state) => state[s]!));
      rows.push(...columns.flat());
      before = columns.slice(0, cell.carried);
      if (units === 0) before = Array.from({ length: cell.carried }, () => []);
    }
  }
  const multiple = { simpleRNN: 1, lstm: 6, gru: 5 }[cell.op];
  return nd([n, steps, multiple * units], rows);
}

const call = (cell: Cell, [x, kernel, ...rest]: Computed[], hidden: number | null, mask: Tensor | null): Computed => {
  const bias = cell.bias ? [rest.shift()!] : [];
  const initial = rest.length > 0 ? rest : undefined;
  const states =
    cell.op === 'gru' ? ops.gru(x!, kernel!, bias[0]!, initial, mask) : ops[cell.op](x!, kernel!, initial, mask);
  return hidden === null ? states : ops.slice(states, [0, 0, 0], [-1, -1, hidden]);
};

const hiddenOf = (x: Nd, units: number): Nd => {
  const width = x.shape[2]!;
  const data = [...x.data].filter((_, i) => i % width < units);
  return nd([x.shape[0]!, x.shape[1]!, units], data);
};

/** Rows, steps and units around the blocks of the kernels. */
const sizes = fc
  .tuple(
    fc.constantFrom(0, 1, 2, 3, 5, 17, 33),
    fc.constantFrom(1, 1, 2, 3, 4),
    fc.constantFrom(1, 2, 3, 5, 16, 17, 33),
  )
  .filter(([n, steps, units]) => n * steps * units * units <= 6000);

function problems(cell: Cell, hidden: boolean): fc.Arbitrary<Problem> {
  return fc.tuple(sizes, fc.boolean(), fc.boolean(), seeds).map(([[n, steps, units], initial, masked, seed]) => {
    const width = cell.gates * units;
    const shapes = [[n, steps, width], [units, width], ...(cell.bias ? [[width]] : [])];
    if (initial) for (let i = 0; i < cell.carried; i++) shapes.push([n, units]);
    const scale = 0.5 / Math.sqrt(units);
    const inputs = fill(shapes, 'smooth', seed);
    inputs[1] = nd(
      inputs[1]!.shape,
      inputs[1]!.data.map((value) => Math.fround(value * scale)),
    );
    // Sequences of different lengths, and some whose steps lie anywhere.
    const values = Array.from({ length: n * steps }, (_, i) => {
      const row = Math.floor(i / steps);
      return row % 3 === 2 ? Number((i * 7 + seed) % 3 > 0) : Number(i % steps < (row + seed) % (steps + 1));
    });
    const mask = masked ? values : null;
    const given = mask && tensor(mask, [n, steps], 'int32');
    return {
      inputs,
      call: (xs) => call(cell, xs, hidden ? units : null, given),
      reference: (xs) => (hidden ? hiddenOf(reference(cell, xs, mask), units) : reference(cell, xs, mask)),
    };
  });
}

export const recurrentCases: Case[] = cells.flatMap((cell) => [
  { op: cell.op, variant: 'all states', gradient: 'check' as const, problems: problems(cell, false) },
  { op: cell.op, variant: 'hidden states', gradient: 'check' as const, problems: problems(cell, true) },
]);
