// A training step by a function of the user's own: what its loss is, and what logs show beside it.
import { DownhillError, show } from '../errors.js';
import type { Result } from '../graph/signatures.js';
import { SymbolicTensor } from '../graph/symbolic.js';
import type { Trace } from '../graph/trace.js';
import type { Model } from '../model/model.js';
import { Tensor } from '../tensor/tensor.js';
import { shapeText } from '../tensor/shape.js';

/** A batch inside of a traced step; `X` and `Y`: the forms of a model's inputs and outputs, which a function of several names for its types. */
export interface StepBatch<X = SymbolicTensor, Y = SymbolicTensor> {
  /** [rows, …] of each input, in the model's form. */
  x: X;
  /** Of each output, in the model's form; undefined where none was given. */
  y: Y;
  /** In the form of the outputs; undefined where none was given. */
  sampleWeight: Y | undefined;
  /** False in evaluations. */
  training: boolean;
}

/** What a step gives: the loss of the batch as a scalar, a mean over its rows; or an object with it and other scalars, for logs. */
export type StepResult = Result | Readonly<Record<string, Result>>;

export type TrainStep = (batch: StepBatch<never, never>, net: Model) => StepResult;

/** A step with the names of its logs beside the loss. */
export interface OwnStep {
  run: TrainStep;
  names: readonly string[];
}

function scalar(trace: Trace, what: string, value: unknown): SymbolicTensor {
  if (!(value instanceof SymbolicTensor || value instanceof Tensor || typeof value === 'number'))
    throw new DownhillError('INVALID_ARGUMENT', `${what} must be a scalar made by ops; received ${show(value)}.`);
  const found = trace.lift(what, value);
  if (found.shape.length === 0 && found.dtype === 'float32') return found;
  throw new DownhillError(
    'SHAPE_MISMATCH',
    `${what} must be a float32 scalar, a mean over the batch: take ops.mean; received ${found.dtype} of shape ${shapeText(found.shape)}.`,
  );
}

/** The loss, and the other numbers in the order of their names. */
export function stepNumbers(
  { run, names }: OwnStep,
  trace: Trace,
  batch: StepBatch<never, never>,
  net: Model,
): { loss: SymbolicTensor; others: SymbolicTensor[] } {
  const result: unknown = run(batch, net);
  const single = result instanceof SymbolicTensor || result instanceof Tensor || typeof result === 'number';
  const given = single ? { loss: result } : ((result ?? {}) as Record<string, unknown>);
  const keys = Object.keys(given).filter((key) => key !== 'loss');
  const missing = ['loss', ...names].filter((name) => !Object.hasOwn(given, name));
  const unknown = keys.filter((key) => !names.includes(key));
  if (missing.length > 0 || unknown.length > 0)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `trainStep must return the loss, or an object { ${['loss', ...names].join(', ')} } as \`logs\` of compile says; it returned ` +
        `${single ? 'a scalar' : `{ ${Object.keys(given).join(', ')} }`}. Give compile logs: [${[...new Set([...names.filter((name) => !missing.includes(name)), ...unknown])].map((name) => `'${name}'`).join(', ')}].`,
    );
  return {
    loss: scalar(trace, 'trainStep: loss', given.loss),
    others: names.map((name) => scalar(trace, `trainStep: ${name}`, given[name])),
  };
}
