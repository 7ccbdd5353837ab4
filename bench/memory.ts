// What computing layers again saves and costs: bytes and time of a training step, with and without.
//   npx tsx bench/memory.ts [--rounds 5]
import { layers, type Memory, type Model, optimizers, seed, sequential } from 'downhill';
import { parseArgs } from 'node:util';

interface Contender {
  title: string;
  net: Model;
  memory: Memory;
  times: number[];
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const rounds = Number(values.rounds);
const data = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i));

const networks = {
  'dense, 24 layers of 512, gelu, batch 512': {
    batchSize: 512,
    row: 512,
    build: (recompute: boolean) => [
      layers.input({ shape: [512] }),
      ...Array.from({ length: 24 }, () => layers.dense({ units: 512, activation: 'gelu', recompute })),
      layers.dense({ units: 1 }),
    ],
  },
  '12 blocks of conv 3×3 (32), batch normalization, relu on 32×32, batch 16': {
    batchSize: 16,
    row: 32 * 32 * 3,
    build: (recompute: boolean) => [
      layers.input({ shape: [32, 32, 3] }),
      ...Array.from({ length: 12 }, (_, i) =>
        sequential(
          [
            layers.conv2d({
              filters: 32,
              kernelSize: 3,
              padding: 'same',
              useBias: false,
              inputShape: [32, 32, i === 0 ? 3 : 32],
            }),
            layers.batchNormalization(),
            layers.relu(),
          ],
          { recompute, name: `block_${i}` },
        ),
      ),
      layers.globalAveragePooling2d(),
      layers.dense({ units: 1 }),
    ],
  },
};

for (const [title, { batchSize, row, build }] of Object.entries(networks)) {
  const make = (recompute: boolean, memoryLimit?: number) => {
    seed(1);
    const net = sequential(build(recompute));
    net.compile({ optimizer: optimizers.sgd({ learningRate: 1e-4 }), loss: 'meanSquaredError', memoryLimit });
    return net;
  };
  const whole = make(false).memory({ batchSize });
  const within = (share: number) => Math.ceil(whole.total - (1 - share) * whole.activations);
  const contender = (name: string, net: Model): Contender => ({
    title: name,
    net,
    memory: net.memory({ batchSize }),
    times: [],
  });
  let least = 0;
  try {
    make(false, 1).memory({ batchSize });
  } catch (error) {
    least = Number(/at least (\d+)/.exec((error as Error).message)?.[1]);
  }
  const contenders = [
    contender('everything is kept', make(false)),
    contender('`recompute: true`', make(true)),
    ...[0.75, 0.5]
      .filter((share) => within(share) > least)
      .map((share) => contender(`activations limited to ${share}`, make(false, within(share)))),
    contender('the least', make(false, least)),
  ];
  const steps = 4;
  const [x, y] = [data(steps * batchSize * row), data(steps * batchSize)];
  for (let round = 0; round <= rounds; round++)
    for (const { net, times } of contenders) {
      const start = performance.now();
      await net.fit(x, y, { batchSize, epochs: 1, shuffle: false });
      if (round > 0) times.push((performance.now() - start) / steps);
    }
  console.log(`\n${title}\n`);
  console.log('| | activations, MiB | share of all | ops again | time of a step, ratio |');
  console.log('|---|---|---|---|---|');
  const base = contenders[0];
  for (const { title: name, memory, times } of contenders) {
    const ratios = times.map((time, i) => time / base.times[i]).sort((a, b) => a - b);
    const middle = ratios[Math.floor(ratios.length / 2)];
    const spread = `${middle.toFixed(2)} (${ratios[0].toFixed(2)}–${ratios.at(-1)!.toFixed(2)})`;
    const mib = (memory.activations / 2 ** 20).toFixed(1);
    const share = (memory.activations / whole.activations).toFixed(2);
    console.log(`| ${name} | ${mib} | ${share} | ${memory.recomputed} | ${spread} |`);
  }
}
