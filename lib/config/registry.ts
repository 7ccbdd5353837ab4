// The classes that configs name: an object ⇄ { className, config }. Families register in their index; nothing here imports them.
import type { Callback } from '../callbacks/callback.js';
import type { Constraint } from '../constraints/constraint.js';
import { DownhillError, nearest, show, suggest } from '../errors.js';
import type { Initializer } from '../initializers/initializer.js';
import type { ActivationFunction } from '../layers/activations.js';
import type { Layer } from '../layers/layer.js';
import type { Loss, LossFunction } from '../losses/loss.js';
import type { Metric, StreamingMetric } from '../metrics/metric.js';
import type { Model } from '../model/model.js';
import { camelCase } from '../names.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import type { Regularizer } from '../regularizers/regularizer.js';
import type { ScheduleLike } from '../schedules/schedule.js';
import { type Config, decode, encode, isPlain, malformed } from './values.js';

/** What each kind of config is rebuilt to. */
export interface Kinds {
  activation: ActivationFunction;
  callback: Callback;
  constraint: Constraint;
  initializer: Initializer;
  layer: Layer;
  loss: Loss | LossFunction;
  metric: Loss | LossFunction | Metric | StreamingMetric;
  model: Model;
  optimizer: Optimizer;
  regularizer: Regularizer;
  schedule: ScheduleLike;
}

export type Kind = keyof Kinds;

/** An object as plain JSON. */
export interface Serialized {
  /** Keras's name of the class; "Function" for a function of the user's own, "Op" for one of `ops`. */
  className: string;
  /** The class is not the library's: it must be among the customObjects. */
  custom?: true;
  config: Config;
}

/** The user's own classes (with getConfig(), and a constructor or static fromConfig that takes its result) and functions, by name. */
export type CustomObjects = Readonly<Record<string, unknown>>;

/** Anything that says of itself what it was made from. */
export interface Configurable {
  getConfig(): Config;
}

interface Maker {
  readonly prototype?: unknown;
  new (config: Config): unknown;
  fromConfig?(config: Config): unknown;
}

/** How one class is rebuilt. */
export interface Entry {
  /** From what getConfig() gave, with the nested objects rebuilt. */
  make: (config: never) => unknown;
  /** The class of the objects, unless they are functions that carry `className`. */
  type?: abstract new (
    ...args: never[]
  ) => unknown;
  /** Options that hold an object, or a list of objects, of a kind; or a number. 'a.b': option b of each item of a. */
  nested?: Readonly<Record<string, Kind>>;
}

interface Family {
  accepts: (value: unknown) => boolean;
  entries: Map<string, Entry>;
}

/** Kinds that a plain function may be. */
const functions: readonly Kind[] = ['activation', 'constraint', 'loss', 'metric', 'regularizer', 'schedule'];

const families = new Map<Kind, Family>();
const classes = new Map<unknown, { className: string; entry: Entry }>();
const operations = new Map<unknown, string>();

/** Names the options of an abstract class that hold objects; registered subclasses and the user's have them too. Before them. */
export function registerBase(type: Entry['type'] & object, nested: Entry['nested']): void {
  classes.set(type, { className: '', entry: { make: () => undefined, type, nested } });
}

/** Registers the classes of a family, by Keras's names. `accepts` checks what customObjects made. */
export function register(
  kind: Kind,
  accepts: (value: unknown) => boolean,
  entries: Readonly<Record<string, Entry>>,
): void {
  const family = families.get(kind) ?? { accepts, entries: new Map<string, Entry>() };
  families.set(kind, family);
  for (const [className, own] of Object.entries(entries)) {
    const inherited = own.type && inheritedNested(own.type);
    const entry = inherited ? { ...own, nested: { ...inherited, ...own.nested } } : own;
    family.entries.set(className, entry);
    if (entry.type) classes.set(entry.type, { className, entry });
  }
}

/** Names functions of the library that users may give as activation, loss, metric or regularizer. */
export function registerOperations(table: Readonly<Record<string, unknown>>): void {
  for (const [name, operation] of Object.entries(table))
    if (typeof operation === 'function') operations.set(operation, name);
}

/** Names of the registered classes of a kind. */
export function registered(kind: Kind): string[] {
  return [...(families.get(kind)?.entries.keys() ?? [])];
}

/**
 * An object with getConfig(), or a function, as plain JSON. Functions of the user's own are stored by their names.
 *
 * @param anonymous name for a function that has none
 * @throws INVALID_ARGUMENT, with the path, when getConfig() gives what JSON cannot hold
 */
export function serialize(object: object, anonymous = 'anonymous'): Serialized {
  const found = describe(object, anonymous);
  if (!found)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `serialize takes an object with getConfig(), or a function; received ${show(object)}.`,
    );
  return found;
}

function describe(object: object, anonymous = 'anonymous'): Serialized | undefined {
  const { getConfig, className, name } = object as { getConfig?: unknown; className?: unknown; name?: unknown };
  const isInstance = typeof object !== 'function' || object.constructor !== Function;
  if (typeof getConfig === 'function' && (isInstance || typeof className === 'string')) {
    if (typeof className === 'string' && typeof object === 'function')
      return { className, config: plain(className, (object as unknown as Configurable).getConfig()) };
    const known = classes.get(object.constructor);
    if (known)
      return { className: known.className, config: plain(known.className, (object as Configurable).getConfig()) };
    const own = object.constructor.name || anonymous;
    return { className: own, custom: true, config: plain(own, (object as Configurable).getConfig()) };
  }
  // A streaming metric of the user's own goes by its name, as a function does.
  const isNamed = typeof (object as { update?: unknown }).update === 'function' && typeof name === 'string';
  if (typeof object !== 'function' && !isNamed) return undefined;
  const operation = operations.get(object);
  if (operation !== undefined) return { className: 'Op', config: { name: operation } };
  return { className: 'Function', config: { name: typeof name === 'string' && name ? name : anonymous } };
}

function plain(className: string, config: unknown): Config {
  if (!isPlain(config)) throw malformed(`${className}.getConfig()`, 'a plain object', config);
  return encode(config, `${className}.getConfig()`, (value) => describe(value) as Config | undefined) as Config;
}

/**
 * The object that serialize() described, or the one of that name with its defaults.
 *
 * @param customObjects the user's own classes and functions by name; they come before the library's
 * @param path names the value in messages
 * @throws UNKNOWN_NAME for a class or function that is neither registered nor in customObjects; INVALID_ARGUMENT and the errors of its
 *   options, with the path inside the config
 */
export function deserialize<K extends Kind>(
  kind: K,
  value: unknown,
  customObjects: CustomObjects = {},
  path: string = kind,
): Kinds[K] {
  return revive(kind, decode(value, path), customObjects, path) as Kinds[K];
}

function revive(kind: Kind, value: unknown, customObjects: CustomObjects, path: string): unknown {
  const family = families.get(kind);
  if (!family) throw new DownhillError('INTERNAL', `Nothing is registered as ${kind}.`);
  const { className, custom, config } = check(kind, value, path);
  const at = typeof value === 'string' ? path : `${path}.className`;
  if (className === 'Function' || className === 'Op') return functionOf(kind, className, config, customObjects, path);
  if (Object.hasOwn(customObjects, className) && typeof value === 'string' && functions.includes(kind))
    return functionOf(kind, 'Function', { name: className }, customObjects, path);
  if (Object.hasOwn(customObjects, className))
    return customOf(kind, family, customObjects[className], config, customObjects, path);
  const models = kind === 'layer' ? families.get('model') : undefined; // a model is a layer, too
  const entry = custom ? undefined : (entryOf(family, className) ?? (models && entryOf(models, className)));
  if (!entry) throw unknown(kind, className, family, at);
  const options = nestedOf(config, entry.nested, customObjects, `${path}.config`);
  return located(`${path}.config`, config, () => entry.make(options as never));
}

/** A name stands for the class with its defaults. */
function check(kind: Kind, value: unknown, path: string): Serialized {
  if (typeof value === 'string' && value !== '') return { className: value, config: {} };
  if (!isPlain(value)) throw malformed(path, `a ${kind}: { className, config }`, value);
  const { className, config = {}, custom } = value;
  if (typeof className !== 'string' || className === '')
    throw malformed(`${path}.className`, `the name of a ${kind} class`, className);
  if (!isPlain(config)) throw malformed(`${path}.config`, 'a plain object', config);
  return custom === true ? { className, custom, config } : { className, config };
}

/** By Keras's name of the class, or spelt as its factory. */
function entryOf({ entries }: Family, name: string): Entry | undefined {
  const camel = camelCase(name);
  const known = entries.get(name) ?? entries.get(camel) ?? entries.get(camel.charAt(0).toUpperCase() + camel.slice(1));
  return known ?? [...entries.values()].find(({ make }) => make.name === camel); // "sgd" for SGD
}

function unknown(kind: Kind, name: string, { entries }: Family, path: string): DownhillError {
  return new DownhillError(
    'UNKNOWN_NAME',
    `${path}: unknown ${kind} "${name}".${suggest(name, entries.keys())} If it is of your own making, pass it with ` +
      `customObjects: { ${/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name)}: … }.`,
  );
}

function functionOf(
  kind: Kind,
  className: string,
  config: Config,
  customObjects: CustomObjects,
  path: string,
): unknown {
  const { name } = config;
  if (typeof name !== 'string') throw malformed(`${path}.config.name`, 'the name of a function', name);
  if (className === 'Op') {
    for (const [operation, known] of operations) if (known === name) return operation;
    const hint = nearest(name, operations.values());
    throw new DownhillError(
      'UNKNOWN_NAME',
      `${path}.config.name: unknown op "${name}".${hint === undefined ? '' : ` Did you mean "${hint}"?`}`,
    );
  }
  const given = Object.hasOwn(customObjects, name) ? customObjects[name] : undefined;
  if (given === undefined) {
    const hint = nearest(name, Object.keys(customObjects));
    throw new DownhillError(
      'UNKNOWN_NAME',
      `${path}.config.name: the ${kind} is a function of your own, "${name}", which a config holds by name only. Pass it with ` +
        `customObjects: { ${name}: … }.${hint === undefined ? '' : ` Given was "${hint}".`}`,
    );
  }
  // A streaming metric is an object.
  if (kind === 'metric' && typeof given === 'object' && families.get(kind)?.accepts(given)) return given;
  if (typeof given !== 'function')
    throw malformed(`customObjects.${name}`, `a function, the ${kind} of ${path}`, given);
  return given.name === name ? given : renamed(given as (...args: unknown[]) => unknown, name);
}

/** Labels of logs and later configs come from the name in the config, whatever the function is called now. */
function renamed(given: (...args: unknown[]) => unknown, name: string): unknown {
  const copy = (...args: unknown[]) => given(...args);
  return Object.defineProperty(copy, 'name', { value: name });
}

function customOf(
  kind: Kind,
  family: Family,
  given: unknown,
  config: Config,
  customObjects: CustomObjects,
  path: string,
): unknown {
  if (typeof given !== 'function')
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${path}: its customObjects entry must be a class or function; received ${show(given)}.`,
    );
  const maker = given as unknown as Maker;
  const options = nestedOf(config, inheritedNested(given), customObjects, `${path}.config`);
  const isClass = typeof (maker.prototype as Partial<Configurable> | undefined)?.getConfig === 'function';
  const object = located(`${path}.config`, config, () => {
    if (typeof maker.fromConfig === 'function') return maker.fromConfig(options);
    return isClass ? new maker(options) : (given as (config: Config) => unknown)(options);
  });
  if (!family.accepts(object))
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `${path}: the customObjects entry "${given.name}" must make a ${kind}; it made ${show(object)}.`,
    );
  return object;
}

/** A subclass of a class of the library has its nested options. */
function inheritedNested(given: object): Entry['nested'] {
  for (let level: unknown = given; typeof level === 'function'; level = Object.getPrototypeOf(level)) {
    const known = classes.get(level);
    if (known) return known.entry.nested;
  }
  return undefined;
}

function nestedOf(config: Config, nested: Entry['nested'], customObjects: CustomObjects, path: string): Config {
  if (!nested) return config;
  const options = { ...config };
  for (const [option, kind] of Object.entries(nested)) {
    const [outer, inner] = option.split('.');
    if (inner !== undefined) {
      const list = options[outer];
      if (!Array.isArray(list)) continue;
      options[outer] = list.map((item, i) =>
        isPlain(item) ? nestedOf(item, { [inner]: kind }, customObjects, `${path}.${outer}[${i}]`) : item,
      );
      continue;
    }
    const value = Object.hasOwn(config, option) ? config[option] : undefined;
    if (value === undefined || value === null || typeof value === 'number') continue;
    options[option] = Array.isArray(value)
      ? value.map((item, i) => revive(kind, item, customObjects, `${path}.${option}[${i}]`))
      : revive(kind, value, customObjects, `${path}.${option}`);
  }
  return options;
}

/** Errors of options gain the path of the config, with the option where the message names one. */
function located<T>(path: string, config: Config, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof DownhillError)) throw error;
    const option = /^[\w.]+: (?:unknown option ")?(\w+)/.exec(error.message)?.[1];
    const at = option !== undefined && Object.hasOwn(config, option) ? `${path}.${option}` : path;
    throw new DownhillError(error.code, `${at}: ${error.message}`, { cause: error });
  }
}
