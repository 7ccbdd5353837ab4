// Mails made up of words, for where the real ones are not installed: words as frequent as Zipf says, some of them more so in spam.
import { uniform } from './random.js';

interface TextSet {
  x: string[];
  y: Int32Array;
}

/** `count` mails for training and a quarter as many for testing. */
export function madeUpMails(count: number, seed: number): { train: TextSet; test: TextSet } {
  const vocabulary = 2000;
  const length = 60;
  const all = Math.ceil(count * 1.25);
  const draws = uniform(all * length, seed);
  const labels = Int32Array.from(uniform(all, seed + 1), (value) => (value < 0.4 ? 1 : 0));
  const mail = (row: number) =>
    Array.from({ length }, (_, i) => {
      const draw = draws[row * length + i];
      // Rank by the inverse of a distribution near Zipf's.
      const rank = Math.floor(vocabulary ** draw);
      // Of rare words, every third belongs to spam and every third to the rest.
      const own = rank > 40 && rank % 3 === labels[row] ? (rank % 7 === 0 ? 'x' : '') : '';
      return `word${rank}${own}`;
    }).join(' ');
  const part = (begin: number, end: number) => ({
    x: Array.from({ length: end - begin }, (_, i) => mail(begin + i)),
    y: labels.subarray(begin, end),
  });
  return { train: part(0, count), test: part(count, all) };
}
