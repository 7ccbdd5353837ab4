// downhill's public API.
export type { DType } from './binding/native.js';
export * as callbacks from './callbacks/index.js';
export type { Callback, Logs } from './callbacks/callback.js';
export type { History } from './callbacks/history.js';
export { type FromJSONOptions, modelFromJSON } from './config/model.js';
export { type LoadModelOptions, loadModel } from './io/load.js';
export type { LoadWeightsOptions, WeightsReport, WeightTarget } from './io/load-weights.js';
export { type CustomObjects, deserialize, type Kind, type Serialized, serialize } from './config/registry.js';
export * as constraints from './constraints/index.js';
export * as data from './data/index.js';
export * as diagnostics from './diagnostics/index.js';
export {
  type Device,
  type DeviceMemory,
  deviceMemory,
  devices,
  setDevice,
  setMemoryLimit,
  setThreads,
} from './devices.js';
export { DownhillError, type ErrorCode } from './errors.js';
export { type CompiledFunction, type CompileOptions, compile } from './graph/compile.js';
export { grad, type HessianVector, hvp, valueAndGrad } from './graph/gradients.js';
export * as ops from './graph/ops.js';
export { SymbolicTensor } from './graph/symbolic.js';
export * as initializers from './initializers/index.js';
export * as layers from './layers/index.js';
export { LayerOutput } from './layers/output.js';
export * as losses from './losses/index.js';
export * as metrics from './metrics/index.js';
export {
  type ByPort,
  Functional,
  type FunctionalOptions,
  input,
  type LayerOutputs,
  Model,
  type ModelOptions,
  model,
  Sequential,
  sequential,
} from './model/index.js';
export * as optimizers from './optimizers/index.js';
export type { Profile, ProfileLimits, ProfileOptions, ProfileStep, ProgramView } from './profile/profile.js';
export { seed } from './random.js';
export * as regularizers from './regularizers/index.js';
export * as schedules from './schedules/index.js';
export * as solve from './solve/index.js';
export * as symmetries from './symmetries/index.js';
export {
  type ArrayOf,
  type NestedArray,
  type Shape,
  Tensor,
  type TensorLike,
  type TypedArray,
  tensor,
  Variable,
  type VariableOptions,
  variable,
} from './tensor/index.js';
export type { CompileOptions as ModelCompileOptions } from './training/compiled.js';
export type { EvaluateOptions } from './training/evaluate.js';
export type { FitOptions } from './training/fit-options.js';
export type { PredictOptions } from './training/predict.js';
export type { Memory, MemoryOptions } from './training/memory.js';
export type { ModelProfileOptions } from './training/profile.js';
export type { StepBatch, StepResult } from './training/train-step.js';
