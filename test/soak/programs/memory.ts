// Resident memory and native buffers over 100,000 steps of a small network, after as many to warm up: prints both, in bytes.
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

await steps(100_000);
const before = measure();
await steps(100_000);
const after = measure();
console.log(JSON.stringify({ before, after }));
