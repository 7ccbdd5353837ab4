// Sparse rows in a traced function.
import type { Shape } from '../tensor/shape.js';
import type { SymbolicTensor } from './symbolic.js';
import type { Trace } from './trace.js';

/** A matrix [rows, columns] as the values that are not 0, row by row (CSR); there may be room for more than there are. */
export class SymbolicSparse {
  readonly shape: Shape;

  /**
   * @param indptr int32 [rows + 1]: row i has the values from indptr[i] up to indptr[i + 1]
   * @param indices int32, the column of each value; they ascend within a row
   */
  constructor(
    readonly indptr: SymbolicTensor,
    readonly indices: SymbolicTensor,
    readonly values: SymbolicTensor,
    readonly columns: number,
  ) {
    this.shape = [indptr.size - 1, columns];
  }

  /** The next three inputs of a trace. `room`: for values. */
  static input(trace: Trace, rows: number, columns: number, room: number, label: string): SymbolicSparse {
    const indptr = trace.input([rows + 1], 'int32', `${label}.indptr`);
    const indices = trace.input([room], 'int32', `${label}.indices`);
    return new SymbolicSparse(indptr, indices, trace.input([room], 'float32', `${label}.values`), columns);
  }

  /** Other values in the same places. */
  with(values: SymbolicTensor): SymbolicSparse {
    return new SymbolicSparse(this.indptr, this.indices, values, this.columns);
  }
}
