// Penalties on what layers give, collected while the steps of a model are traced.
import * as ops from '../graph/ops.js';
import type { Result } from '../graph/signatures.js';
import type { SymbolicTensor } from '../graph/symbolic.js';
import { penaltyFor, type Regularizer } from '../regularizers/regularizer.js';

let collected: SymbolicTensor[] | null = null;

/** What `body` gives, and the penalties on the outputs of the layers that it applied. */
export function withActivityPenalties<T>(body: () => T): { result: T; penalties: SymbolicTensor[] } {
  const before = collected;
  const penalties: SymbolicTensor[] = [];
  collected = penalties;
  try {
    return { result: body(), penalties };
  } finally {
    collected = before;
  }
}

/** The penalty divided by the rows of the output [n, …], as in Keras, where somebody collects them. */
export function penalizeActivity(layer: string, regularizer: Regularizer, output: Result): void {
  if (!collected) return;
  const penalty = penaltyFor(`activityRegularizer of ${layer}`, regularizer, output) as SymbolicTensor;
  const rows = output.shape[0] ?? 1;
  collected.push(rows > 1 ? ops.div(penalty, rows) : penalty);
}
