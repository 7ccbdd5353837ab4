export type Precision = 'float32' | 'tf32' | 'bfloat16';

interface Common {
  name: string;
  title: string;
  /** Of matrix products on our side; where it is not float32, our own float32 runs beside it in place of the peers. */
  precision?: Precision;
  /** Samples in one process. */
  samples: number;
}

/** Training by `fit`, data in memory. Time: microseconds per step. */
export interface TrainCase extends Common {
  kind: 'train';
  /** Widths from the input to the classes. */
  widths: number[];
  /** In front of these: an LSTM of widths[1] units over sequences of so many steps of widths[0] features; its last state goes to widths[2]. */
  steps?: number;
  /**
   * In front of these: images [side, side, channels], and for each of the filters a convolution of 5 x 5 with padding "same", the activation,
   * and a pool of the largest of 3 x 3 in steps of 2. What comes of them is flattened to widths[0].
   */
  images?: { side: number; channels: number; filters: number[] };
  /**
   * A language model: so many tokens a row become vectors of widths[0], with one of each position added; blocks x + attention(norm x), causal, then
   * x + dense(gelu(dense(norm x))) of 4 widths[0]; a norm, and the classes of each step, the vocabulary.
   */
  transformer?: { context: number; heads: number; blocks: number };
  activation: 'sigmoid' | 'relu';
  optimizer: 'sgd' | 'adagrad' | 'adam' | 'adamw';
  /** Rate after each hidden layer; 0: none. */
  dropout: number;
  batchSize: number;
  /** Batches in the data set: an epoch. */
  batches: number;
  shuffle: boolean;
  /** Of sparse rows: values that are not 0 in each; absent: rows are dense. */
  nonzeros?: number;
  /** In front of the layers: so many indices a row into a table of vectors. The first width is that of the vectors side by side. */
  embedding?: { words: number; length: number };
  /** Epochs in one sample. */
  epochs: number;
}

/** One product (m, k) x (k, n) of float32 matrices per call. Time: microseconds per call. */
export interface MatmulCase extends Common {
  kind: 'matmul';
  m: number;
  k: number;
  n: number;
  /** Calls in one sample. */
  calls: number;
}

/** One update of many parameters from given gradients. Time: microseconds per update. */
export interface UpdateCase extends Common {
  kind: 'update';
  /** Name of ours, and of PyTorch's class. */
  optimizer: string;
  torch: string;
  /** Of PyTorch's class, and ours: formulas of PyTorch on both sides. */
  options: Record<string, number | boolean>;
  torchOptions: Record<string, number | boolean>;
  /** Tensors, and elements of each. */
  tensors: number;
  elements: number;
  /** Arrays that are read or written once per element: g, p, p, and each slot twice. */
  arrays: number;
  /** Updates in one sample. */
  calls: number;
}

export type Case = TrainCase | MatmulCase | UpdateCase;

/** What a contender prints for a case: one JSON line. */
export interface Outcome {
  versions: Record<string, string>;
  /** Microseconds per step or call, one number per sample. */
  samples: number[];
  /** Processor time of the process since the last outcome, start-up included. */
  cpuSeconds: number;
  /** Which of several ways it has chosen. */
  way?: string;
}

/** In place of an outcome: the contender has no such thing, or it failed. */
export interface Refusal {
  unsupported: string;
}
