// The callbacks. The public `callbacks` are these factories.
import { register } from '../config/registry.js';
import { CSVLogger, csvLogger } from './csv-logger.js';
import { Diagnostics, diagnostics } from './diagnostics.js';
import { EarlyStopping, earlyStopping } from './early-stopping.js';
import { History, history } from './history.js';
import { LearningRateScheduler, learningRateScheduler } from './learning-rate-scheduler.js';
import { ModelCheckpoint, modelCheckpoint } from './model-checkpoint.js';
import { ReduceLROnPlateau, reduceLROnPlateau } from './reduce-lr-on-plateau.js';
import { TerminateOnNaN, terminateOnNaN } from './terminate-on-nan.js';

export type { Callback, Logs } from './callback.js';
export { type CSVLogger, type CSVLoggerOptions, csvLogger } from './csv-logger.js';
export {
  type Diagnostics,
  type DiagnosticsOptions,
  type DiagnosticsRecord,
  diagnostics,
  type Recorded,
} from './diagnostics.js';
export { type EarlyStopping, type EarlyStoppingOptions, earlyStopping } from './early-stopping.js';
export { type History, history } from './history.js';
export { lambda } from './lambda.js';
export {
  type LearningRateScheduler,
  type LearningRateSchedulerOptions,
  learningRateScheduler,
  type RateOfEpoch,
} from './learning-rate-scheduler.js';
export { type ModelCheckpoint, type ModelCheckpointOptions, modelCheckpoint } from './model-checkpoint.js';
export { type ReduceLROnPlateau, type ReduceLROnPlateauOptions, reduceLROnPlateau } from './reduce-lr-on-plateau.js';
export { type Termination, type TerminateOnNaN, terminateOnNaN } from './terminate-on-nan.js';

register('callback', (value) => typeof value === 'object' && value !== null, {
  EarlyStopping: { type: EarlyStopping, make: earlyStopping },
  ModelCheckpoint: { type: ModelCheckpoint, make: modelCheckpoint },
  TerminateOnNaN: { type: TerminateOnNaN, make: terminateOnNaN },
  Diagnostics: { type: Diagnostics, make: diagnostics },
  History: { type: History, make: history },
  CSVLogger: { type: CSVLogger, make: csvLogger },
  LearningRateScheduler: {
    type: LearningRateScheduler,
    make: learningRateScheduler,
    nested: { schedule: 'schedule' },
  },
  ReduceLROnPlateau: { type: ReduceLROnPlateau, make: reduceLROnPlateau },
});
