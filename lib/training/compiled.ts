// What `compile` fixes: optimizer, loss and metrics.
import type { Logs } from '../callbacks/callback.js';
import type { CompileConfig, MetricConfig } from '../config/model.js';
import { serialize } from '../config/registry.js';
import { DownhillError, show } from '../errors.js';
import type { LossMeasure, Measure } from '../losses/measure.js';
import { type LossLike, resolveLoss } from '../losses/resolve.js';
import { isLossApart, type MetricLike, resolveMetric } from '../metrics/resolve.js';
import { get as resolveOptimizer, type Optimizer, type OptimizerLike } from '../optimizers/index.js';
import { Options } from '../options.js';
import type { Shape } from '../tensor/shape.js';
import { logsOf } from './logs.js';

export interface CompileOptions {
  /** By name or as an object made by `optimizers.…`. */
  optimizer: OptimizerLike;
  /** By name, as an object made by `losses.…`, or a function (yTrue, yPred) of ops. */
  loss: LossLike;
  /**
   * By name, as objects made by `metrics.…` or `losses.…`, functions (yTrue, yPred) of ops, or objects { name, sums, update, result }. Each row counts
   * once, also with sampleWeight.
   */
  metrics?: readonly MetricLike[];
  /** The same, but sampleWeight and classWeight apply to them; a name that `metrics` has too becomes weighted_…, as in Keras. */
  weightedMetrics?: readonly MetricLike[];
}

export class Compiled {
  readonly optimizer: Optimizer;
  readonly loss: LossMeasure;
  /** In the order of the logs, after the loss: first those of `metrics`, then those of `weightedMetrics`. */
  readonly metrics: readonly Measure[];
  /** How many of the metrics count each row once. */
  readonly unweighted: number;
  /** Keys of the logs, in order: loss first. */
  readonly labels: readonly string[];

  constructor(options: CompileOptions) {
    const read = new Options<CompileOptions>('compile', options, ['optimizer', 'loss', 'metrics', 'weightedMetrics']);
    this.optimizer = resolveOptimizer(read.required('optimizer'));
    this.loss = resolveLoss(read.what('loss'), read.required('loss'));
    const plain = resolveList('metrics', read.raw.metrics);
    const weighted = resolveList('weightedMetrics', read.raw.weightedMetrics);
    this.metrics = [...plain, ...weighted];
    this.unweighted = plain.length;
    const names = ['loss', ...plain.map((metric) => metric.label)];
    const prefixed = weighted.map(({ label }) => (names.includes(label) ? `weighted_${label}` : label));
    this.labels = unique([...names, ...prefixed]);
  }

  /** Elements of each of the sums of a batch, for outputs of a shape (without the batch): those of the loss first. */
  sizes(outputShape: Shape): number[] {
    return [1, 1, ...this.metrics.flatMap((metric) => metric.sizes(outputShape))];
  }

  /** What sums over batches come to. */
  logsOf(sums: Float64Array, outputShape: Shape): Logs {
    return logsOf(this.labels, this.metrics, sums, outputShape);
  }

  /** Plain JSON that compiles the same again. */
  getConfig(): CompileConfig {
    const all = this.metrics.map(({ source, label }): MetricConfig => {
      const config = serialize(source, label);
      return isLossApart(source) ? { ...config, family: 'loss' } : config;
    });
    const weighted = all.slice(this.unweighted);
    return {
      optimizer: serialize(this.optimizer),
      loss: serialize(this.loss.source, this.loss.label),
      metrics: all.slice(0, this.unweighted),
      ...(weighted.length > 0 && { weightedMetrics: weighted }),
    };
  }
}

function resolveList(key: 'metrics' | 'weightedMetrics', given: unknown = []): Measure[] {
  if (!Array.isArray(given))
    throw new DownhillError('INVALID_ARGUMENT', `compile: ${key} must be a list; received ${show(given)}.`);
  return given.map((metric: unknown, i) => resolveMetric(`compile: ${key}[${i}]`, metric));
}

/** The labels, repeated ones with _1, _2, … */
function unique(labels: readonly string[]): string[] {
  const taken = new Set<string>();
  return labels.map((label) => {
    let name = label;
    for (let i = 1; taken.has(name); i++) name = `${label}_${i}`;
    taken.add(name);
    return name;
  });
}
