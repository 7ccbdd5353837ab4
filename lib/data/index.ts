// Data sets and what prepares them.
export { toCategorical } from './categorical.js';
export { type DigitSet, type Mnist, type MnistOptions, mnist } from './mnist.js';
export { type Split, type SplitData, type SplitOptions, type SplitPart, split } from './split.js';
