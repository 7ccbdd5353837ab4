// Worker threads that train: some end by themselves, some are terminated in the middle; the main thread trains meanwhile.
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { endless, examples, network } from './network.js';

if (isMainThread) {
  const { x, y } = examples(1024);
  const main = network(32).fit(x, y, { epochs: 30 });
  // A worker does not inherit the loader of TypeScript, so it registers its own.
  const load = `import('tsx/esm/api').then(({ register }) => (register(), import(${JSON.stringify(import.meta.url)})))`;
  const start = (job: string) => new Worker(load, { eval: true, workerData: job });
  const message = (worker: Worker): Promise<unknown> =>
    new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  const finite: number[] = [];
  for (let round = 0; round < 3; round++) {
    const forever = [start('endless'), start('endless')];
    const messages = await Promise.all([start('short'), ...forever].map(message));
    finite.push(messages[0] as number);
    await sleep(20);
    await Promise.all(forever.map((worker) => worker.terminate()));
  }
  const { history } = await main;
  console.log(JSON.stringify({ rounds: finite.length, finite: [...finite, ...history.loss].every(Number.isFinite) }));
} else if (workerData === 'endless') {
  const fitting = endless(network(64));
  await sleep(30);
  parentPort?.postMessage('training');
  await fitting;
} else {
  const { x, y } = examples(512);
  const { history } = await network(32).fit(x, y, { epochs: 5 });
  parentPort?.postMessage(history.loss.at(-1));
}
