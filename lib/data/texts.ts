// Labelled texts.
import { kFixedSeed, shuffledOrder } from './order.js';

export interface TextSet {
  /** [n] */
  x: string[];
  /** By text, [n]: 1 or 0 */
  y: Int32Array;
}

export interface Texts {
  train: TextSet;
  test: TextSet;
}

export interface Labelled {
  text: string;
  label: number;
}

/** In an order that mixes the labels and never changes, so that the last ones can be held back for validation. */
export function mixed(items: readonly Labelled[]): Labelled[] {
  return Array.from(shuffledOrder(items.length, kFixedSeed), (i) => items[i]!);
}

export function textSet(items: readonly Labelled[]): TextSet {
  return { x: items.map(({ text }) => text), y: Int32Array.from(items, ({ label }) => label) };
}
