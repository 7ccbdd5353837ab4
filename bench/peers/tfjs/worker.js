// TensorFlow.js: worker.js THREADS BACKEND (node, wasm, cpu). Takes cases on standard input, as the other peers.
import { createInterface } from 'node:readline';

const [threads, backend] = process.argv.slice(2);
const tf = await open();

async function open() {
  if (backend === 'node') {
    process.env.OMP_NUM_THREADS = threads;
    process.env.TF_NUM_INTRAOP_THREADS = threads;
    return import('@tensorflow/tfjs-node');
  }
  const tf = await import('@tensorflow/tfjs');
  if (backend === 'wasm') {
    const wasm = await import('@tensorflow/tfjs-backend-wasm');
    wasm.setThreadsCount(Number(threads));
  }
  await tf.setBackend(backend);
  await tf.ready();
  return tf;
}

async function measure({ samples }, run, warm, count, per) {
  await run(warm);
  const times = [];
  for (let sample = 0; sample < samples; sample++) {
    const start = performance.now();
    await run(count);
    times.push(((performance.now() - start) * 1000) / per);
  }
  return times;
}

async function train(one) {
  const { widths, batchSize, batches, epochs, dropout } = one;
  const rows = batchSize * batches;
  const net = tf.sequential();
  widths.slice(1).forEach((units, i) => {
    const last = i === widths.length - 2;
    const activation = last ? 'softmax' : one.activation;
    net.add(tf.layers.dense({ units, activation, ...(i === 0 && { inputShape: [widths[0]] }) }));
    if (dropout > 0 && !last) net.add(tf.layers.dropout({ rate: dropout }));
  });
  net.compile({ optimizer: one.optimizer, loss: 'sparseCategoricalCrossentropy' });
  const x = tf.randomUniform([rows, widths[0]]);
  const y = tf.tensor1d(Float32Array.from({ length: rows }, (_, i) => i % widths.at(-1)));
  const run = (count) => net.fit(x, y, { batchSize, epochs: count, shuffle: one.shuffle, verbose: 0 });
  const times = await measure(one, run, 1, epochs, epochs * batches);
  for (const made of [net, x, y]) made.dispose();
  return times;
}

async function matmul(one) {
  const [a, b] = [tf.randomUniform([one.m, one.k]), tf.randomUniform([one.k, one.n])];
  const run = async (count) => {
    for (let i = 0; i < count; i++) {
      const product = tf.matMul(a, b);
      if (i === count - 1) await product.data();
      product.dispose();
    }
  };
  const times = await measure(one, run, Math.ceil(one.calls / 4), one.calls, one.calls);
  for (const made of [a, b]) made.dispose();
  return times;
}

let before = { user: 0, system: 0 };

async function outcome(one) {
  const kinds = { train, matmul };
  if (!kinds[one.kind] || one.nonzeros || one.images || one.embedding || one.steps || one.transformer) return { unsupported: one.kind };
  try {
    const samples = await kinds[one.kind](one);
    const { user, system } = process.cpuUsage();
    const cpuSeconds = (user + system - before.user - before.system) / 1e6;
    before = { user, system };
    return { versions: { tfjs: tf.version_core, node: process.version }, samples, cpuSeconds };
  } catch (error) {
    return { unsupported: String(error) };
  }
}

console.warn = () => {};
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await outcome(JSON.parse(line)))}\n`);
}
process.exit();
