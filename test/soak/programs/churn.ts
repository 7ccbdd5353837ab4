// Models that are made, trained, used and dropped: prints the native bytes after a few of them and after many, each after collection.
import { setTimeout as sleep } from 'node:timers/promises';
import { binding } from '../../../lib/binding/index.js';
import { examples, network } from './network.js';

const { x, y } = examples(64);

async function one(): Promise<void> {
  const net = network(256);
  await net.fit(x, y, { validationSplit: 0.25, batchSize: 10 });
  await net.evaluate(x, y);
  await net.predict(x);
  net.getWeights();
}

async function collected(): Promise<number> {
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.();
    await sleep(5);
  }
  return binding.memory().bytes;
}

async function many(count: number): Promise<number> {
  for (let i = 0; i < count; i++) await one();
  return collected();
}

const few = await many(20);
console.log(JSON.stringify({ few, many: await many(300) }));
