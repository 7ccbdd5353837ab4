// The callbacks. The public `callbacks` are these factories.
export type { Callback, Logs } from './callback.js';
export { type History, history } from './history.js';
export { lambda } from './lambda.js';
