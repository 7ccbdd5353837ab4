// The metrics by name: their own, and the losses.
import { DownhillError, show, unknownName } from '../errors.js';
import { isLoss, type LossFunction, type LossOptions, type LossParts } from '../losses/loss.js';
import { type Measure, meanMeasure } from '../losses/measure.js';
import { byClass, factories as losses, lossNamed } from '../losses/resolve.js';
import { lookUp } from '../names.js';
import { accuracy, binaryAccuracy, categoricalAccuracy, sparseCategoricalAccuracy } from './accuracy.js';
import { auc } from './auc.js';
import { cosineSimilarity } from './cosine-similarity.js';
import { f1Score, fBetaScore } from './f-score.js';
import { isMetric, isStreaming, type MetricParts, type StreamingMetric, streamingMeasure } from './metric.js';
import { precision, recall } from './precision-recall.js';
import { rootMeanSquaredError } from './root-mean-squared-error.js';
import { sparseTopKCategoricalAccuracy, topKCategoricalAccuracy } from './top-k.js';
import { zeroOneLoss } from './zero-one-loss.js';

const table = {
  accuracy,
  auc,
  binaryAccuracy,
  categoricalAccuracy,
  cosineSimilarity,
  f1Score,
  fBetaScore,
  precision,
  recall,
  rootMeanSquaredError,
  sparseCategoricalAccuracy,
  sparseTopKCategoricalAccuracy,
  topKCategoricalAccuracy,
  zeroOneLoss,
};

type MetricFactory = (options?: LossOptions) => LossParts | MetricParts;

const own: Readonly<Record<string, MetricFactory>> = table;

/** The factories under their own names. */
export const factories: Readonly<Record<string, MetricFactory>> = { ...losses, ...own };

/** Keras's other spellings. */
const aliases: Readonly<Record<string, MetricFactory>> = { acc: accuracy, fbetaScore: fBetaScore };

export type MetricName = keyof typeof table;

/** By name (camelCase, snake_case or Keras's class), as an object made by `metrics.…` or `losses.…`, a streaming metric, or as a function of ops. */
export type MetricLike = MetricName | (string & {}) | LossParts | MetricParts | StreamingMetric | LossFunction;

/** Whether a value can be a metric: for what customObjects made. */
export function acceptsMetric(value: unknown): boolean {
  return typeof value === 'function' || isStreaming(value);
}

function measureOf(label: string, value: LossParts | MetricParts | LossFunction): Measure {
  if (isMetric(value)) return { label, source: value, ...value.measure };
  return meanMeasure(label, value as LossFunction);
}

/** A metric; its label in logs is the name it was given. */
export function resolveMetric(what: string, value: unknown): Measure {
  if (typeof value === 'string') {
    const name = { name: value };
    const factory = lookUp(own, value) ?? lookUp(aliases, value) ?? byClass(own, value);
    const found = factory?.(name) ?? lossNamed(value, name);
    if (!found) throw unknownName('metric', value, Object.keys(factories));
    return measureOf(value, found);
  }
  if (isStreaming(value)) return streamingMeasure(what, value);
  if (typeof value !== 'function')
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what} must be a name, a metric, a function or an object { name, sums, update, result }; received ${show(value)}.`,
    );
  // metrics.accuracy without its parentheses.
  if ([...Object.values(factories), ...Object.values(losses)].includes(value as MetricFactory))
    return resolveMetric(what, (value as MetricFactory)());
  const metric = value as LossParts | MetricParts | LossFunction;
  const label = isLoss(value) || isMetric(value) ? value.label : value.name || 'metric';
  return measureOf(label, metric);
}

/** Whether it is a loss under whose name the metrics have something else, so that a config must say which it is. */
export function isLossApart(source: object): boolean {
  // Once it is asked for: the factories may not be there yet when this file is read.
  apart ??= new Set(
    Object.values(own)
      .map((make): LossParts | MetricParts => make())
      .filter(isMetric)
      .map(({ className }) => className),
  );
  return isLoss(source) && apart.has(source.className);
}

let apart: ReadonlySet<string> | undefined;
