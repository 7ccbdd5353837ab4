export type { ArrayOf, NestedArray, TensorLike, TypedArray } from './convert.js';
export { tensor } from './make.js';
export type { Shape } from './shape.js';
export { Tensor } from './tensor.js';
export { Variable, type VariableOptions, variable } from './variable.js';
