// The area under a curve that is known at thresholds, in falling order of what they let pass.
import { ratio } from './confusion.js';

export type AucCurve = 'ROC' | 'PR' | 'PRGAIN';
export type SummationMethod = 'interpolation' | 'minoring' | 'majoring';

export interface Confusion {
  /** By threshold, rising. */
  truePositives: Float64Array;
  falsePositives: Float64Array;
  positives: number;
  negatives: number;
}

interface Point {
  x: number;
  y: number;
}

const points: Readonly<Record<AucCurve, (confusion: Confusion, t: number) => Point>> = {
  ROC: ({ truePositives, falsePositives, positives, negatives }, t) => ({
    x: ratio(falsePositives[t], negatives),
    y: ratio(truePositives[t], positives),
  }),
  PR: ({ truePositives, falsePositives, positives }, t) => ({
    x: ratio(truePositives[t], positives),
    y: ratio(truePositives[t], truePositives[t] + falsePositives[t]),
  }),
  // Flach & Kull 2015, Precision-Recall-Gain Curves, as Keras: recall gain below 0 is 0.
  PRGAIN: ({ truePositives, falsePositives, positives, negatives }, t) => {
    if (truePositives[t] === 0) return { x: 0, y: 1 };
    const odds = ratio(positives, negatives);
    const gain = (errors: number) => 1 - (odds * errors) / truePositives[t];
    return { x: Math.max(gain(positives - truePositives[t]), 0), y: gain(falsePositives[t]) };
  },
};

/** Davis & Goadrich 2006: between two thresholds true positives grow evenly with all positives, so that precision runs along a curve. */
function interpolated({ truePositives, falsePositives, positives }: Confusion): number {
  let area = 0;
  for (let t = 0; t + 1 < truePositives.length; t++) {
    const [more, less] = [t, t + 1].map((i) => truePositives[i] + falsePositives[i]);
    const gained = truePositives[t] - truePositives[t + 1];
    const slope = ratio(gained, more - less);
    const intercept = truePositives[t + 1] - slope * less;
    const grown = more > 0 && less > 0 ? more / less : 1;
    area += ratio(slope * (gained + intercept * Math.log(grown)), positives);
  }
  return area;
}

export function areaUnder(curve: AucCurve, method: SummationMethod, confusion: Confusion): number {
  if (curve === 'PR' && method === 'interpolation') return interpolated(confusion);
  const height = { interpolation: (a: number, b: number) => (a + b) / 2, minoring: Math.min, majoring: Math.max }[
    method
  ];
  const curvePoints = Array.from(confusion.truePositives, (_, t) => points[curve](confusion, t));
  let area = 0;
  for (let t = 0; t + 1 < curvePoints.length; t++) {
    const [from, to] = [curvePoints[t], curvePoints[t + 1]];
    area += (from.x - to.x) * height(from.y, to.y);
  }
  return area;
}
