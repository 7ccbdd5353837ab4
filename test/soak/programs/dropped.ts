// Nothing refers to models and optimizers while they train; the collector runs all the time. Prints how many fits ended.
import { setTimeout as sleep } from 'node:timers/promises';
import { examples, network } from './network.js';

let ended = 0;
function start(): void {
  const { x, y } = examples(2048);
  void network(64)
    .fit(x, y, { epochs: 20, validationSplit: 0.1 })
    .then(() => ended++);
  void network(64)
    .predict(x)
    .then(() => ended++);
}
for (let i = 0; i < 4; i++) start();
while (ended < 8) {
  globalThis.gc?.();
  await sleep(1);
}
console.log(ended);
