// Exact answers, beside which those of optimization stand.
export { type LinearRegression, type LinearRegressionOptions, linearRegression } from './linear-regression.js';
export { Pca, type PcaOptions, pca } from './pca.js';
