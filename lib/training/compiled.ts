// What `compile` fixes: optimizer, loss and metrics.
import type { CompileConfig } from '../config/model.js';
import { serialize } from '../config/registry.js';
import { DownhillError, show } from '../errors.js';
import type { Measure } from '../losses/loss.js';
import { type LossLike, resolveLoss } from '../losses/resolve.js';
import { type MetricLike, resolveMetric } from '../metrics/resolve.js';
import { get as resolveOptimizer, type Optimizer, type OptimizerLike } from '../optimizers/index.js';
import { Options } from '../options.js';

export interface CompileOptions {
  /** By name or as an object made by `optimizers.…`. */
  optimizer: OptimizerLike;
  /** By name, as an object made by `losses.…`, or a function (yTrue, yPred) of ops. */
  loss: LossLike;
  /** By name, as objects made by `metrics.…` or `losses.…`, or functions (yTrue, yPred) of ops. */
  metrics?: readonly MetricLike[];
}

export class Compiled {
  readonly optimizer: Optimizer;
  readonly loss: Measure;
  readonly metrics: readonly Measure[];
  /** Keys of the logs, in order: loss first. */
  readonly labels: readonly string[];

  constructor(options: CompileOptions) {
    const read = new Options<CompileOptions>('compile', options, ['optimizer', 'loss', 'metrics']);
    this.optimizer = resolveOptimizer(read.required('optimizer'));
    this.loss = resolveLoss(read.what('loss'), read.required('loss'));
    const metrics: unknown = read.raw.metrics ?? [];
    if (!Array.isArray(metrics))
      throw new DownhillError('INVALID_ARGUMENT', `compile: metrics must be a list; received ${show(metrics)}.`);
    this.metrics = metrics.map((metric, i) => resolveMetric(`compile: metrics[${i}]`, metric));
    this.labels = unique(['loss', ...this.metrics.map((metric) => metric.label)]);
  }

  /** Plain JSON that compiles the same again. */
  getConfig(): CompileConfig {
    return {
      optimizer: serialize(this.optimizer),
      loss: serialize(this.loss.source, this.loss.label),
      metrics: this.metrics.map((metric) => serialize(metric.source, metric.label)),
    };
  }
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
