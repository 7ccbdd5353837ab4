// The state of a file for the model that is to go on from it: read and checked whole, then put in place at once.
import { binding, type Storage } from '../binding/index.js';
import { compileConfig } from '../config/model.js';
import { DownhillError } from '../errors.js';
import { arenaLike, type Weight } from '../layers/weight.js';
import type { Model } from '../model/model.js';
import { weightNames } from '../layers/names.js';
import { setRandomState } from '../random.js';
import type { Slot } from '../optimizers/slots.js';
import { storageOf } from '../tensor/tensor.js';
import type { CheckedFitOptions } from '../training/fit-options.js';
import { Claims, type Position, positionFromJson } from '../training/position.js';
import type { Trainer } from '../training/trainer.js';
import { type Description, describeModel } from './description.js';
import { differences, listed } from './differences.js';
import { checkAllKnown, slotEntries, StateTensors, weightEntries } from './entries.js';
import { readHead, readTensors } from './safetensors.js';
import { missingSeeds, restoreSeeds } from './seeds.js';

export interface Resume {
  /** Null: the file was saved before its model was in a fit, so that the fit begins at its start. */
  position: Position | null;
  /** Puts the state in place, when the data have as many rows as they had. Rejects, and changes nothing, otherwise. */
  apply(rows: number | null, validationRows: number | null): Promise<void>;
}

/** Values that may differ: what the file decides, names that nobody reads, and what changes memory alone. */
function decidedByFile(path: string): boolean {
  return /^(model\.config\.name|.*\.seed|.*\.recompute|compile\.memoryLimit|compile\.optimizer\.config\.(name|(groups\[\d+\]\.)?learningRate))$/.test(
    path,
  );
}

/** Reads a file of the same model, compiled in the same way, in a fit with the same options. */
export async function readResume(
  path: string,
  net: Model,
  trainer: Trainer,
  options: CheckedFitOptions,
): Promise<Resume> {
  const head = await readHead(path);
  const description = describeModel(path, head);
  buildAs(net, description.model);
  checkSame(path, net, description);
  checkProducts(path, net, description);
  checkSeeds(path, net, description);
  const [rate, ...groupRates] = ratesOf(path, description);
  const { optimizer } = trainer.compiled;
  const state = new StateTensors(path, head);
  const position =
    description.training === undefined
      ? null
      : positionFromJson(`${path}: state.training`, state.place(description.training), trainer.sums);
  if (position) checkOptions(path, position, options);
  const { weights } = net;
  const names = weightNames(net);
  const entries = weightEntries(path, head, names);
  const slots = slotEntries(path, head, names, optimizer);
  const all = [...entries, ...slots.entries.flat()];
  checkAllKnown(path, head, all);
  const staged = {
    weights: arenaLike(weights),
    slots: optimizer.layOutSlots(slots.weights.map((weight) => weight.variable)),
  };
  const storages = [...staged.weights, ...storagesOf(staged.slots), ...state.storages];
  await readTensors(path, head, [...all, ...state.entries], storages);
  return {
    position,
    async apply(rows, validationRows) {
      trainer.checkAlive();
      if (position) checkRows(path, position, rows, validationRows);
      await put(net, trainer, slots.weights, staged, description);
      if (rate !== null) optimizer.learningRate = rate;
      for (const [i, value] of groupRates.entries()) if (value !== null) optimizer.groups[i].learningRate = value;
      restoreSeeds(net, description.seeds);
      trainer.retrace();
    },
  };
}

/** A model that waits for its data has the file's shape. */
function buildAs(net: Model, model: unknown): void {
  if (net.built) return;
  const shape = (model as { config?: { inputShape?: unknown } } | undefined)?.config?.inputShape;
  if (Array.isArray(shape)) net.build(shape as number[]);
}

function refuse(path: string, what: string, found: readonly string[]): void {
  if (found.length === 0) return;
  throw new DownhillError('INVALID_ARGUMENT', `fit: resume: ${path} is of ${what}: ${listed(found)}.`);
}

function checkSame(path: string, net: Model, { model, compile }: Description): void {
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  refuse(path, 'another model', differences(model, plain(net), 'model', decidedByFile));
  if (!compile)
    throw new DownhillError(
      'INVALID_ARGUMENT',
      `fit: resume: ${path} was saved before compile(): it has no optimizer.`,
    );
  const here = plain(compileConfig(net));
  const found = [...differences(compile, here, 'compile', decidedByFile), ...scheduleDifferences(compile, here)];
  refuse(path, 'a model compiled otherwise', found);
}

/** The same precision may be another arithmetic on another processor. */
function checkProducts(path: string, net: Model, { products }: Description): void {
  if (products === undefined) return;
  const here = binding.products(net.device, net.precision);
  if (products === here) return;
  throw new DownhillError(
    'UNSUPPORTED',
    `fit: resume: ${path} is of a run with precision "${net.precision}" whose matrix products were ${products}; on this device they are ${here}. Go on ` +
      'where it ran, or begin another fit from its weights: loadModel, or net.loadWeights.',
  );
}

/** Layers without a seed in the file would draw other numbers than those of its run. */
function checkSeeds(path: string, net: Model, { seeds }: Description): void {
  const missing = missingSeeds(net, seeds);
  if (missing.length === 0) return;
  throw new DownhillError(
    'UNSUPPORTED',
    `fit: resume: ${path} has no seed for ${listed(missing.map((name) => `"${name}"`))}, what draws while it trains: the run would not go on as it began. ` +
      'Begin another fit from its weights: loadModel, or net.loadWeights.',
  );
}

interface RateOwner {
  learningRate?: unknown;
}

/** The optimizer's config and those of its groups, with their paths. */
function rateOwners(compile: unknown): [path: string, config: RateOwner][] {
  const { config = {} } =
    (compile as { optimizer?: { config?: RateOwner & { groups?: RateOwner[] } } }).optimizer ?? {};
  const path = 'compile.optimizer.config';
  const groups = Array.isArray(config.groups) ? config.groups : [];
  return [[path, config], ...groups.map((group, i): [string, RateOwner] => [`${path}.groups[${i}]`, group])];
}

/** A number is the file's to decide; schedules must agree. */
function scheduleDifferences(file: unknown, here: unknown): string[] {
  const ours = rateOwners(here);
  return rateOwners(file).flatMap(([path, { learningRate }], i) => {
    const mine = ours[i]?.[1].learningRate;
    const decided = typeof learningRate === 'number' && typeof mine !== 'object';
    return decided ? [] : differences(learningRate, mine, `${path}.learningRate`, () => false);
  });
}

function checkOptions(path: string, position: Position, options: CheckedFitOptions): void {
  const given = { ...options, groups: options.groups?.sizes.length ?? null };
  const found = (['batchSize', 'shuffle', 'replacement', 'groups', 'stepsPerEpoch'] as const).flatMap((key) =>
    differences(position[key], given[key], key, () => false),
  );
  refuse(path, 'a fit with other options', found);
}

function checkRows(path: string, position: Position, rows: number | null, validationRows: number | null): void {
  refuse(path, 'a fit of other data', [
    ...differences(position.rows, rows, 'rows', () => false),
    ...differences(position.validationRows, validationRows, 'rows of validation', () => false),
  ]);
  const { feed, batchSize, replacement, stepsPerEpoch } = position;
  const where = new Claims(`${path}: state.training`, {});
  if ((rows === null) !== (feed.kind === 'batches')) where.fail('feed', 'that of the data');
  const batches = replacement && stepsPerEpoch > 0 ? stepsPerEpoch : Math.ceil((rows ?? 0) / batchSize);
  if (rows !== null && feed.last.steps > batches)
    where.fail('feed.last.steps', `at most the ${batches} batches of the data`);
}

/** The learning rates to go on with, of the optimizer and of its groups; null for what is no number. */
function ratesOf(path: string, { compile }: Description): (number | null)[] {
  return rateOwners(compile).map(([where, { learningRate: rate }]) => {
    if (typeof rate !== 'number') return null;
    if (!(Number.isFinite(rate) && rate >= 0))
      new Claims(`${path}: ${where}`, {}).fail('learningRate', 'a finite number at least 0');
    return rate;
  });
}

interface Staged {
  weights: readonly Storage[];
  /** By weight. */
  slots: readonly (readonly Slot[])[];
}

const storagesOf = (slots: readonly (readonly Slot[])[]) => slots.flat().map(({ storage }) => storage);

/** Slots that do not exist yet become the optimizer's own; all else is copied under one lock. */
async function put(
  net: Model,
  trainer: Trainer,
  slotted: readonly Weight[],
  staged: Staged,
  description: Description,
): Promise<void> {
  const { optimizer } = trainer.compiled;
  const variables = slotted.map((weight) => weight.variable);
  const fresh = variables.every((variable) => optimizer.slotsOf(variable) === null);
  const made = fresh ? [] : optimizer.makeSlots(variables);
  const from = [...staged.weights, ...(fresh ? [] : storagesOf(staged.slots))];
  await binding.storagesCopyAsync(from, [
    ...net.weights.map((weight) => storageOf(weight.variable)),
    ...storagesOf(made),
  ]);
  for (const storage of from) binding.storageDispose(storage);
  if (slotted.length === 0) optimizer.forget();
  else if (fresh) optimizer.adoptSlots(variables, staged.slots);
  optimizer.restore(description);
  if (description.random) setRandomState(description.random);
}
