/** Training by `fit`, data in memory. Time: microseconds per step. */
export interface TrainCase {
  kind: 'train';
  name: string;
  title: string;
  /** Widths from the input to the classes. */
  widths: number[];
  activation: 'sigmoid' | 'relu';
  optimizer: 'sgd' | 'adam';
  /** Rate after each hidden layer; 0: none. */
  dropout: number;
  batchSize: number;
  /** Batches in the data set: an epoch. */
  batches: number;
  shuffle: boolean;
  /** Epochs in one sample, and samples in one process. */
  epochs: number;
  samples: number;
}

/** One product (m, k) x (k, n) of float32 matrices per call. Time: microseconds per call. */
export interface MatmulCase {
  kind: 'matmul';
  name: string;
  title: string;
  m: number;
  k: number;
  n: number;
  /** Calls in one sample, and samples in one process. */
  calls: number;
  samples: number;
}

/** One update of many parameters from given gradients. Time: microseconds per update. */
export interface UpdateCase {
  kind: 'update';
  name: string;
  title: string;
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
  /** Updates in one sample, and samples in one process. */
  calls: number;
  samples: number;
}

export type Case = TrainCase | MatmulCase | UpdateCase;

/** What a contender prints: one JSON line. */
export interface Outcome {
  versions: Record<string, string>;
  /** Microseconds per step or call, one number per sample. */
  samples: number[];
  /** Processor time of the whole process, start-up included. */
  cpuSeconds: number;
}
