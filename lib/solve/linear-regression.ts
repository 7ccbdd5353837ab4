// The weights of least squares, in closed form.
import { DownhillError } from '../errors.js';
import { Options } from '../options.js';
import type { TensorLike } from '../tensor/convert.js';
import { type Tensor, tensor } from '../tensor/index.js';
import { solveCholesky } from './cholesky.js';
import { columnMeans, gram, subtract, toMatrix, transposedProduct } from './matrix.js';

export interface LinearRegressionOptions {
  /** λ of the penalty λ · Σw² on the kernel, at least 0; 0 by default. */
  l2?: number;
  /** Whether there is a bias, which is not penalised; true by default. */
  useBias?: boolean;
}

/** As the weights of a dense layer without activation. */
export interface LinearRegression {
  /** [features, outputs] */
  kernel: Tensor;
  /** [outputs]; zeros without a bias */
  bias: Tensor;
  /** Mean squared error plus penalty, at this minimum. */
  loss: number;
}

const where = 'solve.linearRegression';

/**
 * The kernel W and bias b that minimise 1/(n·k) · Σ‖x·W + b − y‖² + l2 · ΣW², where a dense layer with loss 'meanSquaredError' and
 * regularizers.l2({ l2 }) goes by gradient descent: of the normal equations (XᵀX + l2·n·k·I)·W = XᵀY for centred X and Y, by Cholesky's
 * factorization in double. n rows, k outputs.
 *
 * @param x [n, features]
 * @param y [n] or [n, outputs]
 * @param options l2 (0), useBias (true)
 * @throws (rejects) SINGULAR where features depend on one another and l2 is 0, SHAPE_MISMATCH, NON_FINITE, EMPTY_DATA, OUT_OF_RANGE
 * @example
 * const { kernel, bias, loss } = await solve.linearRegression(x, y, { l2: 1e-3 });
 * net.setWeights([kernel, bias]); // of one dense layer
 * @see Goodfellow et al. 2016, sections 5.1.4 and 7.1.1
 */
export async function linearRegression(
  x: TensorLike,
  y: TensorLike,
  options?: LinearRegressionOptions,
): Promise<LinearRegression> {
  const read = new Options<LinearRegressionOptions>(where, options, ['l2', 'useBias']);
  const l2 = read.number('l2', 0, { min: 0 });
  const useBias = read.flag('useBias', true);
  const inputs = toMatrix(`${where}: x`, x);
  const targets = toMatrix(`${where}: y`, y, true);
  if (inputs.rows !== targets.rows)
    throw new DownhillError(
      'SHAPE_MISMATCH',
      `${where}: x and y must have as many rows; received ${inputs.rows} and ${targets.rows}.`,
    );
  const count = targets.values.length;
  const means = useBias ? [columnMeans(inputs), columnMeans(targets)] : null;
  if (means) {
    subtract(inputs, means[0]!);
    subtract(targets, means[1]!);
  }
  const [features, outputs] = [inputs.columns, targets.columns];
  const normal = await gram(inputs);
  for (let i = 0; i < features; i++) normal.values[i * features + i]! += l2 * count;
  const kernel = await transposedProduct(inputs, targets);
  const dependent = await solveCholesky(normal, kernel);
  if (dependent >= 0)
    throw new DownhillError(
      'SINGULAR',
      `${where}: feature ${dependent} is ${useBias ? 'constant, or ' : ''}a combination of those before it, so that many kernels are equally ` +
        'good. Leave it out, or give an l2 above 0.',
    );
  const bias = Float64Array.from({ length: outputs }, (_, j) => {
    if (!means) return 0;
    let sum = means[1]![j]!;
    for (let i = 0; i < features; i++) sum -= means[0]![i]! * kernel.values[i * outputs + j]!;
    return sum;
  });
  let loss = kernel.values.reduce((sum, w) => sum + l2 * w * w, 0);
  for (let row = 0; row < inputs.rows; row++)
    for (let j = 0; j < outputs; j++) {
      let error = -targets.values[row * outputs + j]!;
      for (let i = 0; i < features; i++) error += inputs.values[row * features + i]! * kernel.values[i * outputs + j]!;
      loss += (error * error) / count;
    }
  return { kernel: tensor(kernel.values, [features, outputs]), bias: tensor(bias, [outputs]), loss };
}
