// The options of `fit`, checked.
import type { Callback } from '../callbacks/callback.js';
import { DownhillError, show } from '../errors.js';
import { type Groups, groupsOf, type PerRow } from '../data/groups.js';
import { checkCount, checkShape, Options } from '../options.js';
import type { ByPort } from '../model/ports.js';
import type { DataLike, InputLike, OnNonFinite, Targets } from './columns.js';
import type { Batches } from './feed.js';
import type { TrainWeightOptions } from './sample-weights.js';
import { checkVerbose, type Verbose } from './progress.js';
import type { Shuffle } from './sampling.js';

export interface FitOptions extends TrainWeightOptions {
  /** Rows per update, 32 by default; a batch larger than the data is one partial batch. */
  batchSize?: number;
  /** Number of the last epoch, 1 by default. */
  epochs?: number;
  /** Fraction of the rows, the last ones before shuffling, that is held back for validation. */
  validationSplit?: number;
  /** [x, y] or [x, y, sampleWeight], or an iterable of such batches, evaluated after each epoch. */
  validationData?:
    | readonly [ByPort<InputLike>, Targets]
    | readonly [ByPort<InputLike>, Targets, ByPort<DataLike | null>]
    | Batches;
  /** Rows per batch of the validation; by default batchSize. */
  validationBatchSize?: number;
  /** Batches of a validation, the first ones each time; by default all. */
  validationSteps?: number;
  /** Validates after every so many epochs, or after those listed (counted from 1); 1 by default. */
  validationFreq?: number | readonly number[];
  /**
   * Whether each pass over arrays has an order of its own (true, the default), all have the one that is drawn at the start ('once'), or
   * the rows stay as they are (false).
   */
  shuffle?: Shuffle;
  /**
   * `replacement: true` draws each row of a batch from all of them, independently of the others: simple random sampling, by which a batch's
   * gradient is an unbiased estimate in every step. An epoch then draws stepsPerEpoch batches, or as many rows as there are.
   */
  sampling?: { readonly replacement?: boolean };
  /**
   * A number or string for each row of arrays: rows with equal ones stay together, in their order, when groups are shuffled, and on
   * one side of validationSplit.
   */
  groups?: PerRow;
  /** Objects with hooks such as onEpochEnd. */
  callbacks?: readonly Callback[];
  /** 0 silent, 1 a progress bar, 2 a line per epoch; 'auto', the default: 1 on a terminal, 0 elsewhere. */
  verbose?: Verbose;
  /** Epochs that are done already; 0 by default. */
  initialEpoch?: number;
  /**
   * Batches per epoch; by default all. The next epoch goes on where this one ended. Where a pass over the data ends, the epoch ends, with a
   * warning if it lacks batches, as in Keras; sampling with replacement has no passes.
   */
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
  'validationBatchSize',
  'validationSteps',
  'validationFreq',
  'shuffle',
  'sampling',
  'groups',
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
  validationBatchSize: number;
  /** 0: all. */
  validationSteps: number;
  /** Whether an epoch, counted from 0, is followed by a validation. */
  validates(epoch: number): boolean;
  shuffle: Shuffle;
  replacement: boolean;
  groups: Groups | null;
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

function checkFrequency(what: string, value: unknown): (epoch: number) => boolean {
  if (Array.isArray(value)) {
    const epochs = new Set(checkShape(what, value, 1));
    return (epoch) => epochs.has(epoch + 1);
  }
  const every = checkCount(what, value);
  return (epoch) => (epoch + 1) % every === 0;
}

export function checkFitOptions(options: FitOptions | undefined): CheckedFitOptions {
  const read = new Options<FitOptions>('fit', options, keys);
  const checked: CheckedFitOptions = {
    batchSize: read.count('batchSize', 32),
    epochs: read.count('epochs', 1),
    initialEpoch: read.count('initialEpoch', 0, { min: 0 }),
    validationSplit: read.number('validationSplit', 0, { min: 0, below: 1 }),
    validationData: checkValidationData(read.what('validationData'), read.raw.validationData),
    validationBatchSize: read.optionalCount('validationBatchSize') ?? read.count('batchSize', 32),
    validationSteps: read.optionalCount('validationSteps') ?? 0,
    validates: checkFrequency(read.what('validationFreq'), read.raw.validationFreq ?? 1),
    shuffle: read.oneOf<Shuffle>('shuffle', [true, false, 'once'], true),
    replacement: new Options('fit: sampling', read.raw.sampling, ['replacement']).flag('replacement', false),
    groups: read.has('groups') ? groupsOf(read.what('groups'), read.raw.groups) : null,
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
  if (checked.replacement && !checked.shuffle)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      "fit: rows that are drawn with replacement have no order to keep: shuffle must be true, or 'once' for one sample that all epochs go over.",
    );
  if (checked.replacement && checked.groups)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      'fit: groups stay together where whole passes are shuffled; give groups or sampling.replacement, not both.',
    );
  return checked;
}
