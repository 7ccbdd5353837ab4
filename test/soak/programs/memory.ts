// Resident memory and native buffers of a small network after every 100,000 steps, in bytes.
import { binding } from '../../../lib/binding/index.js';
import { examples, network } from './network.js';

const net = network(8);
const { x, y } = examples(1600);

async function steps(count: number): Promise<void> {
  await net.fit(x, y, { batchSize: 16, epochs: count / 100 });
}

function measure(): { resident: number; native: number } {
  globalThis.gc?.();
  globalThis.gc?.();
  return { resident: process.memoryUsage().rss, native: binding.memory().bytes };
}

const readings = [];
for (let i = 0; i < 5; i++) {
  await steps(100_000);
  readings.push(measure());
}
console.log(JSON.stringify(readings));
