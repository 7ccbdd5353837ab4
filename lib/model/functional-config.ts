// The graph of a functional model as plain JSON: its calls in order, and which values are its inputs and outputs.
import { type Config, isPlain, malformed } from '../config/values.js';
import { DownhillError, show } from '../errors.js';
import { InputLayer } from '../layers/core/input.js';
import { Layer } from '../layers/layer.js';
import { connect, type LayerCall, LayerOutput } from '../layers/output.js';
import { Options } from '../options.js';
import type { FunctionalOptions, LayerOutputs } from './functional.js';
import type { Precision } from './model.js';
import { walkLayers } from '../layers/names.js';
import type { Form } from './ports.js';

/** A value: [name of its layer, which call of it in the model, which output of that call]. */
type Reference = readonly [layer: string, call: number, output: number];
type References = Reference | readonly Reference[] | Readonly<Record<string, Reference>>;

interface CallConfig {
  layer: string;
  inputs: readonly Reference[];
  training?: boolean;
}

export interface FunctionalConfig {
  name?: string;
  precision?: Precision;
  recompute?: boolean;
  /** Left out where it is true. */
  trainable?: boolean;
  /** Made already. */
  layers: readonly Layer[];
  calls: readonly CallConfig[];
  inputs: References;
  outputs: References;
}

/** Values in their order, and their form; `keys` of an object, sorted as in Keras. */
export interface Structure {
  form: Form;
  values: readonly LayerOutput[];
  keys: readonly string[] | null;
}

export function structureOf(what: string, given: unknown): Structure {
  const check = (value: unknown, place: string): LayerOutput => {
    if (value instanceof LayerOutput) return value;
    const hint =
      value instanceof Layer ? ' A layer is not a value yet: apply it to one, or begin with input({ shape }).' : '';
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what}${place} must be a symbolic value, of input({ shape }) or of a layer applied to one; received ${show(value)}.${hint}`,
    );
  };
  const empty = () => new DownhillError('INVALID_ARGUMENT', `${what} must not be empty.`);
  if (Array.isArray(given)) {
    if (given.length === 0) throw empty();
    return { form: 'list', values: given.map((value, i) => check(value, `[${i}]`)), keys: null };
  }
  if (isPlain(given)) {
    const keys = Object.keys(given).sort();
    if (keys.length === 0) throw empty();
    return { form: 'record', values: keys.map((key) => check(given[key], `.${key}`)), keys };
  }
  return { form: 'one', values: [check(given, '')], keys: null };
}

/** Which call of its layer each call is. */
export function callIndices(calls: readonly LayerCall[]): Map<LayerCall, number> {
  const counts = new Map<Layer, number>();
  return new Map(
    calls.map((call) => {
      const index = counts.get(call.layer) ?? 0;
      counts.set(call.layer, index + 1);
      return [call, index];
    }),
  );
}

/** Throws UNSUPPORTED for a layer that is in a model by two ways, which a config would make two layers of. */
export function checkNoneTwice(net: Layer): void {
  const paths = new Map<Layer, string>();
  walkLayers(net, (layer, path) => {
    const other = paths.get(layer);
    if (other !== undefined)
      throw new DownhillError(
        'UNSUPPORTED',
        `model "${net.name}": one layer is "${other}" and "${path}": a config cannot hold a layer that is shared with a model within the model. ` +
          'Apply that model twice, or make a model of the layer.',
      );
    paths.set(layer, path);
  });
}

interface Ends {
  inputs: LayerOutputs;
  outputs: LayerOutputs;
  stands: ReadonlyMap<LayerOutput, LayerOutput>;
}

function mapped<T, R>(
  given: T | readonly T[] | Readonly<Record<string, T>>,
  isOne: (value: unknown) => boolean,
  to: (value: T) => R,
) {
  if (isOne(given)) return to(given as T);
  if (Array.isArray(given)) return (given as readonly T[]).map(to);
  return Object.fromEntries(Object.entries(given as Record<string, T>).map(([key, value]) => [key, to(value)]));
}

function write(calls: readonly LayerCall[], { inputs, outputs, stands }: Ends): Config {
  const indices = callIndices(calls);
  const refer = (value: LayerOutput): Reference => {
    const known = stands.get(value) ?? value;
    return [known.name, indices.get(known.call) ?? 0, known.index];
  };
  const ends = (given: LayerOutputs) => mapped(given, (value) => value instanceof LayerOutput, refer);
  return {
    calls: calls.map(({ layer, inputs: own, training }) => ({
      layer: layer.name,
      inputs: own.map(refer),
      ...(training !== undefined && { training }),
    })),
    inputs: ends(inputs),
    outputs: ends(outputs),
  };
}

function isReference(value: unknown): value is Reference {
  return (
    Array.isArray(value) &&
    value.length === 3 &&
    typeof value[0] === 'string' &&
    [value[1], value[2]].every((index) => Number.isInteger(index) && index >= 0)
  );
}

/** Makes the calls again; the options of the model. */
function read(config: FunctionalConfig): FunctionalOptions {
  const options = new Options<FunctionalConfig>('model', config, [
    'name',
    'precision',
    'recompute',
    'trainable',
    'layers',
    'calls',
    'inputs',
    'outputs',
  ]);
  const layers = options.required('layers');
  if (!Array.isArray(layers)) throw malformed(options.what('layers'), 'a list of layers', layers);
  const byName = new Map(layers.map((layer: Layer) => [layer.name, layer]));
  const made = new Map<string, LayerCall[]>();
  for (const layer of layers) if (layer instanceof InputLayer) made.set(layer.name, [layer.output.call]);
  const find = (what: string, reference: unknown): LayerOutput => {
    if (!isReference(reference)) throw malformed(what, '[layer, call, output]', reference);
    const [name, call, output] = reference;
    const found = made.get(name)?.[call]?.outputs[output];
    if (found) return found;
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${what}: there is no output ${output} of call ${call} of a layer "${name}" before it.`,
    );
  };
  const calls: unknown = options.required('calls');
  if (!Array.isArray(calls)) throw malformed(options.what('calls'), 'a list of calls', calls);
  calls.forEach((call: unknown, i) => {
    const what = `${options.what('calls')}[${i}]`;
    const { layer: name, inputs, training } = isPlain(call) ? call : {};
    const layer = typeof name === 'string' ? byName.get(name) : undefined;
    const flag = training === undefined || typeof training === 'boolean';
    if (!layer || !Array.isArray(inputs) || inputs.length === 0 || !flag || layer instanceof InputLayer)
      throw malformed(what, 'the call of a layer of the model: { layer, inputs }', call);
    const values = inputs.map((input: unknown, j) => find(`${what}.inputs[${j}]`, input));
    if (values.length > 1 && !layer.takesSeveral) throw malformed(`${what}.inputs`, 'one value', inputs);
    const [{ call: done }] = connect(layer, values, training as boolean | undefined);
    made.set(layer.name, [...(made.get(layer.name) ?? []), done]);
  });
  const ends = (key: 'inputs' | 'outputs') =>
    mapped(options.required(key), isReference, (reference) => find(options.what(key), reference));
  const { name, precision, recompute } = options.raw;
  options.flag('trainable', true);
  return { inputs: ends('inputs'), outputs: ends('outputs'), name, precision, recompute };
}

export const graphConfig = { read, write };
