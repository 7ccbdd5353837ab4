// A timer of 5 ms while fit runs with all threads: prints the mean tick and the 99th percentile of its drift, in milliseconds.
import { setTimeout as sleep } from 'node:timers/promises';
import { examples, network } from './network.js';

const net = network(1024, 256);
const { x, y } = examples(8192, 256);
const controller = new AbortController();
const fitting = net.fit(x, y, { batchSize: 128, epochs: 1_000_000, signal: controller.signal }).catch(() => {});
await sleep(300);

const ticks: number[] = [];
let last = performance.now();
const timer = setInterval(() => {
  const now = performance.now();
  ticks.push(now - last);
  last = now;
}, 5);
await sleep(3000);
clearInterval(timer);
controller.abort();
await fitting;

ticks.sort((a, b) => a - b);
const mean = ticks.reduce((sum, tick) => sum + tick, 0) / ticks.length;
const drift = ticks[Math.floor(ticks.length * 0.99)] - 5;
console.log(JSON.stringify({ ticks: ticks.length, mean, drift }));
