// Models and what they were compiled with, from JSON.
import { DownhillError, show } from '../errors.js';
import type { Model } from '../model/model.js';
import { Options } from '../options.js';
import type { TrainStep } from '../training/train-step.js';
import { type CustomObjects, deserialize, type Serialized } from './registry.js';
import { decode, isPlain, malformed } from './values.js';

/** A metric; a loss under whose name the metrics have another one says so. */
export type MetricConfig = Serialized & { family?: 'loss' };

/** What compile() was given, as plain JSON. */
export interface CompileConfig {
  optimizer: Serialized;
  /** Left out where there is none. */
  memoryLimit?: number;
  /** Of several outputs, by output; null: it has none. Left out where there is a trainStep. */
  loss?: Serialized | (Serialized | null)[];
  /** A function of the user's own in place of losses and metrics, and the names of its logs. */
  trainStep?: Serialized;
  logs?: string[];
  /** Left out where all are 1. */
  lossWeights?: number | number[];
  /** Of several outputs, lists by output. */
  metrics?: MetricConfig[] | MetricConfig[][];
  /** Those that sampleWeight and classWeight apply to; left out where there are none. */
  weightedMetrics?: MetricConfig[] | MetricConfig[][];
}

export interface FromJSONOptions {
  /** Your own classes and functions by name: layers, activations, initializers, regularizers. */
  customObjects?: CustomObjects;
}

/**
 * The model that net.toJSON() described: the same layers, names and shapes, with fresh weights, not compiled.
 *
 * @param json what toJSON() gave, or its text
 * @param options customObjects: your own classes and functions by name
 * @throws UNKNOWN_NAME for a class or function that is neither the library's nor in customObjects; INVALID_ARGUMENT and the errors of
 *   options, with their place in the config
 * @example
 * const twin = modelFromJSON(JSON.stringify(net));
 */
export function modelFromJSON(json: string | object, options?: FromJSONOptions): Model {
  const read = new Options<FromJSONOptions>('modelFromJSON', options, ['customObjects']);
  return deserialize(
    'model',
    parsed(json),
    checkCustomObjects(read.what('customObjects'), read.raw.customObjects),
    'model',
  );
}

/** The user's own objects, by default none. */
export function checkCustomObjects(what: string, value: unknown = {}): CustomObjects {
  if (!isPlain(value)) throw malformed(what, 'an object of classes and functions by name', value);
  return value;
}

function parsed(json: unknown): unknown {
  if (typeof json !== 'string') return json;
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new DownhillError('INVALID_ARGUMENT', `modelFromJSON: the text is no JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** What the model was compiled with, as plain JSON; null before compile(). */
export function compileConfig(net: Model): CompileConfig | null {
  return net.compiled?.getConfig() ?? null;
}

/** Compiles the model as compileConfig() described, with a new optimizer that has made no step yet. */
export function compileFromConfig(net: Model, config: unknown, customObjects: CustomObjects = {}): void {
  if (!isPlain(config)) throw malformed('compile', 'an object { optimizer, loss, metrics }', config);
  const { optimizer, loss, lossWeights, trainStep, logs } = config;
  const limit = config.memoryLimit === undefined ? {} : { memoryLimit: config.memoryLimit as number };
  if (trainStep !== undefined) {
    net.compile({
      optimizer: deserialize('optimizer', optimizer, customObjects, 'compile.optimizer'),
      ...limit,
      trainStep: deserialize('loss', trainStep, customObjects, 'compile.trainStep') as unknown as TrainStep,
      ...(logs !== undefined && { logs: logs as string[] }),
    });
    return;
  }
  const { outputPorts } = net;
  const several = outputPorts.all.length > 1;
  const packed = (key: string, given: unknown, one: (item: unknown, path: string) => unknown): never => {
    if (!several) return one(given, `compile.${key}`) as never;
    if (!Array.isArray(given) || given.length !== outputPorts.all.length)
      throw malformed(`compile.${key}`, `a list with an item for each of ${outputPorts.all.length} outputs`, given);
    return outputPorts.pack(given.map((item: unknown, i) => one(item, `compile.${key}[${i}]`))) as never;
  };
  const metrics = (key: 'metrics' | 'weightedMetrics') =>
    config[key] === undefined
      ? undefined
      : packed(key, config[key], (given, path) => {
          if (!Array.isArray(given))
            throw new DownhillError('INVALID_ARGUMENT', `${path} must be a list; received ${show(given)}.`);
          return given.map((metric: unknown, i) => {
            const kind = isPlain(metric) && metric.family === 'loss' ? 'loss' : 'metric';
            return deserialize(kind, metric, customObjects, `${path}[${i}]`);
          });
        });
  net.compile({
    optimizer: deserialize('optimizer', optimizer, customObjects, 'compile.optimizer'),
    ...limit,
    loss: packed('loss', loss, (item, path) =>
      item === null && several ? null : deserialize('loss', item, customObjects, path),
    ),
    ...(lossWeights !== undefined && {
      lossWeights: packed('lossWeights', lossWeights, (item, path) => decode(item, path)),
    }),
    metrics: metrics('metrics'),
    weightedMetrics: metrics('weightedMetrics'),
  });
}
