// Models.
export { Model, type ModelOptions, type Precision, type ProgramView } from './model.js';
export { Sequential, sequential } from './sequential.js';
