// The sums of a schedule's rates and of their squares: what is known of them.

/** Yes, no, or not known. */
export type Verdict = boolean | 'unknown';

export interface Series {
  /** Σε_k = ∞ */
  readonly sumDiverges: Verdict;
  /** Σε_k² < ∞ */
  readonly squaresConverge: Verdict;
  /** Why, as a formula and a sentence. */
  readonly reason: string;
}

const said = (verdict: Verdict, yes: string, no: string) => (verdict === 'unknown' ? 'is unknown' : verdict ? yes : no);

/** What is known, with the premise that it follows from. */
export function series(premise: string, sumDiverges: Verdict, squaresConverge: Verdict): Series {
  const [first, second] = [said(sumDiverges, 'diverges', 'converges'), said(squaresConverge, 'converges', 'diverges')];
  const reason =
    sumDiverges === 'unknown' && squaresConverge === 'unknown'
      ? `${premise}.`
      : `${premise}: Σε_k ${first}, Σε_k² ${second}.`;
  return { sumDiverges, squaresConverge, reason };
}

/** One rate for ever, from an update on. */
export function eventually(rate: number, from: number): Series {
  const premise = `ε_k = ${rate} ${from > 0 ? `from update ${from} on` : 'for all k'}`;
  return rate > 0 ? series(premise, true, false) : series(premise, false, true);
}

/** Terms that fall as k^−p: Σk^−p diverges where p ≤ 1. */
export function power(premise: string, p: number): Series {
  return series(premise, p <= 1, 2 * p > 1);
}
