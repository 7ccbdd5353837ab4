import type { Case } from './case.js';
import { matmuls } from './matmul.js';
import { networks } from './networks.js';
import { updates } from './updates.js';

export type { Case, MatmulCase, Outcome, TrainCase, UpdateCase } from './case.js';

export const cases: Case[] = [...networks, ...matmuls, ...updates];

/** The same case in less time: fewer and shorter samples. */
export function shorten(one: Case): Case {
  if (one.kind !== 'train') return { ...one, calls: Math.ceil(one.calls / 3), samples: 2 };
  return {
    ...one,
    epochs: Math.ceil(one.epochs / 4),
    batches: Math.ceil(one.batches / (one.epochs > 1 ? 1 : 2)),
    samples: 2,
  };
}
