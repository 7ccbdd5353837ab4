// What the training of a model looks like from inside. The public `diagnostics` are these functions.
export { type Curvature, type CurvatureOptions, curvature } from './curvature.js';
export { type GradientNorm, gradientNorm } from './gradient-norm.js';
export { type InitialSpread, initialSpread } from './initial-spread.js';
export type { LayerSpread, Spread } from './layer-spread.js';
export { type LossSurface, type LossSurfaceOptions, lossSurface } from './loss-surface.js';
export { type NoiseScale, type NoiseScaleOptions, noiseScale, type StandardError } from './noise-scale.js';
export type { DataOptions } from './options.js';
export { type OverfitBatch, type OverfitBatchOptions, overfitBatch } from './overfit-batch.js';
export { type Sharpness, type SharpnessOptions, sharpness } from './sharpness.js';
export { type Stationary, type StationaryOptions, stationary } from './stationary.js';
export { updateRatios } from './update-ratios.js';
