// Names of lists of variables, for caches.
import type { Variable } from '../tensor/variable.js';

const ids = new WeakMap<Variable, number>();
let next = 0;

/** Equal for equal lists of variables only. */
export function idsOf(variables: Iterable<Variable>): string {
  return [...variables]
    .map((variable) => {
      if (!ids.has(variable)) ids.set(variable, next++);
      return ids.get(variable);
    })
    .join();
}
