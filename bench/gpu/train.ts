// Our side of the training cases, in a process of its own: train.ts CASES DEVICE. Prints one line of JSON per case.
import { setDevice } from 'downhill';
import { train } from '../ours/train.js';
import { median } from '../stats.js';
import type { NetworkCase } from './cases.js';

const [json, device] = process.argv.slice(2) as [string, string];
setDevice(device);
for (const one of JSON.parse(json) as NetworkCase[]) {
  try {
    const samples = await train(one, { precision: one.precision });
    console.log(JSON.stringify({ case: one.name, microseconds: median(samples), best: Math.min(...samples) }));
  } catch (error) {
    console.log(JSON.stringify({ case: one.name, error: (error as Error).message }));
  }
}
