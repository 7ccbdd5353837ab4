// What `compile` fixes: optimizer, losses and metrics.
import type { Logs } from '../callbacks/callback.js';
import type { CompileConfig, MetricConfig } from '../config/model.js';
import { serialize } from '../config/registry.js';
import { DownhillError } from '../errors.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import type { LossMeasure, Measure } from '../losses/measure.js';
import type { LossLike } from '../losses/resolve.js';
import { isLossApart, type MetricLike } from '../metrics/resolve.js';
import type { Model } from '../model/model.js';
import type { ByPort, Ports } from '../model/ports.js';
import { get as resolveOptimizer, type Optimizer, type OptimizerLike } from '../optimizers/index.js';
import { checkFunction, checkText, Options } from '../options.js';
import { lossesOf, lossWeightsOf, metricsOf } from './by-output.js';
import { logsOf } from './logs.js';
import type { OwnStep, StepBatch, StepResult } from './train-step.js';

/** Metrics of one output. */
type MetricList = MetricLike | readonly MetricLike[];

/** One for each output, a list of lists or an object; of a model with one output, a list. */
export type MetricsLike = MetricList | readonly (MetricList | null)[] | Readonly<Record<string, MetricList | null>>;

interface OptimizerOptions {
  /** By name or as an object made by `optimizers.…`. */
  optimizer: OptimizerLike;
  /**
   * Bytes that a training step may take, as net.memory() counts them; null (default): any number. Above it, as many layers as it takes are computed again
   * for the backward pass, in place of being kept; the results are the same to the bit. Where that is not enough, training throws MEMORY_LIMIT.
   */
  memoryLimit?: number | null;
}

/** A model that trains by a function of your own. */
export interface StepOptions<X = SymbolicTensor, Y = SymbolicTensor> extends OptimizerOptions {
  /**
   * Gives the loss of a batch, in place of loss and metrics: a scalar, the mean over its rows, or an object with it, `loss`, and with other scalars that
   * logs show. It is traced, from ops and `net.apply(x, { training })`, and differentiated with respect to the weights that are trained.
   */
  trainStep(batch: StepBatch<X, Y>, net: Model): StepResult;
  /** Names of the numbers that it gives beside the loss, for logs. */
  logs?: readonly string[];
}

/** A model that trains by losses of its outputs. */
export interface LossOptions extends OptimizerOptions {
  /**
   * By name, as an object made by `losses.…`, or a function (yTrue, yPred) of ops. For several outputs one for all, or a list or object with one for
   * each; null: that output has no loss, and needs no targets.
   */
  loss: ByPort<LossLike | null>;
  /** What the loss is multiplied with, 1 by default; for several outputs, in whose sum they are factors, a list or object. */
  lossWeights?: ByPort<number> | null;
  /**
   * By name, as objects made by `metrics.…` or `losses.…`, functions (yTrue, yPred) of ops, or objects { name, sums, update, result }. Each row counts
   * once, also with sampleWeight. For several outputs a list or object with the metrics of each.
   */
  metrics?: MetricsLike | null;
  /** The same, but sampleWeight and classWeight apply to them; a name that `metrics` has too becomes weighted_…, as in Keras. */
  weightedMetrics?: MetricsLike | null;
}

/** `X` and `Y`: of a step's batch. */
export type CompileOptions<X = never, Y = never> = LossOptions | StepOptions<X, Y>;

/** The loss of one output. */
export interface OutputLoss {
  /** Its place among the outputs. */
  output: number;
  loss: LossMeasure;
  /** Its factor in the sum. */
  weight: number;
}

/** A metric of one output. */
export interface OutputMetric {
  output: number;
  measure: Measure;
  /** Whether rows have their weights. */
  weighted: boolean;
}

export class Compiled {
  readonly optimizer: Optimizer;
  /** By output; null: it has none. */
  readonly losses: readonly (LossMeasure | null)[];
  /** Of those that have one. */
  readonly outputs: readonly OutputLoss[];
  /** In the order of the logs: those of `metrics`, by output, then those of `weightedMetrics`. */
  readonly metrics: readonly OutputMetric[];
  /** Keys of the logs, in order: the loss, those of several outputs, the metrics. */
  readonly labels: readonly string[];
  /** In place of losses and metrics; null: there is none. */
  readonly step: OwnStep | null;
  /** How many means over the rows logs have beside the loss, before the metrics. */
  readonly means: number;
  /** Bytes that a training step may take; null: any number. */
  readonly memoryLimit: number | null;
  readonly #several: boolean;

  constructor(
    /** As given. */
    readonly options: CompileOptions,
    ports: Ports,
  ) {
    const keys = [
      'optimizer',
      'loss',
      'lossWeights',
      'metrics',
      'weightedMetrics',
      'trainStep',
      'logs',
      'memoryLimit',
    ] as const;
    const read = new Options<LossOptions & Partial<StepOptions<never, never>>>('compile', options as LossOptions, keys);
    this.optimizer = resolveOptimizer(read.required('optimizer'));
    this.memoryLimit = read.raw.memoryLimit === null ? null : (read.optionalCount('memoryLimit', { min: 1 }) ?? null);
    this.step = stepOf(read);
    this.losses = this.step ? ports.all.map(() => null) : lossesOf(read.what('loss'), ports, read.required('loss'));
    const weights = lossWeightsOf(read.what('lossWeights'), ports, read.raw.lossWeights);
    this.outputs = this.losses.flatMap((loss, output) => (loss ? [{ output, loss, weight: weights[output] }] : []));
    this.metrics = (['metrics', 'weightedMetrics'] as const).flatMap((key) =>
      metricsOf(read.what(key), ports, read.raw[key]).flatMap((list, output) =>
        list.map((measure): OutputMetric => ({ output, measure, weighted: key === 'weightedMetrics' })),
      ),
    );
    this.#several = ports.all.length > 1;
    this.means = this.step ? this.step.names.length : this.outputs.length > 1 ? this.outputs.length : 0;
    this.labels = this.step ? ['loss', ...this.step.names] : this.#labels(ports);
  }

  /** As in Keras: a_loss and a_accuracy of an output a among several. */
  #labels({ all }: Ports): string[] {
    const prefix = (output: number) => (this.#several ? `${all[output].name}_` : '');
    const losses = this.outputs.length > 1 ? this.outputs.map(({ output }) => `${prefix(output)}loss`) : [];
    const names = ['loss', ...losses];
    for (const { output, measure, weighted } of this.metrics) {
      const name = `${prefix(output)}${measure.label}`;
      names.push(weighted && names.includes(name) ? `${prefix(output)}weighted_${measure.label}` : name);
    }
    return unique(names);
  }

  /** Whether loss or metrics read the targets of an output; a step of the user's own reads what is given. */
  needsTarget(output: number): boolean {
    return this.losses[output] !== null || this.metrics.some((metric) => metric.output === output);
  }

  /** Elements of each of the sums of a batch: those of the loss first. */
  sizes({ all }: Ports): number[] {
    const means = Array<number>(this.means).fill(1);
    return [1, 1, ...means, ...this.metrics.flatMap(({ output, measure }) => measure.sizes(all[output].shape))];
  }

  /** What sums over batches come to. */
  logsOf(sums: Float64Array, ports: Ports): Logs {
    return logsOf(this, sums, ports);
  }

  /** Plain JSON that compiles the same again; of several outputs, lists by output. */
  getConfig(): CompileConfig {
    const { step, memoryLimit } = this;
    const limit = memoryLimit === null ? {} : { memoryLimit };
    if (step)
      return {
        optimizer: serialize(this.optimizer),
        ...limit,
        trainStep: serialize(step.run),
        ...(step.names.length > 0 && { logs: [...step.names] }),
      };
    const metrics = (weighted: boolean): MetricConfig[][] =>
      this.losses.map((_, output) =>
        this.metrics
          .filter((metric) => metric.output === output && metric.weighted === weighted)
          .map(({ measure: { source, label } }): MetricConfig => {
            const config = serialize(source, label);
            return isLossApart(source) ? { ...config, family: 'loss' } : config;
          }),
      );
    const losses = this.losses.map((loss) => loss && serialize(loss.source, loss.label));
    const weights = this.losses.map((_, i) => this.outputs.find(({ output }) => output === i)?.weight ?? 1);
    const weighted = metrics(true);
    return {
      optimizer: serialize(this.optimizer),
      ...limit,
      loss: this.#several ? losses : losses[0]!,
      ...(weights.some((weight) => weight !== 1) && { lossWeights: this.#several ? weights : weights[0] }),
      metrics: this.#several ? metrics(false) : metrics(false)[0],
      ...(weighted.flat().length > 0 && { weightedMetrics: this.#several ? weighted : weighted[0] }),
    };
  }
}

/** Throws INVALID_ARGUMENT for options that exclude it. */
function stepOf(read: Options<LossOptions & Partial<StepOptions<never, never>>>): OwnStep | null {
  const { trainStep, logs } = read.raw;
  if (trainStep === undefined) {
    if (logs === undefined) return null;
    throw new DownhillError('INVALID_ARGUMENT', `${read.what('logs')} names what trainStep gives; there is none.`);
  }
  const other = (['loss', 'lossWeights', 'metrics', 'weightedMetrics'] as const).find((key) => read.has(key));
  if (other)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `compile: give trainStep or ${other}, not both: the step gives its loss itself.`,
    );
  const given: unknown = logs ?? [];
  const names = (Array.isArray(given) ? given : [given]).map((name: unknown, i) =>
    checkText(`${read.what('logs')}[${i}]`, name),
  );
  if (new Set(['loss', ...names]).size <= names.length)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${read.what('logs')} must be names that differ, without "loss"; received ${names.join(', ')}.`,
    );
  return { run: checkFunction(read.what('trainStep'), trainStep), names };
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
