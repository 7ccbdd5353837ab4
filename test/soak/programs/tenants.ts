// Thousands of small models that train at once, of the main thread and of workers: prints the native bytes and the resident memory after each
// thousand.
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { binding } from '../../../lib/binding/index.js';
import { examples, network } from './network.js';

const { x, y } = examples(64);

async function tenant(): Promise<number> {
  const net = network(16);
  const { history } = await net.fit(x, y, { batchSize: 16, epochs: 5 });
  net.dispose();
  return history.loss!.at(-1)!;
}

const train = (count: number) => Promise.all(Array.from({ length: count }, tenant));

function inWorker(count: number): Promise<number[]> {
  // A worker does not inherit the loader of TypeScript, so it registers its own.
  const load = `import('tsx/esm/api').then(({ register }) => (register(), import(${JSON.stringify(import.meta.url)})))`;
  const worker = new Worker(load, { eval: true, workerData: count });
  return new Promise((resolve, reject) => {
    let losses: number[] = [];
    worker.once('message', (message: number[]) => {
      losses = message;
    });
    worker.once('error', reject);
    worker.once('exit', () => {
      resolve(losses);
    });
  });
}

if (isMainThread) {
  const readings = [];
  for (let thousand = 0; thousand < 5; thousand++) {
    const losses = (await Promise.all([train(800), inWorker(100), inWorker(100)])).flat();
    for (let i = 0; i < 5; i++) {
      globalThis.gc?.();
      await sleep(5);
    }
    const finite = losses.length === 1000 && losses.every(Number.isFinite);
    readings.push({ finite, native: binding.memory().bytes, resident: process.memoryUsage().rss });
  }
  console.log(JSON.stringify(readings));
} else {
  parentPort?.postMessage(await train(workerData as number));
}
