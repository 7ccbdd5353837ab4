// Ends, in the way that is asked for, while a fit runs.
import { setTimeout as sleep } from 'node:timers/promises';
import { endless, network } from './network.js';

const how = process.argv[2];
const thrower = {
  onTrainBatchEnd: (batch: number) => {
    if (batch === 3) throw new Error('mine');
  },
};
const fitting = endless(network(64), how === 'callback' ? { callbacks: [thrower] } : {});
await sleep(100);
if (how === 'exit') process.exit(3);
if (how === 'throw') throw new Error('mine');
await fitting;
