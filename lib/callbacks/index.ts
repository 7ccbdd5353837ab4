// The callbacks. The public `callbacks` are these factories.
import { register } from '../config/registry.js';
import { History, history } from './history.js';

export type { Callback, Logs } from './callback.js';
export { type History, history } from './history.js';
export { lambda } from './lambda.js';

register('callback', (value) => typeof value === 'object' && value !== null, {
  History: { type: History, make: history },
});
