// What a training step takes of memory, before it is made.
import { binding } from '../binding/index.js';
import type { Weight } from '../layers/weight.js';
import { Options } from '../options.js';
import { elementBytes, sizeOf } from '../tensor/shape.js';
import type { Compiled } from './compiled.js';
import type { Network } from './network.js';
import type { Trainer } from './trainer.js';

/** What views in arenas are aligned to, in bytes. */
const kAlignment = 64;

export interface MemoryOptions {
  /** Rows of a step; by default those of the latest training, or 32. */
  batchSize?: number;
}

/** Bytes of a training step, on the model's device. */
export interface Memory {
  /** Weights, trained or not. */
  parameters: number;
  /** Of the weights that are trained. */
  gradients: number;
  /** Slots, moving averages and accumulated gradients. */
  optimizer: number;
  /** What forward and backward pass compute, at their planned peak: activations that are kept, gradients of activations, and what lies between. */
  activations: number;
  /** What single ops need beside their results. */
  scratch: number;
  /** Rows that are gathered: the batch, on the CPU mostly with the next one. */
  batch: number;
  total: number;
  /** Ops that the backward pass computes again, because of `recompute` or `memoryLimit`. */
  recomputed: number;
}

const bytesOf = (sizes: readonly number[]) =>
  sizes.reduce((sum, size) => sum + Math.ceil((size * elementBytes) / kAlignment) * kAlignment, 0);

/** What lasts from step to step. */
export function lastingBytes(
  { weights }: Network,
  { optimizer }: Compiled,
  trained: readonly Weight[],
): Pick<Memory, 'parameters' | 'gradients' | 'optimizer'> {
  const slots = trained.flatMap(({ variable }) => optimizer.slotShapes(variable));
  return {
    parameters: bytesOf(weights.map(({ size }) => size)),
    gradients: bytesOf(trained.map(({ size }) => size)),
    optimizer: bytesOf(slots.map(({ shape }) => sizeOf(shape))),
  };
}

/** The limit of a training program, as the addon takes it. */
export function limitOf(
  network: Network,
  compiled: Compiled,
  trained: readonly Weight[],
): { bytes: number; other: number } | null {
  if (compiled.memoryLimit === null) return null;
  const { parameters, gradients, optimizer } = lastingBytes(network, compiled, trained);
  return { bytes: compiled.memoryLimit, other: parameters + gradients + optimizer };
}

/** @throws NOT_COMPILED, MEMORY_LIMIT, and what reading the options throws */
export function memoryOf(trainer: Trainer, options: MemoryOptions | undefined): Memory {
  const { network, compiled } = trainer;
  const read = new Options<MemoryOptions>('memory', options, ['batchSize']);
  const latest = trainer.latest('train');
  const rows = read.count('batchSize', latest.rows, { min: 1 });
  const room = latest.room === null ? null : Math.ceil((latest.room * rows) / latest.rows); // values of sparse rows
  const program = trainer.program('train', rows, latest.types, room);
  const { arenaBytes, workspaceBytes, batchBytes, again } = binding.programStats(program);
  const lasting = lastingBytes(
    network,
    compiled,
    network.weights.filter(({ trainable }) => trainable),
  );
  const parts = { ...lasting, activations: arenaBytes, scratch: workspaceBytes - arenaBytes, batch: batchBytes };
  const total = Object.values(parts).reduce((sum, bytes) => sum + bytes, 0);
  return { ...parts, total, recomputed: again };
}
