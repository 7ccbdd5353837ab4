// The conditions under which stochastic gradient descent converges.
import { checkSchedule, type ScheduleLike, seriesOf } from './schedule.js';
import type { Series, Verdict } from './series.js';

export interface ScheduleCheck extends Series {
  /** Both: Σε_k = ∞ and Σε_k² < ∞. */
  readonly satisfied: Verdict;
}

/**
 * Does a schedule meet the conditions that suffice for stochastic gradient descent to converge, Σε_k = ∞ (it can get anywhere) and Σε_k² < ∞ (its
 * noise dies out)? Told by the formula of the schedule, for k to infinity, so nothing about the few steps of one training: a constant rate fails the
 * second, a geometric one the first, initial / (1 + decay · k) meets both. A function of your own is 'unknown'; a class may override series().
 *
 * @param schedule a schedule, a function or a rate
 * @returns sumDiverges, squaresConverge and satisfied (true, false or 'unknown'), and the reason
 * @throws INVALID_ARGUMENT, OUT_OF_RANGE
 * @example
 * schedules.check(schedules.inverseTime({ initial: 0.1, decay: 0.01 }));
 * // { sumDiverges: true, squaresConverge: true, satisfied: true,
 * //   reason: 'ε_k = 0.1 / (1 + 0.01 · k), which falls as 10 / k: Σε_k diverges, Σε_k² converges.' }
 * @see Robbins and Monro 1951, A Stochastic Approximation Method; Goodfellow et al. 2016, equations 8.12 and 8.13
 */
export function check(schedule: ScheduleLike | number): ScheduleCheck {
  const { sumDiverges, squaresConverge, reason } = seriesOf(checkSchedule('schedules.check: schedule', schedule));
  const satisfied =
    sumDiverges === false || squaresConverge === false
      ? false
      : sumDiverges === 'unknown' || squaresConverge === 'unknown'
        ? 'unknown'
        : true;
  return { sumDiverges, squaresConverge, satisfied, reason };
}
