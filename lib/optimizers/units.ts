// What adaptive clipping takes for one unit.
import { type Shape, sizeOf } from '../tensor/shape.js';

/** Units of adaptive clipping, side by side in memory: outputs of a kernel; one where all is one vector. As optax. */
export function unitsOf(shape: Shape): number {
  const rank = shape.length;
  if (shape.filter((n) => n !== 1).length <= 1) return 1;
  return Math.max(1, rank <= 3 ? sizeOf(shape.slice(1)) : shape[rank - 1]);
}
