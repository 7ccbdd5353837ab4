// Models, and how configs name them.
import { register, registerOperations } from '../config/registry.js';
import * as ops from '../graph/ops.js';
import { Model } from './model.js';
import { Sequential } from './sequential.js';

export { Model, type ModelOptions, type Precision } from './model.js';
export { Sequential, sequential } from './sequential.js';

register('model', (value) => value instanceof Model, {
  Sequential: { type: Sequential, make: (config) => Sequential.fromConfig(config), nested: { layers: 'layer' } },
});

registerOperations(ops);
