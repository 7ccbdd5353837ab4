// Checks of what applyGradients, minimize and the like are given.
import { DownhillError, show } from '../errors.js';
import type { TensorLike } from '../tensor/convert.js';
import { asTensor } from '../tensor/make.js';
import { sameShape, shapeText } from '../tensor/shape.js';
import { storageOf, type Tensor } from '../tensor/tensor.js';
import { Variable } from '../tensor/variable.js';

/** @param where the method, for messages */
export function checkPairs(
  where: string,
  pairs: Iterable<readonly [TensorLike, Variable]>,
): { gradients: Tensor[]; variables: Variable[] } {
  const list = isIterable(pairs) ? [...pairs] : null;
  if (!list?.every((pair) => Array.isArray(pair) && pair.length === 2))
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${where} takes a list of pairs [gradient, variable]; received ${show(pairs)}.`,
    );
  const variables = list.map(([, variable]) => variable);
  checkVariables(where, variables);
  const gradients = list.map(([gradient, variable]) => {
    const tensor = asTensor(`${where}: the gradient of "${variable.name}"`, gradient, 'float32');
    if (!sameShape(tensor.shape, variable.shape) || tensor.dtype !== 'float32')
      throw new DownhillError(
        'SHAPE_MISMATCH',
        `${where}: the gradient of "${variable.name}" must be float32 of shape ${shapeText(variable.shape)}; ` +
          `received ${tensor.dtype} of shape ${shapeText(tensor.shape)}.`,
      );
    return tensor;
  });
  return { gradients, variables };
}

/** @param where the method, for messages */
export function checkVariables(where: string, variables: readonly Variable[]): void {
  if (!Array.isArray(variables))
    throw new DownhillError('INVALID_ARGUMENT', `${where} takes a list of Variables; received ${show(variables)}.`);
  for (const variable of variables as unknown[]) {
    if (!(variable instanceof Variable))
      throw new DownhillError(
        'INVALID_ARGUMENT',
        `${where} updates Variables, made by variable(…); received ${show(variable)}.`,
      );
    if (variable.dtype !== 'float32')
      throw new DownhillError(
        'DTYPE_MISMATCH',
        `${where}: "${variable.name}" is ${variable.dtype}; only float32 is updated.`,
      );
    if (!variable.trainable)
      throw new DownhillError('INVALID_ARGUMENT', `${where}: "${variable.name}" is not trainable. Leave it out.`);
    storageOf(variable);
  }
  if (new Set(variables).size !== variables.length)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${where}: a Variable is listed twice. Add its gradients up and list it once.`,
    );
}

function isIterable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}
