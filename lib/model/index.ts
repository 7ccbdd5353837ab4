// Models, and how configs name them.
import { register, registerOperations } from '../config/registry.js';
import * as ops from '../graph/ops.js';
import { Functional } from './functional.js';
import { Model } from './model.js';
import { Sequential } from './sequential.js';

export { Functional, type FunctionalOptions, type LayerOutputs, model } from './functional.js';
export { input } from './input.js';
export { Model, type ModelOptions, type Precision } from './model.js';
export type { ByPort } from './ports.js';
export { Sequential, sequential } from './sequential.js';

register('model', (value) => value instanceof Model, {
  Functional: { type: Functional, make: (config) => Functional.fromConfig(config), nested: { layers: 'layer' } },
  Sequential: { type: Sequential, make: (config) => Sequential.fromConfig(config), nested: { layers: 'layer' } },
});

registerOperations(ops);
