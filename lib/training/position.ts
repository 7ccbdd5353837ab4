// Where a fit stands, exactly enough to go on from there as if it had never stopped.
import { DownhillError } from '../errors.js';
import { isPlain } from '../config/values.js';
import type { Shuffle } from './sampling.js';

/** What is done of an epoch, or of a pass over the data. */
export interface Progress {
  steps: number;
  rows: number;
  /** Of loss and metrics: what their logs are worked out from. */
  sums: Float64Array;
  /** Batches with a loss that is not finite. */
  nonFinite: number;
}

/** Where a feed stands: within passes over arrays, or among the batches of an iterable. */
export type FeedPosition =
  | { kind: 'arrays'; pass: number | null; within: boolean; last: Progress; base: Progress }
  | { kind: 'batches'; taken: number; ended: boolean; last: Progress };

/** What of an epoch comes next: a hook (of the callbacks from `next` on), batches, or validation. */
export const stages = [
  'onEpochBegin',
  'batches',
  'onTrainBatchBegin',
  'onTrainBatchEnd',
  'validation',
  'onEpochEnd',
] as const;
export type Stage = (typeof stages)[number];

export interface Place {
  /** Counted from 0. */
  epoch: number;
  stage: Stage;
  /** Callbacks that the hook was called of. */
  next: number;
}

/** The state of a callback, under a name that tells callbacks of one class apart; a fit can go on without an optional one. */
export type CallbackState = readonly [name: string, state: unknown, optional: boolean];

export interface Position extends Place {
  /** Batches done in this epoch. */
  step: number;
  seed: number;
  batchSize: number;
  shuffle: Shuffle;
  /** Rows are drawn with replacement. */
  replacement: boolean;
  /** How many groups the rows are of; null where none were given. */
  groups: number | null;
  /** 0: all. */
  stepsPerEpoch: number;
  /** Of the training data and of the validation data; null where unknown. */
  rows: number | null;
  validationRows: number | null;
  /** Of the last epoch that has ended, or that is ending. */
  logs: Record<string, number>;
  feed: FeedPosition;
  history: unknown;
  callbacks: readonly CallbackState[];
}

/** The position as plain values: config/values.ts writes them as JSON. */
export function positionToJson(position: Position): Record<string, unknown> {
  const plain = (progress: Progress) => ({ ...progress, sums: [...progress.sums] });
  const { feed } = position;
  return {
    ...position,
    feed:
      feed.kind === 'arrays'
        ? { ...feed, last: plain(feed.last), base: plain(feed.base) }
        : { ...feed, last: plain(feed.last) },
  };
}

/** Reads values that a file claims; throws CORRUPT_FILE with the place. */
export class Claims {
  constructor(
    readonly where: string,
    readonly values: Record<string, unknown>,
  ) {}

  static of(where: string, value: unknown): Claims {
    if (!isPlain(value)) throw corrupt(where, 'an object');
    return new Claims(where, value);
  }

  fail(key: string, expected: string): never {
    throw corrupt(`${this.where}.${key}`, expected);
  }

  count(key: string, most = Number.MAX_SAFE_INTEGER): number {
    const value = this.values[key];
    return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most
      ? (value as number)
      : this.fail(key, 'a whole number that is not negative');
  }

  number(key: string): number {
    const value = this.values[key];
    return typeof value === 'number' ? value : this.fail(key, 'a number');
  }

  optionalCount(key: string): number | null {
    return this.values[key] === null ? null : this.count(key);
  }

  flag(key: string): boolean {
    const value = this.values[key];
    return typeof value === 'boolean' ? value : this.fail(key, 'true or false');
  }

  oneOf<T extends string>(key: string, allowed: readonly T[]): T {
    const value = this.values[key] as T;
    return allowed.includes(value) ? value : this.fail(key, `one of ${allowed.join(', ')}`);
  }

  numbers(key: string, count: number): number[] {
    const value = this.values[key];
    if (!Array.isArray(value) || value.length !== count || !value.every((item) => typeof item === 'number'))
      return this.fail(key, `a list of ${count} numbers`);
    return value as number[];
  }

  object(key: string): Claims {
    return Claims.of(`${this.where}.${key}`, this.values[key]);
  }
}

function corrupt(where: string, expected: string): DownhillError {
  return new DownhillError('CORRUPT_FILE', `${where} must be ${expected}. The file is damaged: use another copy.`);
}

function progressOf(claims: Claims, sums: number): Progress {
  return {
    steps: claims.count('steps'),
    rows: claims.count('rows'),
    sums: Float64Array.from(claims.numbers('sums', sums)),
    nonFinite: claims.count('nonFinite'),
  };
}

function feedOf(claims: Claims, sums: number): FeedPosition {
  const last = progressOf(claims.object('last'), sums);
  const base = () => {
    const found = progressOf(claims.object('base'), sums);
    if (found.steps > last.steps || found.rows > last.rows) claims.fail('base', 'before last');
    return found;
  };
  if (claims.oneOf('kind', ['arrays', 'batches'] as const) === 'batches')
    return { kind: 'batches', taken: claims.count('taken'), ended: claims.flag('ended'), last };
  const pass = claims.optionalCount('pass');
  const within = claims.flag('within');
  if (within && pass === null) claims.fail('pass', 'the number of the pass that it is within');
  return { kind: 'arrays', pass, within, last, base: base() };
}

function logsOf(claims: Claims): Record<string, number> {
  for (const [key, value] of Object.entries(claims.values)) if (typeof value !== 'number') claims.fail(key, 'a number');
  return { ...(claims.values as Record<string, number>) };
}

/** The position that a file holds, for a model whose loss and metrics have this many sums. `where` names it in messages. */
export function positionFromJson(where: string, value: unknown, sums: number): Position {
  const claims = Claims.of(where, value);
  const callbacks = claims.values.callbacks;
  const isState = (item: unknown) =>
    Array.isArray(item) && item.length === 3 && typeof item[0] === 'string' && typeof item[2] === 'boolean';
  if (!Array.isArray(callbacks) || !callbacks.every(isState)) claims.fail('callbacks', 'a list of names and states');
  return {
    epoch: claims.count('epoch'),
    stage: claims.oneOf('stage', stages),
    next: claims.count('next'),
    step: claims.count('step'),
    seed: claims.count('seed'),
    batchSize: claims.count('batchSize'),
    shuffle: claims.values.shuffle === 'once' ? 'once' : claims.flag('shuffle'),
    // Files may be older than these.
    replacement: claims.values.replacement !== undefined && claims.flag('replacement'),
    groups: claims.values.groups === undefined ? null : claims.optionalCount('groups'),
    stepsPerEpoch: claims.count('stepsPerEpoch'),
    rows: claims.optionalCount('rows'),
    validationRows: claims.optionalCount('validationRows'),
    logs: logsOf(claims.object('logs')),
    feed: feedOf(claims.object('feed'), sums),
    history: claims.object('history').values,
    callbacks: callbacks as CallbackState[],
  };
}
