import type { Case } from './case.js';
import { matmuls } from './matmul.js';
import { networks } from './networks.js';
import { updates } from './updates.js';

export type { Case, MatmulCase, Outcome, Precision, Refusal, TrainCase, UpdateCase } from './case.js';

export const cases: Case[] = [...networks, ...matmuls, ...updates];

/** The same case in less time: fewer samples, and shorter ones where a sample has no cost of its own. */
export function shorten(one: Case): Case {
  if (one.kind !== 'train') return { ...one, calls: Math.ceil(one.calls / 4), samples: 2 };
  return { ...one, samples: 2 };
}

/**
 * The cases that the words name, separated by commas: a whole name, a pattern with * for anything, or the beginning of names.
 *
 * @throws Error naming a word that no case has
 */
export function choose(words: readonly string[]): Case[] {
  const chosen = new Set<Case>();
  for (const word of words.flatMap((text) => text.split(',')).map((text) => text.trim())) {
    const exact = cases.filter(({ name }) => name === word);
    const pattern = new RegExp(
      `^${word
        .split('*')
        .map((part) => part.replace(/\W/g, '\\$&'))
        .join('.*')}${word.includes('*') ? '$' : ''}`,
    );
    const found = exact.length > 0 ? exact : cases.filter(({ name }) => word !== '' && pattern.test(name));
    if (found.length === 0)
      throw new Error(`--case: there is no "${word}"; there are ${cases.map(({ name }) => name).join(', ')}`);
    for (const one of found) chosen.add(one);
  }
  return words.length === 0 ? cases : cases.filter((one) => chosen.has(one));
}
