// Profiles of a model's programs: a training step on copies of its weights, or a prediction.
import { binding } from '../binding/index.js';
import { SparseRows } from '../data/sparse-rows.js';
import { DownhillError } from '../errors.js';
import { arenaLike, gradientsLike } from '../layers/weight.js';
import { Options } from '../options.js';
import {
  type Profile,
  type ProfileJob,
  type ProfileOptions,
  type ProfilePart,
  profileJob,
  profileKeys,
  readProfileOptions,
} from '../profile/profile.js';
import { toSource } from '../tensor/convert.js';
import { elementBytes, type Shape, sizeOf } from '../tensor/shape.js';
import { storageOf, Tensor } from '../tensor/tensor.js';
import { Variable } from '../tensor/variable.js';
import type { ByPort } from '../model/ports.js';
import {
  type Column,
  type Columns,
  datasetOf,
  inOrder,
  type InputLike,
  inputColumns,
  type RowType,
  type Targets,
  targetColumns,
} from './columns.js';
import { type RowTypes, trainProgram, typesOf } from './programs.js';
import type { Trainer } from './trainer.js';

/** As describe(), a profile is of the latest training step, or of a prediction of as many rows, unless the options say otherwise. */
export interface ModelProfileOptions extends ProfileOptions {
  /** Inputs, as for fit; by default random numbers in [0, 1), or zeros where they are int32. */
  x?: ByPort<InputLike>;
  /** Targets, with x; by default random numbers, or zeros where they are labels. Of training. */
  y?: Targets;
  /** Rows of a batch. */
  batchSize?: number;
  /** Whether rows are gathered in a random order, as fit does by default; true. Of training. */
  shuffle?: boolean;
}

/** Batches that are generated: rows are gathered from more than one. */
const kBatches = 4;

function generated(name: string, { shape, dtype }: RowType, rows: number, stream: number): Column {
  const full = [rows, ...shape];
  const [storage] = binding.arena([sizeOf(full) * elementBytes]);
  if (dtype === 'float32') binding.storageRandom(storage, 'uniform', 0, 1, 0, stream);
  return { name, source: toSource(name, new Tensor(storage, full, dtype)), shape, dtype, rows };
}

/** Rows with so many values each that are not 0. */
function sparseLike(columns: number, rows: number, values: number): SparseRows {
  const each = Math.min(columns, Math.floor(values));
  const apart = Math.max(1, Math.floor(columns / Math.max(1, each)));
  return new SparseRows({
    shape: [rows, columns],
    indptr: Int32Array.from({ length: rows + 1 }, (_, row) => row * each),
    indices: Int32Array.from({ length: rows * each }, (_, i) => (i % each) * apart + (Math.floor(i / each) % apart)),
    values: new Float32Array(rows * each).fill(1),
  });
}

/** Null where all columns lie as the program reads them. */
function gathering(columns: readonly Column[], rows: number, shuffled: boolean): ProfilePart | null {
  const arrays = { float32: Float32Array, int32: Int32Array };
  const converts = ({ source, dtype }: Column) =>
    source.tensor ? source.dtype !== dtype : !(source.values instanceof arrays[dtype]);
  const shapes: Shape[] = [];
  let bytes = 0;
  for (const column of columns) {
    const { sparse, source, shape } = column;
    if (sparse) {
      // Where rows begin always; indices and values, on average.
      const values = Math.round((rows * sparse.values.length) / column.rows);
      shapes.push([rows + 1], ...(shuffled ? [[values], [values]] : []));
      bytes += 8 * (rows + 1) + (shuffled ? 16 * values : 0);
    } else if (shuffled || converts(column)) {
      shapes.push([rows, ...shape]);
      bytes += (elementBytes + (source.tensor ? elementBytes : source.values.BYTES_PER_ELEMENT)) * rows * sizeOf(shape);
    }
  }
  if (shapes.length === 0) return null;
  return { op: 'gather', label: '', inputs: [], outputs: shapes, flops: 0, bytes };
}

/** The program is not that of training: it works on copies, so that nothing of the model changes, and a fit may go on. */
async function trainingJob(
  trainer: Trainer,
  rows: number,
  types: RowTypes,
  room: number | null,
): Promise<Pick<ProfileJob, 'program' | 'updater' | 'update'>> {
  const { network, compiled } = trainer;
  const { optimizer } = compiled;
  const trained = network.weights.filter((weight) => weight.trainable);
  const updated = trained.map(({ variable }) => optimizer.updatesRows(variable));
  const copies = arenaLike(trained, network.device);
  const gradients = gradientsLike(trained, network.device, updated);
  const variables = trained.map(
    ({ shape, variable, constraint }, i) => new Variable(copies[i], shape, 'float32', variable.name, true, constraint),
  );
  const stands = new Map(trained.map(({ variable }, i) => [variable, variables[i]]));
  const program = trainProgram(network, compiled, rows, types, trained, gradients, room, stands);
  const updater = optimizer.rehearse(variables, gradients);
  const originals = trained.map(({ variable }) => storageOf(variable));
  if (copies.length > 0) await binding.storagesCopyAsync(originals, copies);
  // Read: gradient, parameter, slots; written: parameter, slots.
  const slots = variables.flatMap((variable) => optimizer.slotShapes(variable).map(({ shape }) => sizeOf(shape)));
  const count = trained.reduce((sum, { size }) => sum + size, 0);
  const bytes = elementBytes * (3 * count + 2 * slots.reduce((sum, size) => sum + size, 0));
  const update = { op: 'update', label: optimizer.name, inputs: [[count]], outputs: [[count]], flops: 0, bytes };
  return { program, updater, update };
}

/** @throws NOT_COMPILED, SHAPE_MISMATCH, UNSUPPORTED, and what reading the options throws */
export async function profileModel(
  trainer: Trainer,
  kind: 'train' | 'predict',
  options: ModelProfileOptions | undefined,
): Promise<Profile> {
  const train = kind === 'train';
  const keys = [...profileKeys, 'x', 'batchSize', ...(train ? (['y', 'shuffle'] as const) : [])] as const;
  const read = new Options<ModelProfileOptions>('profile', options, keys);
  const wanted = readProfileOptions(read);
  const shuffled = train && read.flag('shuffle', true);
  const { network } = trainer;
  const { x: givenX, y: givenY } = read.raw;
  if (givenY !== undefined && givenX === undefined)
    throw new DownhillError('INVALID_ARGUMENT', 'profile: y is given without x; give both, or neither.');

  const latest = trainer.latest(kind);
  const x = givenX === undefined ? null : inputColumns(network, givenX);
  const rows = Math.min(read.count('batchSize', latest.rows), x?.[0].rows ?? Infinity);
  const all = x?.[0].rows ?? kBatches * rows;
  const { inputPorts, outputPorts } = network;
  const made = (what: string, types: readonly (RowType | null)[], stream: number) =>
    types.map((type, i) => type && generated(outputPorts.label(what, i), type, all, stream + 3 * i));
  const inputs = () =>
    latest.room === null
      ? inputPorts.all.map((port, i) => generated(inputPorts.label('x', i), port, all, 3 * i))
      : inputColumns(network, sparseLike(inputPorts.all[0].shape[0], all, latest.room / latest.rows));
  const parts: Columns = { inputs: x ?? inputs(), targets: [], weights: [] };
  if (train) {
    const { targets, weights } = latest.types!;
    parts.targets =
      givenY === undefined ? made('y', targets, 1) : targetColumns(network, trainer.compiled, givenY, all);
    parts.weights = made('sampleWeight', weights, 2);
  }
  const types = train ? typesOf(parts) : null;
  const columns = inOrder(parts);
  const dataset = datasetOf(columns, false);
  const room = binding.datasetRoom(dataset, rows, false);
  const work = train
    ? await trainingJob(trainer, rows, types!, room)
    : { program: trainer.program('predict', rows, null, room), updater: null, update: null };
  return profileJob(
    {
      ...work,
      device: network.device,
      workspace: binding.workspaceNew(),
      inputs: [],
      batches: { dataset, rows, shuffled },
      gather: gathering(columns, rows, shuffled),
    },
    wanted,
  );
}
