// Whitening: directions in which pictures vary much and little get about the same variance, and stay pictures.
import { initializers, ops, type Tensor, tensor } from 'downhill';

/** Rows are taken so many at a time, which bounds the memory. */
const kRows = 4096;

function* pieces(x: Float32Array, width: number) {
  for (let at = 0; at < x.length; at += kRows * width) {
    const values = x.subarray(at, at + kRows * width);
    yield { values, rows: tensor(values, [values.length / width, width]) };
  }
}

/** μ [1, width] and E[xᵀx] − μᵀμ [width, width] of rows. */
export function moments(x: Float32Array, width: number): { mean: Tensor; covariance: Tensor } {
  const count = x.length / width;
  let mean = tensor(new Float32Array(width), [1, width]);
  let square = tensor(new Float32Array(width * width), [width, width]);
  for (const { rows } of pieces(x, width)) {
    const scaled = ops.div(rows, count);
    mean = ops.add(mean, ops.sum(scaled, 0, { keepDims: true }));
    square = ops.add(square, ops.matmul(scaled, rows, { transposeA: true }));
  }
  return { mean, covariance: ops.sub(square, ops.matmul(mean, mean, { transposeA: true })) };
}

/**
 * A^(−1/2) of a symmetric positive definite matrix with no eigenvalue below `smallest`, by the coupled Newton–Schulz iteration, which is
 * matrix products alone: Y ← ½Y(3I − ZY), Z ← ½(3I − ZY)Z, from Y = A/‖A‖ and Z = I (Higham 2008, Functions of Matrices, section 6.7).
 */
export function inverseSquareRoot(a: Tensor, smallest: number): Tensor {
  const norm = ops.norm(a);
  const one = initializers.identity().sample([...a.shape]);
  let [y, z] = [ops.div(a, norm), one];
  // An eigenvalue grows by 3/2 squared in each step until it is near 1; then the error is squared.
  const steps = Math.ceil(Math.log(norm.dataSync()[0] / smallest) / Math.log(2.25)) + 6;
  for (let step = 0; step < steps; step++) {
    const factor = ops.sub(ops.mul(one, 1.5), ops.mul(ops.matmul(z, y), 0.5));
    [y, z] = [ops.matmul(y, factor), ops.matmul(factor, z)];
  }
  return ops.div(z, ops.sqrt(norm));
}

/**
 * ZCA whitening by what is known of the training rows: (x − μ)(C + εI)^(−1/2), in place. ε is a part of the mean variance: what varies far less is
 * mostly noise, and is left small (Krizhevsky 2009, appendix A).
 */
export function whiten(train: Float32Array, others: readonly Float32Array[], width: number, part = 0.1): void {
  const { mean, covariance } = moments(train, width);
  const one = initializers.identity().sample([width, width]);
  const epsilon = (part * ops.sum(ops.mul(covariance, one)).dataSync()[0]) / width;
  const filter = inverseSquareRoot(ops.add(covariance, ops.mul(one, epsilon)), epsilon);
  for (const x of [train, ...others])
    for (const { values, rows } of pieces(x, width))
      values.set(ops.matmul(ops.sub(rows, mean), filter).dataSync() as Float32Array);
}
