// schedules.check beside partial sums.
import { schedules } from 'downhill';
import { describe, expect, it, test } from 'vitest';
import { codeOf } from '../errors.js';

const { check } = schedules;

/** Growth of Σ over doublings of k: of terms like k^−p it is 2^(1 − p), so at least 1 where the sum diverges. */
function growth(term: (k: number) => number): number {
  const added: number[] = [];
  for (let from = 2 ** 10; from < 2 ** 17; from *= 2) {
    let sum = 0;
    for (let k = from; k < 2 * from; k++) sum += term(k);
    added.push(sum);
  }
  const [before, last] = added.slice(-2) as [number, number];
  return last === 0 ? 0 : last / before;
}

const { inverseTime, exponential, polynomial, cosineRestarts, inverseSqrt, warmup, piecewise } = schedules;
const restarts = (tMul: number, mMul: number, alpha = 0) =>
  cosineRestarts({ initial: 0.3, steps: 8, tMul, mMul, alpha });

const rows: [name: string, schedule: schedules.Schedule, sumDiverges: boolean, squaresConverge: boolean][] = [
  ['constant', schedules.constant(0.1), true, false],
  ['constant 0', schedules.constant(0), false, true],
  ['linear', schedules.linear({ initial: 0.1, final: 0.01, steps: 50 }), true, false],
  ['linear to 0', schedules.linear({ initial: 0.1, final: 0, steps: 50 }), false, true],
  ['inverseTime', inverseTime({ initial: 0.1, decay: 0.5 }), true, true],
  ['inverseTime, staircase', inverseTime({ initial: 0.1, decay: 2, steps: 4, staircase: true }), true, true],
  ['inverseTime without decay', inverseTime({ initial: 0.1, decay: 0 }), true, false],
  ['inverseTime from 0', inverseTime({ initial: 0, decay: 1 }), false, true],
  ['exponential', exponential({ initial: 0.1, rate: 0.5, steps: 200 }), false, true],
  ['exponential, staircase', exponential({ initial: 0.1, rate: 0.5, steps: 200, staircase: true }), false, true],
  ['exponential of rate 1', exponential({ initial: 0.1, rate: 1, steps: 20 }), true, false],
  ['exponential that grows', exponential({ initial: 0.1, rate: 1.01, steps: 2000 }), true, false],
  ['exponential of rate 0', exponential({ initial: 0.1, rate: 0, steps: 20 }), false, true],
  ['cosine', schedules.cosine({ initial: 0.1, steps: 60 }), false, true],
  ['cosine to alpha', schedules.cosine({ initial: 0.1, steps: 60, alpha: 0.1 }), true, false],
  [
    'cosine from 0',
    schedules.cosine({ initial: 0, steps: 60, alpha: 0.1, warmupTarget: 1, warmupSteps: 3 }),
    true,
    false,
  ],
  ['restarts', restarts(2, 1), true, false],
  ['restarts of one length', restarts(1, 1), true, false],
  ['restarts that fall', restarts(2, 0.6), true, true],
  ['restarts that fall, just', restarts(2, 0.5), true, true],
  ['restarts that fall fast', restarts(2, 0.4), false, true],
  ['restarts that fall slowly', restarts(2, 0.75), true, false],
  ['restarts above alpha', restarts(2, 0.4, 0.1), true, false],
  ['polynomial', polynomial({ initial: 0.1, steps: 40 }), true, false],
  ['polynomial to 0', polynomial({ initial: 0.1, final: 0, steps: 40, power: 2 }), false, true],
  ['polynomial of power 0', polynomial({ initial: 0.1, final: 0, steps: 40, power: 0 }), true, false],
  ['polynomial in cycles, power 1', polynomial({ initial: 0.1, final: 0, steps: 4, cycle: true }), true, true],
  [
    'polynomial in cycles, power 2',
    polynomial({ initial: 0.1, final: 0, steps: 4, power: 2, cycle: true }),
    false,
    true,
  ],
  [
    'polynomial in cycles, power ½',
    polynomial({ initial: 0.1, final: 0, steps: 4, power: 0.5, cycle: true }),
    true,
    false,
  ],
  [
    'polynomial in cycles, power ¾',
    polynomial({ initial: 0.1, final: 0, steps: 4, power: 0.75, cycle: true }),
    true,
    true,
  ],
  ['polynomial in cycles of 1', polynomial({ initial: 0.1, final: 0, steps: 1, cycle: true }), false, true],
  ['polynomial in cycles above 0', polynomial({ initial: 0.1, final: 0.01, steps: 4, cycle: true }), true, false],
  ['piecewise', piecewise({ boundaries: [10, 20], values: [0.1, 0, 0.01] }), true, false],
  ['piecewise to 0', piecewise({ boundaries: [10, 20], values: [0.1, 0.2, 0] }), false, true],
  ['oneCycle', schedules.oneCycle({ max: 1, steps: 100 }), true, false],
  ['inverseSqrt', inverseSqrt({ initial: 0.1, warmupSteps: 10 }), true, false],
  ['warmup', warmup({ steps: 50, then: inverseTime({ initial: 0.1, decay: 0.5 }) }), true, true],
  ['warmup twice', warmup({ steps: 5, then: warmup({ steps: 50, then: restarts(2, 0.6), initial: 1 }) }), true, true],
  ['warmup to a rate', warmup({ steps: 50, then: 0.1 }), true, false],
];

describe('the verdict is that of the partial sums', () => {
  it.each(rows)('%s', (_, schedule, sumDiverges, squaresConverge) => {
    const found = check(schedule);
    expect(found).toMatchObject({ sumDiverges, squaresConverge, satisfied: sumDiverges && squaresConverge });
    expect(found.reason).toMatch(/: Σε_k (con|di)verges, Σε_k² (con|di)verges\.$/);
    expect(growth((k) => schedule(k)) > 0.985).toBe(sumDiverges);
    expect(growth((k) => schedule(k) ** 2) > 0.985).toBe(!squaresConverge);
  });
});

test('every schedule of the library has an answer', () => {
  const asked = new Set(rows.map(([, schedule]) => schedule.constructor.name.toLowerCase()));
  const factories = Object.entries(schedules).filter(([name, value]) => /^[a-z]/.test(name) && value !== check);
  expect([...asked].sort()).toEqual(factories.map(([name]) => name.toLowerCase()).sort());
});

test('the reason is written out', () => {
  expect(check(inverseTime({ initial: 0.1, decay: 0.01 }))).toEqual({
    sumDiverges: true,
    squaresConverge: true,
    satisfied: true,
    reason: 'ε_k = 0.1 / (1 + 0.01 · k), which falls as 10 / k: Σε_k diverges, Σε_k² converges.',
  });
  expect(check(0.5).reason).toBe('ε_k = 0.5 for all k: Σε_k diverges, Σε_k² diverges.');
  expect(check(warmup({ steps: 5, then: schedules.linear({ initial: 1, final: 0, steps: 9 }) })).reason).toBe(
    'After 5 updates of warm-up: ε_k = 0 from update 9 on: Σε_k converges, Σε_k² converges.',
  );
});

test('what is not known is said to be unknown', () => {
  const unknown = { sumDiverges: 'unknown', squaresConverge: 'unknown', satisfied: 'unknown' };
  class Own extends schedules.Schedule {
    override at(k: number) {
      return 1 / (k + 1);
    }
  }
  class Told extends Own {
    override series(): schedules.Series {
      return { sumDiverges: true, squaresConverge: true, reason: 'ε_k = 1 / (k + 1)' };
    }
  }
  expect(check((k) => 1 / (k + 1))).toMatchObject(unknown);
  expect(check(new Own())).toMatchObject(unknown);
  expect(check(new Own()).reason).toMatch(/Own.*series\(\)/);
  expect(check(warmup({ steps: 2, then: (k) => 1 / (k + 1) }))).toMatchObject(unknown);
  expect(check(warmup({ steps: 2, then: new Told() }))).toMatchObject({ satisfied: true });
  expect(codeOf(() => check('linear' as never))).toBe('INVALID_ARGUMENT');
  expect(codeOf(() => check(-1))).toBe('OUT_OF_RANGE');
});

test('cycles above 0 come back to their lowest rate, and do not stay there', () => {
  const cycles = schedules.polynomial({ initial: 0.1, steps: 100, cycle: true });
  const { sumDiverges, squaresConverge, reason } = schedules.check(cycles);
  expect([sumDiverges, squaresConverge]).toEqual([true, false]);
  expect(reason).toContain('Cycle after cycle');
});
