// downhill's public API.
export type { DType } from './binding/native.js';
export { type Device, devices, setDevice, setThreads } from './devices.js';
export { DownhillError, type ErrorCode } from './errors.js';
export { type CompiledFunction, type CompileOptions, compile } from './graph/compile.js';
export { grad, type HessianVector, hvp, valueAndGrad } from './graph/gradients.js';
export * as ops from './graph/ops.js';
export { SymbolicTensor } from './graph/symbolic.js';
export * as initializers from './initializers/index.js';
export * as optimizers from './optimizers/index.js';
export { seed } from './random.js';
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
