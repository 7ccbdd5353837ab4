// The options of `fit`, checked.
import type { Callback } from '../callbacks/callback.js';
import { DownhillError, show } from '../errors.js';
import { Options } from '../options.js';
import type { DataLike, OnNonFinite } from './columns.js';
import type { Batches } from './feed.js';
import type { TrainWeightOptions } from './sample-weights.js';
import { checkVerbose, type Verbose } from './progress.js';

export interface FitOptions extends TrainWeightOptions {
  /** Rows per update, 32 by default; a batch larger than the data is one partial batch. */
  batchSize?: number;
  /** Number of the last epoch, 1 by default. */
  epochs?: number;
  /** Fraction of the rows, the last ones before shuffling, that is held back for validation. */
  validationSplit?: number;
  /** [x, y] or [x, y, sampleWeight], or an iterable of such batches, evaluated after each epoch. */
  validationData?: readonly [DataLike, DataLike] | readonly [DataLike, DataLike, DataLike] | Batches;
  /** Whether each epoch has an order of its own; true by default. */
  shuffle?: boolean;
  /** Objects with hooks such as onEpochEnd. */
  callbacks?: readonly Callback[];
  /** 0 silent, 1 a progress bar, 2 a line per epoch; 'auto', the default: 1 on a terminal, 0 elsewhere. */
  verbose?: Verbose;
  /** Epochs that are done already; 0 by default. */
  initialEpoch?: number;
  /** Batches per epoch; by default all. The next epoch goes on where this one ended. */
  stepsPerEpoch?: number;
  /** Ends the fit after the step in hand; it rejects with the signal's reason. */
  signal?: AbortSignal;
  /**
   * A file of net.save() or callbacks.modelCheckpoint, of the same model with the same options: training goes on where it was saved, in the
   * middle of an epoch, and ends as it would have. Weights, optimizer, random state, epoch and step are those of the file.
   */
  resume?: string;
  /** What to do about NaN and infinity in data or loss; 'error' by default. */
  onNonFinite?: OnNonFinite;
}

const keys = [
  'batchSize',
  'epochs',
  'validationSplit',
  'validationData',
  'shuffle',
  'callbacks',
  'verbose',
  'initialEpoch',
  'stepsPerEpoch',
  'signal',
  'resume',
  'onNonFinite',
  'sampleWeight',
  'classWeight',
] as const;

export interface CheckedFitOptions {
  batchSize: number;
  epochs: number;
  initialEpoch: number;
  validationSplit: number;
  validationData: readonly unknown[] | Batches | null;
  shuffle: boolean;
  callbacks: unknown;
  verbose: Verbose;
  /** 0: all batches. */
  stepsPerEpoch: number;
  signal: unknown;
  resume: string | null;
  onNonFinite: OnNonFinite;
  sampleWeight: unknown;
  classWeight: unknown;
}

function checkValidationData(what: string, value: unknown): CheckedFitOptions['validationData'] {
  if (value === undefined || value === null) return null;
  if (Array.isArray(value) && (value.length === 2 || value.length === 3)) return value as unknown[];
  if (typeof value === 'object' && !Array.isArray(value) && (Symbol.iterator in value || Symbol.asyncIterator in value))
    return value as Batches;
  throw new DownhillError(
    'INVALID_ARGUMENT',
    `${what} must be [x, y], [x, y, sampleWeight] or an iterable of such batches; received ${show(value)}.`,
  );
}

export function checkFitOptions(options: FitOptions | undefined): CheckedFitOptions {
  const read = new Options<FitOptions>('fit', options, keys);
  const checked: CheckedFitOptions = {
    batchSize: read.count('batchSize', 32),
    epochs: read.count('epochs', 1),
    initialEpoch: read.count('initialEpoch', 0, { min: 0 }),
    validationSplit: read.number('validationSplit', 0, { min: 0, below: 1 }),
    validationData: checkValidationData(read.what('validationData'), read.raw.validationData),
    shuffle: read.flag('shuffle', true),
    callbacks: read.raw.callbacks,
    verbose: checkVerbose(read.what('verbose'), read.raw.verbose),
    stepsPerEpoch: read.optionalCount('stepsPerEpoch') ?? 0,
    signal: read.raw.signal,
    resume: read.has('resume') ? read.text('resume') : null,
    onNonFinite: read.oneOf<OnNonFinite>('onNonFinite', ['error', 'warn', 'ignore'], 'error'),
    sampleWeight: read.raw.sampleWeight,
    classWeight: read.raw.classWeight,
  };
  if (checked.validationSplit > 0 && checked.validationData)
    throw new DownhillError('INVALID_ARGUMENT', 'fit: give validationSplit or validationData, not both.');
  return checked;
}
