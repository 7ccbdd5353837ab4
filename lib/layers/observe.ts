// Looking at what layers give while a model is traced.
import { SymbolicTensor } from '../graph/symbolic.js';
import type { Computed, Layer } from './layer.js';

/** Sees what a layer gives while a model is traced, and gives what the next layer takes. */
export type LayerObserver = (layer: Layer, output: SymbolicTensor) => SymbolicTensor;

let observer: LayerObserver | null = null;

/** Runs `body`; each layer that is applied in a trace meanwhile shows its output to `see`. */
export function observeLayers<T>(see: LayerObserver, body: () => T): T {
  const outer = observer;
  observer = see;
  try {
    return body();
  } finally {
    observer = outer;
  }
}

/** The output, as observers have seen it. */
export function observed(layer: Layer, output: Computed): Computed {
  return observer && output instanceof SymbolicTensor ? observer(layer, output) : output;
}
