// What callbacks that set the learning rate have in common.
import { DownhillError } from '../errors.js';
import type { Model } from '../model/model.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import type { Logs } from './callback.js';

/** The optimizer of a model that `where` is to set the rate of; throws INVALID_ARGUMENT where it follows a schedule. */
export function optimizerOf(where: string, model: Model): Optimizer {
  const { optimizer } = model.compiled!;
  if (typeof optimizer.getConfig().learningRate !== 'number')
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${where} sets the learning rate, but that of the optimizer "${optimizer.name}" follows a schedule. Make the optimizer with a number, ` +
        'or leave the callback out.',
    );
  return optimizer;
}

/** As Keras: the rate of the epoch, for the callbacks that come after. */
export function logRate(logs: Logs, model: Model): void {
  logs.learning_rate = model.compiled!.optimizer.learningRate;
}
