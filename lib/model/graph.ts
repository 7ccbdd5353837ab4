// The calls of layers between some symbolic values and others, in an order in which they can be made.
import { DownhillError } from '../errors.js';
import { InputLayer } from '../layers/core/input.js';
import type { Layer } from '../layers/layer.js';
import type { LayerCall, LayerOutput } from '../layers/output.js';

export interface LayerGraph {
  /** Each after those whose outputs it takes; without the inputs. */
  calls: readonly LayerCall[];
  /** Each once, those of the inputs too, in Keras's order, which is that of the weights. */
  layers: readonly Layer[];
  /** The most calls from a call to the outputs, by call. */
  depths: ReadonlyMap<LayerCall, number>;
}

/**
 * @param where names the model in messages
 * @param inputs what is known: outputs of input layers, or of any others, which are then not looked behind
 * @throws INVALID_ARGUMENT, naming the value that the inputs do not lead to
 */
export function graphBetween(
  where: string,
  inputs: readonly LayerOutput[],
  outputs: readonly LayerOutput[],
): LayerGraph {
  const given = new Set(inputs);
  const visited = new Set<LayerCall>();
  const ordered: LayerCall[] = [];
  /** In the order in which the walk back from the outputs meets them. */
  const met = new Map<Layer, number>();
  const reach = (output: LayerOutput, asked: LayerCall | null): void => {
    const { call } = output;
    const known = given.has(output);
    if (known && !(call.layer instanceof InputLayer)) return;
    if (visited.has(call)) return;
    if (!known && call.inputs.length === 0) throw disconnected(where, output, asked, ordered);
    visited.add(call);
    if (!met.has(call.layer)) met.set(call.layer, met.size);
    for (const input of call.inputs) reach(input, call);
    ordered.push(call);
  };
  for (const output of outputs) reach(output, null);
  for (const { call } of inputs) if (call.layer instanceof InputLayer && !visited.has(call)) met.set(call.layer, -1);
  const { calls: depths, layers: layerDepths } = depthsOf(ordered, given);
  const depth = (layer: Layer) => layerDepths.get(layer) ?? 0;
  const layers = [...met.keys()].sort((a, b) => depth(b) - depth(a) || met.get(a)! - met.get(b)!);
  return { calls: ordered.filter(({ inputs: own }) => own.length > 0), layers, depths };
}

/** As Keras: a layer that is called several times is as deep as the deepest of those calls that come later. */
function depthsOf(ordered: readonly LayerCall[], given: ReadonlySet<LayerOutput>) {
  const calls = new Map<LayerCall, number>();
  const layers = new Map<Layer, number>();
  for (const call of [...ordered].reverse()) {
    const depth = Math.max(calls.get(call) ?? 0, layers.get(call.layer) ?? 0);
    calls.set(call, depth);
    layers.set(call.layer, depth);
    for (const input of call.inputs)
      if (!given.has(input) || input.layer instanceof InputLayer)
        calls.set(input.call, Math.max(depth + 1, calls.get(input.call) ?? 0));
  }
  return { calls, layers };
}

function disconnected(
  where: string,
  output: LayerOutput,
  asked: LayerCall | null,
  reached: readonly LayerCall[],
): DownhillError {
  const by = asked ? `layer "${asked.layer.name}" needs it` : 'it is an output';
  const names = [...new Set(reached.map(({ layer }) => layer.name))];
  return new DownhillError(
    'INVALID_ARGUMENT',
    `${where}: the graph is disconnected: ${output} does not follow from the inputs, and ${by}. Put it among the inputs.` +
      (names.length > 0 ? ` Reached so far: ${names.join(', ')}.` : ''),
  );
}
