// Convolution, pooling and resizing layers: shapes, options that are not accepted, inputs that do not fit. Their numbers: test/golden/layers.
import { input, layers, model, sequential, tensor, type Tensor } from 'downhill';
import { expect, test } from 'vitest';
import { close, throwsAtOnce } from '../support.js';

test('shapes of a network, and its weights', () => {
  const net = sequential([
    layers.input({ shape: [32, 32, 3] }),
    layers.conv2d({ filters: 8, kernelSize: 5, padding: 'same' }),
    layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
    layers.separableConv2d({ filters: 4, kernelSize: [3, 2], depthMultiplier: 2 }),
    layers.upSampling2d({ size: [2, 1] }),
    layers.conv2dTranspose({ filters: 2, kernelSize: 3, strides: 2, padding: 'same' }),
    layers.globalAveragePooling2d(),
  ]);
  expect(net.layers.map((layer) => layer.name)).toEqual([
    'conv2d',
    'max_pooling2d',
    'separable_conv2d',
    'up_sampling2d',
    'conv2d_transpose',
    'global_average_pooling2d',
  ]);
  expect(net.outputShape).toEqual([2]);
  expect(net.getWeights().map(({ shape }) => shape)).toEqual([
    [5, 5, 3, 8],
    [8],
    [3, 2, 8, 2],
    [1, 1, 16, 4],
    [4],
    [3, 3, 2, 4],
    [2],
  ]);
});

test('nearest and bilinear enlargement, cropping, padding', () => {
  const x = tensor([1, 2, 3, 4], [1, 2, 2, 1]);
  const flat = (layer: layers.Layer) => (layer.apply(x) as Tensor).arraySync() as number[][][][];
  close(flat(layers.upSampling2d({ size: [1, 2] })), [
    [
      [[1], [1], [2], [2]],
      [[3], [3], [4], [4]],
    ],
  ]);
  close(flat(layers.upSampling2d({ size: [1, 2], interpolation: 'bilinear' })), [
    [
      [[1], [1.25], [1.75], [2]],
      [[3], [3.25], [3.75], [4]],
    ],
  ]);
  close(
    flat(
      layers.cropping2d({
        cropping: [
          [0, 1],
          [1, 0],
        ],
      }),
    ),
    [[[[2]]]],
  );
  close(
    flat(
      layers.zeroPadding2d({
        padding: [
          [0, 0],
          [0, 1],
        ],
      }),
    ),
    [
      [
        [[1], [2], [0]],
        [[3], [4], [0]],
      ],
    ],
  );
});

test('options that are not accepted', () => {
  throwsAtOnce('INVALID_ARGUMENT', /layers\.conv2d needs the option "filters"/, () =>
    layers.conv2d({ kernelSize: 3 } as never),
  );
  throwsAtOnce('INVALID_ARGUMENT', /kernelSize must be an integer or a list of 2/, () =>
    layers.conv2d({ filters: 1, kernelSize: [1, 2, 3] }),
  );
  throwsAtOnce('OUT_OF_RANGE', /kernelSize\[1\]/, () => layers.conv2d({ filters: 1, kernelSize: [1, 0] }));
  throwsAtOnce('INVALID_ARGUMENT', /filters must be a multiple of groups/, () =>
    layers.conv2d({ filters: 3, kernelSize: 1, groups: 2 }),
  );
  throwsAtOnce('INVALID_ARGUMENT', /padding must be one of "valid", "same"/, () =>
    layers.conv2d({ filters: 1, kernelSize: 1, padding: 'causal' as 'same' }),
  );
  throwsAtOnce('INVALID_ARGUMENT', /outputPadding must be less than strides/, () =>
    layers.conv2dTranspose({ filters: 1, kernelSize: 3, strides: 2, outputPadding: 2 }),
  );
  throwsAtOnce('UNKNOWN_OPTION', /Did you mean "poolSize"/, () => layers.maxPooling2d({ poolsize: 2 } as never));
  throwsAtOnce('INVALID_ARGUMENT', /padding must be an integer, \[height, width\]/, () =>
    layers.zeroPadding2d({ padding: [1, 2, 3] as never }),
  );
});

test('inputs that do not fit', () => {
  const first = (layer: layers.Layer) => () => sequential([layer]);
  throwsAtOnce(
    'SHAPE_MISMATCH',
    /inputs \[n, height, width, channels\]; received \[n, 5, 4\]/,
    first(layers.conv2d({ filters: 1, kernelSize: 3, inputShape: [5, 4] })),
  );
  throwsAtOnce(
    'SHAPE_MISMATCH',
    /kernel of 7 fits/,
    first(layers.conv2d({ filters: 1, kernelSize: 3, dilationRate: 3, inputShape: [5, 9, 4] })),
  );
  throwsAtOnce(
    'SHAPE_MISMATCH',
    /multiple of its 2 groups/,
    first(layers.conv2d({ filters: 2, kernelSize: 3, groups: 2, inputShape: [5, 9, 3] })),
  );
  throwsAtOnce('SHAPE_MISMATCH', /pool of \[3\] fits/, first(layers.maxPooling1d({ poolSize: 3, inputShape: [2, 3] })));
  throwsAtOnce(
    'SHAPE_MISMATCH',
    /larger than its cropping/,
    first(layers.cropping2d({ cropping: 2, inputShape: [4, 9, 1] })),
  );
  throwsAtOnce('SHAPE_MISMATCH', /not empty/, first(layers.globalMaxPooling2d({ inputShape: [4, 9] })));
  const built = layers.conv2d({ filters: 1, kernelSize: 1 });
  built.apply(tensor(new Float32Array(8), [1, 2, 2, 2]));
  throwsAtOnce('SHAPE_MISMATCH', /2 features on the last axis/, () =>
    built.apply(tensor(new Float32Array(4), [1, 2, 2, 1])),
  );
});

test('in a graph of layers', () => {
  const image = input({ shape: [4, 4, 2] });
  const left = layers.conv2d({ filters: 3, kernelSize: 3, padding: 'same' }).apply(image);
  const right = layers.maxPooling2d({ strides: 1, padding: 'same' }).apply(image);
  const net = model({ inputs: image, outputs: layers.concatenate().apply([left, right]) });
  expect(net.outputShape).toEqual([4, 4, 5]);
});
