// Changes of weights that leave the function as it is.
import { layers, type Model, ops, sequential, symmetries } from 'downhill';
import { describe, expect, it } from 'vitest';
import { codeOf, failure } from '../errors.js';
import { close, randomArray } from '../support.js';

const x = Array.from({ length: 7 }, (_, i) => Array.from(randomArray(4, i)));

function make(activation: layers.ActivationLike = 'relu', useBias = true): Model {
  const random = (net: Model) => {
    net.setWeights(net.getWeights().map(({ size }, i) => randomArray(size, 20 + i)));
    return net;
  };
  return random(
    sequential([
      layers.dense({ units: 6, inputShape: [4], activation, useBias, name: 'first' }),
      layers.dropout({ rate: 0.5 }),
      layers.dense({ units: 5, activation: 'linear', name: 'second' }),
      layers.activation({ activation: 'leakyRelu' }),
      layers.dense({ units: 3, activation: 'softmax', name: 'last' }),
    ]),
  );
}

const flat = (net: Model) => net.getWeights().map((weight) => [...weight.dataSync()]);

describe('permuteUnits', () => {
  it.each([true, false])('changes the weights, not the function; biases: %s', async (useBias) => {
    const net = make('tanh', useBias);
    const [before, weights] = [await net.predict(x), flat(net)];
    const order = [3, 0, 5, 1, 4, 2];
    symmetries.permuteUnits(net, 'first', order);
    symmetries.permuteUnits(net, 'second', Int32Array.of(4, 2, 0, 1, 3));
    close(await net.predict(x), before, 1e-6);
    expect(flat(net)).not.toEqual(weights);
    // Back again: the inverse order.
    symmetries.permuteUnits(
      net,
      'first',
      order.map((_, i) => order.indexOf(i)),
    ); // prettier-ignore
    symmetries.permuteUnits(net, 'second', [2, 3, 1, 4, 0]);
    expect(flat(net)).toEqual(weights);
  });

  it('unit i becomes what unit order[i] was', () => {
    const net = make();
    const [kernel, bias, next] = net.getWeights().map((weight) => weight.arraySync()) as [
      number[][],
      number[],
      number[][],
    ];
    symmetries.permuteUnits(net, 'first', [1, 2, 3, 4, 5, 0]);
    const [after, biases, outgoing] = net.getWeights().map((weight) => weight.arraySync()) as [
      number[][],
      number[],
      number[][],
    ];
    expect(after.map((row) => row[0])).toEqual(kernel.map((row) => row[1]));
    expect(biases[0]).toBe(bias[1]);
    expect(outgoing[0]).toEqual(next[1]);
  });
});

describe('rescaleUnits', () => {
  it('scales what goes in and divides what goes out', async () => {
    const net = make();
    const [before, weights] = [await net.predict(x), flat(net)];
    symmetries.rescaleUnits(net, 'first', [1, 2, 0.5, 10, 0.1, 3]);
    symmetries.rescaleUnits(net, 'second', 7);
    close(await net.predict(x), before, 1e-5);
    expect(flat(net)[0]![1]).toBe(Math.fround(weights[0]![1]! * 2));
    expect(flat(net)[1]![3]).toBe(Math.fround(weights[1]![3]! * 10));
  });

  it('by powers of two is exact', async () => {
    const net = make();
    const [before, weights] = [await net.predict(x), flat(net)];
    symmetries.rescaleUnits(net, 'first', 1024);
    expect((await net.predict(x)).dataSync()).toEqual(before.dataSync());
    symmetries.rescaleUnits(
      net,
      'first',
      Float32Array.from({ length: 6 }, () => 2 ** -10),
    );
    expect(flat(net)).toEqual(weights);
  });
});

describe('they refuse, and change nothing', () => {
  const { permuteUnits, rescaleUnits } = symmetries;
  const order = [0, 1, 2, 3, 4, 5];
  it.each<[string, (net: Model) => void, RegExp]>([
    ['no permutation', (net) => permuteUnits(net, 'first', [0, 1, 2, 3, 4, 4]), /permutation of 0 to 5/],
    ['another length', (net) => permuteUnits(net, 'first', [0, 1]), /each of 6 units/],
    [
      'an unknown layer',
      (net) => permuteUnits(net, 'frist', order),
      /"frist" must name a dense layer: first, second, last/,
    ],
    ['no dense layer', (net) => permuteUnits(net, 'dropout', order), /must name a dense layer/],
    ['outputs', (net) => permuteUnits(net, 'last', [0, 1, 2]), /outputs of the model/],
    ['scaling through the wrong activation', (net) => rescaleUnits(net, 'first', 2), /leakyRelu.*"first" has tanh/],
  ])('%s', (_, body, message) => {
    const net = make('tanh');
    const before = flat(net);
    expect(failure(() => body(net)).message).toMatch(message);
    expect(flat(net)).toEqual(before);
  });

  it('activations that mix units, or are not known', () => {
    expect(failure(() => permuteUnits(make('softmax'), 'first', order)).message).toMatch(/by itself; received softmax/);
    expect(
      codeOf(() =>
        permuteUnits(
          make((value) => ops.softmax(value)),
          'first',
          order,
        ),
      ),
    ).toBe('INVALID_ARGUMENT');
    permuteUnits(make(ops.tanh), 'first', order);
  });

  it('factors of 0 and below', () => {
    expect(codeOf(() => rescaleUnits(make(), 'first', 0))).toBe('OUT_OF_RANGE');
    expect(codeOf(() => rescaleUnits(make(), 'first', [1, 1, 1, 1, 1, -1]))).toBe('OUT_OF_RANGE');
  });
});
