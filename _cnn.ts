import { layers, losses, optimizers, sequential, tensor } from './lib/index.js';
const rows = 128 * 4;
const conv = (filters: number) => layers.conv2d({ filters, kernelSize: 5, padding: 'same', activation: 'relu' });
const pool = () => layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' });
const net = sequential([layers.input({ shape: [32, 32, 3] }), conv(64), pool(), conv(64), pool(), conv(128), pool(), layers.flatten(), layers.dense({ units: 1000, activation: 'relu' }), layers.dense({ units: 10, activation: 'softmax' })]);
net.compile({ optimizer: optimizers.adam(), loss: losses.sparseCategoricalCrossentropy() });
const x = tensor(Float32Array.from({ length: rows * 3072 }, () => Math.random()), [rows, 32, 32, 3]);
const y = tensor(Int32Array.from({ length: rows }, (_, i) => i % 10), [rows], 'int32');
await net.fit(x, y, { batchSize: 128, epochs: 1, shuffle: false, verbose: 0 });
for (let i = 0; i < 5; i++) {
  const t = performance.now();
  await net.fit(x, y, { batchSize: 128, epochs: 2, shuffle: false, verbose: 0 });
  console.log(((performance.now() - t) / 8).toFixed(1), 'ms/step');
}
if (process.argv[2]) {
console.log(net.program('train', { batchSize: 128 }).describe());
console.log(String(await (net as any).profile(x, y, { batchSize: 128 })));
}
