// The callbacks. The public `callbacks` are these factories.
import { register } from '../config/registry.js';
import { EarlyStopping, earlyStopping } from './early-stopping.js';
import { History, history } from './history.js';
import { ModelCheckpoint, modelCheckpoint } from './model-checkpoint.js';

export type { Callback, Logs } from './callback.js';
export { type History, history } from './history.js';
export { type EarlyStopping, type EarlyStoppingOptions, earlyStopping } from './early-stopping.js';
export { lambda } from './lambda.js';
export { type ModelCheckpoint, type ModelCheckpointOptions, modelCheckpoint } from './model-checkpoint.js';

register('callback', (value) => typeof value === 'object' && value !== null, {
  EarlyStopping: { type: EarlyStopping, make: earlyStopping },
  History: { type: History, make: history },
  ModelCheckpoint: { type: ModelCheckpoint, make: modelCheckpoint },
});
