// A small language model of characters: a transformer of two layers that predicts the next character of a text, here of this repository's own
// documentation. Prints the cost by epoch, a table of optimizers, and what the best of them writes.
//
//   npx tsx examples/characters.ts                       docs/*.md
//   npx tsx examples/characters.ts --text FILE           any text in UTF-8
//   npx tsx examples/characters.ts --width 128 --layers 4 --length 128 --epochs 20
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { input, layers, losses, type Model, model, ops, optimizers, type Shape, schedules } from 'downhill';
import { uniform } from './lecture/support/random.js';
import { compare } from './support/compare.js';
import { settings } from './support/settings.js';

const options = { text: '', size: 150_000, length: 64, width: 64, heads: 4, layers: 2, epochs: 10, sample: 400 };
const { text: path, size, length, width, heads, layers: depth, epochs, sample, seed } = settings(options);
const docs = fileURLToPath(new URL('../docs', import.meta.url));
const files = path
  ? [path]
  : readdirSync(docs)
      .filter((name) => name.endsWith('.md'))
      .sort()
      .map((name) => `${docs}/${name}`);
const text = files
  .map((file) => readFileSync(file, 'utf8'))
  .join('\n')
  .slice(0, size);

// Characters as numbers, cut into rows; the target of each character is the one that follows it. The last tenth of the text is held back.
const alphabet = [...new Set(text)].sort();
const numberOf = new Map(alphabet.map((character, i) => [character, i]));
const numbers = Int32Array.from(text, (character) => numberOf.get(character)!);
const count = Math.floor((numbers.length - 1) / length);
const rows = (from: number, to: number) => ({
  x: numbers.subarray(from * length, to * length),
  y: numbers.subarray(from * length + 1, to * length + 1),
});
const cut = Math.floor(0.9 * count);
const [train, held] = [rows(0, cut), rows(cut, count)];
console.log(
  `${text.length} characters, ${alphabet.length} different ones; ${cut} rows of ${length} to learn from, ${count - cut} held back`,
);

/** x + attention to what came before, then x + a network of two layers for each place; each behind a normalization (Xiong et al. 2020). */
class Block extends layers.Layer {
  readonly type = 'Block';
  readonly #attention = [
    layers.layerNormalization({ name: 'normalization_1' }),
    layers.multiHeadAttention({ numHeads: heads, keyDim: width / heads, useCausalMask: true, name: 'attention' }),
  ].map((layer) => this.addLayer(layer));
  readonly #network = [
    layers.layerNormalization({ name: 'normalization_2' }),
    layers.dense({ units: 4 * width, activation: 'gelu', name: 'expand' }),
    layers.dense({ units: width, name: 'contract' }),
  ].map((layer) => this.addLayer(layer));

  constructor() {
    super('block');
  }
  override computeOutputShape(shape: Shape) {
    return shape;
  }
  protected override declareWeights(shape: Shape) {
    for (const stack of [this.#attention, this.#network])
      stack.reduce((shape, layer) => {
        layer.build(shape);
        return layer.computeOutputShape(shape) as Shape;
      }, shape);
  }
  override call(x: layers.Computed, { training }: layers.CallContext) {
    const run = (x: layers.Computed, stack: layers.Layer[]) =>
      ops.add(
        x,
        stack.reduce((y, layer) => layer.apply(y, { training }), x),
      );
    return run(run(x, this.#attention), this.#network);
  }
}

/** Vectors of characters, plus those of their places; blocks; a score of each character. */
function network() {
  const inputs = input({ shape: [length], dtype: 'int32' });
  const vectors = layers.embedding({ inputDim: alphabet.length, outputDim: width }).apply(inputs);
  const places = layers.positionEmbedding({ sequenceLength: length, initializer: 'randomUniform' });
  let x = layers.add().apply([vectors, places.apply(vectors)]);
  for (let i = 0; i < depth; i++) x = new Block().apply(x);
  const outputs = layers.dense({ units: alphabet.length, name: 'logits' }).apply(layers.layerNormalization().apply(x));
  return model({ inputs, outputs });
}
network().summary();

/** Goes on from a beginning, a character at a time, each drawn from the model's probabilities. A place sees none behind it: what stands there is free. */
async function write(net: Model, beginning: Int32Array): Promise<string> {
  const draws = uniform(sample, seed);
  const written = Array.from(beginning);
  for (const draw of draws) {
    const end = written.slice(-length);
    const row = new Int32Array(length);
    row.set(end);
    const logits = (await net.predict(row)).dataSync().subarray((end.length - 1) * alphabet.length);
    // Sharper than the probabilities themselves.
    const powers = Array.from(alphabet, (_, i) => Math.exp(logits[i] / 0.7));
    let rest = draw * powers.reduce((a, b) => a + b);
    let next = 0;
    while (next < alphabet.length - 1 && rest >= powers[next]) rest -= powers[next++];
    written.push(next);
  }
  return written.map((number) => alphabet[number]).join('');
}

const steps = epochs * Math.ceil(cut / 32);
/** Up over the first tenth, then down along a cosine. */
const rate = (warmupTarget: number) =>
  schedules.cosine({ initial: 0, warmupTarget, warmupSteps: Math.ceil(steps / 10), steps });
const choices = {
  AdamW: () => optimizers.adamw({ learningRate: rate(0.003), weightDecay: 0.1 }),
  Adam: () => optimizers.adam({ learningRate: rate(0.003) }),
  Muon: () => optimizers.muon({ learningRate: rate(0.01) }),
  RMSProp: () => optimizers.rmsprop({ learningRate: rate(0.002) }),
  'SGD, momentum': () => optimizers.sgd({ learningRate: rate(0.3), momentum: 0.9, globalClipNorm: 1 }),
};
let best = { cost: Number.POSITIVE_INFINITY, title: '', text: '' };
const table = await compare(choices, seed, async (optimizer, title) => {
  using net = network();
  net.compile({ optimizer, loss: losses.sparseCategoricalCrossentropy({ fromLogits: true }), metrics: ['accuracy'] });
  console.log(`\n${title}`);
  const fit = { epochs, batchSize: 32, verbose: 2 as const, validationData: [held.x, held.y] as const };
  const { history } = await net.fit(train.x, train.y, fit);
  const [loss, accuracy] = [history.val_loss.at(-1)!, history.val_accuracy.at(-1)!];
  if (loss < best.cost) best = { cost: loss, title, text: await write(net, held.x.subarray(0, 16)) };
  return {
    ...Object.fromEntries(
      [1, Math.ceil(epochs / 2), epochs].map((epoch) => [`epoch ${epoch}`, history.loss[epoch - 1]]),
    ),
    'held back': loss,
    'bits a character': loss / Math.LN2,
    right: accuracy,
  };
});
console.log('\nTraining cost after some of the epochs; then of text held back');
console.table(table);
console.log(`\n${best.title} writes:\n${best.text}`);
