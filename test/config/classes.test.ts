// Every registered class, built with options away from their defaults, survives JSON text: options and behaviour.
import {
  callbacks,
  constraints,
  deserialize,
  initializers,
  type Kind,
  layers,
  losses,
  metrics,
  optimizers,
  ops,
  regularizers,
  schedules,
  serialize,
  type Serialized,
  type Tensor,
  tensor,
  variable,
} from 'downhill';
import * as downhill from 'downhill';
import { describe, expect, test } from 'vitest';
import { registered } from '../../lib/config/registry.js';
import { makeOptimizer, type OptimizerSpec, read } from '../golden/golden.js';
import { randomArray } from '../support.js';

type Options = Record<string, unknown>;
type Factory = (options?: never) => object;

/** The options of one class: its factory, and every option with a value other than its default. */
interface Row {
  factory: string;
  options: Options;
  /** A second set, for options that exclude one another. */
  also?: Options[];
}

const base = {
  name: 'mine',
  trainable: false,
  inputShape: [2, 3],
  recompute: true,
  activityRegularizer: regularizers.l1({ l1: 0.75 }),
};

/** Every option of recurrent layers, away from its default. */
const recurrent = {
  ...base,
  units: 4,
  activation: 'softsign',
  useBias: false,
  ...Object.fromEntries(
    ['kernel', 'recurrent', 'bias'].flatMap((weight, i) => [
      [`${weight}Initializer`, initializers.randomNormal({ mean: 1, stddev: 2, seed: 3 + i })],
      [`${weight}Regularizer`, regularizers.l1l2({ l1: 0.5, l2: i / 4 })],
      [`${weight}Constraint`, constraints.maxNorm({ maxValue: i + 1, axis: 0 })],
    ]),
  ),
  dropout: 0.25,
  recurrentDropout: 0.5,
  seed: 7,
  returnSequences: true,
  returnState: true,
  goBackwards: true,
  zeroOutputForMask: true,
};
const drawn = {
  kernelInitializer: initializers.glorotUniform({ seed: 1 }),
  recurrentInitializer: initializers.orthogonal({ seed: 2 }),
};

const images = { ...base, inputShape: [6, 5, 4] };
const sequences = { ...base, inputShape: [7, 4] };

/** The options of one weight. */
const weightOptions = (name: string, seed: number): Options => ({
  [`${name}Initializer`]: initializers.randomNormal({ mean: 1, stddev: 2, seed }),
  [`${name}Regularizer`]: regularizers.l1l2({ l1: 0.5, l2: seed / 8 }),
  [`${name}Constraint`]: constraints.maxNorm({ maxValue: seed, axis: 0 }),
});

const convolution = {
  kernelSize: [3, 2],
  strides: [2, 1],
  padding: 'same',
  dilationRate: [1, 2],
  activation: 'softplus',
  useBias: false,
  ...weightOptions('bias', 5),
};

const unprojected = { ...sequences, dropout: 0.25, useCausalMask: true, seed: 7 };

const axes = { inputAxes: [1, -2], outputAxes: [0] };

const affine = {
  ...base,
  epsilon: 0.01,
  center: false,
  scale: false,
  betaInitializer: initializers.constant({ value: 0.25 }),
  gammaInitializer: initializers.randomNormal({ mean: 1, stddev: 0.5, seed: 3 }),
  betaRegularizer: regularizers.l1({ l1: 0.125 }),
  gammaRegularizer: regularizers.l2({ l2: 0.5 }),
  betaConstraint: constraints.nonNeg(),
  gammaConstraint: constraints.maxNorm({ maxValue: 3 }),
};

const rows: Record<string, Record<string, Row>> = {
  layer: {
    Activation: {
      factory: 'activation',
      options: { ...base, activation: 'leakyRelu' },
      also: [{ activation: ops.exp }],
    },
    Add: { factory: 'add', options: base },
    AdditiveAttention: { factory: 'additiveAttention', options: { ...unprojected, useScale: false } },
    Attention: {
      factory: 'attention',
      options: { ...unprojected, useScale: true, scoreMode: 'concat' },
      also: [{ useScale: true }],
    },
    Average: { factory: 'average', options: base },
    Concatenate: { factory: 'concatenate', options: { ...base, axis: 1 } },
    Dense: {
      factory: 'dense',
      options: {
        ...base,
        units: 4,
        activation: 'softmax',
        useBias: false,
        kernelInitializer: initializers.randomNormal({ mean: 1, stddev: 2, seed: 3 }),
        biasInitializer: initializers.constant({ value: 0.25 }),
        kernelRegularizer: regularizers.l1l2({ l1: 0.5, l2: 0.25 }),
        biasRegularizer: regularizers.l1({ l1: 0.125 }),
        kernelConstraint: constraints.maxNorm({ maxValue: 3, axis: 1 }),
        biasConstraint: constraints.nonNeg(),
      },
      also: [
        { units: 2, kernelInitializer: initializers.ones(), biasInitializer: initializers.randomUniform({ seed: 9 }) },
      ],
    },
    Bidirectional: {
      factory: 'bidirectional',
      options: {
        ...base,
        layer: layers.lstm({ ...drawn, name: 'forward_a', units: 3 }),
        backwardLayer: layers.gru({ ...drawn, name: 'backward_b', units: 3, goBackwards: true }),
        mergeMode: 'ave',
      },
      also: [
        {
          layer: layers.simpleRNN({
            ...drawn,
            name: 'forward_c',
            units: 2,
            returnSequences: true,
            zeroOutputForMask: true,
          }),
        },
      ],
    },
    GRU: {
      factory: 'gru',
      options: { ...recurrent, recurrentActivation: 'softplus', resetAfter: false },
      also: [{ ...drawn, units: 2 }],
    },
    LSTM: {
      factory: 'lstm',
      options: { ...recurrent, recurrentActivation: 'softplus', unitForgetBias: false },
      also: [{ ...drawn, units: 2, biasInitializer: initializers.randomUniform({ seed: 9 }) }],
    },
    Masking: { factory: 'masking', options: { ...base, maskValue: -1 } },
    PositionEmbedding: {
      factory: 'positionEmbedding',
      options: {
        ...base,
        sequenceLength: 5,
        initializer: initializers.randomNormal({ mean: 1, stddev: 2, seed: 3 }),
      },
    },
    SinePositionEncoding: { factory: 'sinePositionEncoding', options: { ...base, maxWavelength: 100 } },
    TimeDistributed: {
      factory: 'timeDistributed',
      options: { ...base, layer: layers.dense({ units: 2, kernelInitializer: initializers.ones() }) },
    },
    SimpleRNN: { factory: 'simpleRNN', options: recurrent, also: [{ ...drawn, units: 2 }] },
    AveragePooling1D: {
      factory: 'averagePooling1d',
      options: { ...sequences, poolSize: [4], strides: [3], padding: 'same' },
    },
    AveragePooling2D: {
      factory: 'averagePooling2d',
      options: { ...images, poolSize: [3, 2], strides: [1, 2], padding: 'same' },
    },
    Conv1D: {
      factory: 'conv1d',
      options: {
        ...sequences,
        ...convolution,
        ...weightOptions('kernel', 3),
        kernelSize: [3],
        strides: [2],
        dilationRate: [2],
        padding: 'causal',
        filters: 6,
        groups: 2,
      },
    },
    Conv2D: {
      factory: 'conv2d',
      options: { ...images, ...convolution, ...weightOptions('kernel', 3), filters: 6, groups: 2 },
      also: [
        {
          inputShape: [6, 5, 4],
          filters: 2,
          kernelSize: [1, 3],
          kernelInitializer: initializers.ones(),
          biasInitializer: initializers.randomUniform({ seed: 9 }),
        },
      ],
    },
    Conv2DTranspose: {
      factory: 'conv2dTranspose',
      options: {
        ...images,
        ...convolution,
        ...weightOptions('kernel', 3),
        strides: [3, 2],
        dilationRate: [1, 2],
        filters: 6,
        outputPadding: [2, 1],
      },
    },
    Cropping2D: {
      factory: 'cropping2d',
      options: {
        ...images,
        cropping: [
          [1, 2],
          [0, 3],
        ],
      },
    },
    DepthwiseConv2D: {
      factory: 'depthwiseConv2d',
      options: { ...images, ...convolution, ...weightOptions('depthwise', 3), depthMultiplier: 2 },
    },
    GlobalAveragePooling1D: { factory: 'globalAveragePooling1d', options: { ...sequences, keepdims: true } },
    GlobalAveragePooling2D: { factory: 'globalAveragePooling2d', options: { ...images, keepdims: true } },
    GlobalMaxPooling1D: { factory: 'globalMaxPooling1d', options: { ...sequences, keepdims: true } },
    GlobalMaxPooling2D: { factory: 'globalMaxPooling2d', options: { ...images, keepdims: true } },
    MaxPooling1D: {
      factory: 'maxPooling1d',
      options: { ...sequences, poolSize: [4], strides: [3], padding: 'same' },
    },
    MaxPooling2D: {
      factory: 'maxPooling2d',
      options: { ...images, poolSize: [3, 2], strides: [1, 2], padding: 'same' },
    },
    SeparableConv2D: {
      factory: 'separableConv2d',
      options: {
        ...images,
        ...convolution,
        ...weightOptions('depthwise', 3),
        ...weightOptions('pointwise', 4),
        depthMultiplier: 2,
        filters: 6,
      },
    },
    UpSampling2D: { factory: 'upSampling2d', options: { ...images, size: [3, 4], interpolation: 'bilinear' } },
    ZeroPadding2D: {
      factory: 'zeroPadding2d',
      options: {
        ...images,
        padding: [
          [1, 2],
          [0, 3],
        ],
      },
    },
    Dot: { factory: 'dot', options: { ...base, axes: [2, -1], normalize: true }, also: [{ axes: 1 }] },
    Dropout: { factory: 'dropout', options: { ...base, rate: 0.4, seed: 2 ** 40 }, also: [{ rate: 0.4 }] },
    Embedding: {
      factory: 'embedding',
      options: {
        ...base,
        inputDim: 5,
        outputDim: 4,
        maskZero: true,
        embeddingsInitializer: initializers.randomNormal({ mean: 1, stddev: 2, seed: 3 }),
        embeddingsRegularizer: regularizers.l1l2({ l1: 0.5, l2: 0.25 }),
        embeddingsConstraint: constraints.maxNorm({ maxValue: 3, axis: 1 }),
      },
      also: [{ inputDim: 4, outputDim: 1, embeddingsInitializer: initializers.ones() }],
    },
    Flatten: { factory: 'flatten', options: base },
    InputLayer: { factory: 'input', options: { name: 'mine', shape: [2, 3], dtype: 'int32' } },
    Lambda: { factory: 'lambda', options: { ...base, function: ops.exp, outputShape: [2, 3] } },
    Maximum: { factory: 'maximum', options: base },
    Minimum: { factory: 'minimum', options: base },
    MultiHeadAttention: {
      factory: 'multiHeadAttention',
      options: {
        ...sequences,
        numHeads: 2,
        keyDim: 3,
        valueDim: 5,
        dropout: 0.25,
        useBias: false,
        outputShape: [3, 2],
        useCausalMask: true,
        ...weightOptions('kernel', 3),
        ...weightOptions('bias', 5),
        seed: 7,
      },
      also: [
        {
          numHeads: 1,
          keyDim: 2,
          kernelInitializer: initializers.glorotUniform({ seed: 1 }),
          biasInitializer: initializers.randomUniform({ seed: 9 }),
        },
      ],
    },
    Multiply: { factory: 'multiply', options: base },
    Permute: { factory: 'permute', options: { ...base, dims: [2, 1] } },
    RepeatVector: { factory: 'repeatVector', options: { ...base, inputShape: [6], n: 4 } },
    Reshape: { factory: 'reshape', options: { ...base, targetShape: [3, -1] } },
    Subtract: { factory: 'subtract', options: base },
    GaussianDropout: { factory: 'gaussianDropout', options: { ...base, rate: 0.4, seed: 7 } },
    GaussianNoise: { factory: 'gaussianNoise', options: { ...base, stddev: 0.4, seed: 7 } },
    AlphaDropout: { factory: 'alphaDropout', options: { ...base, rate: 0.4, seed: 7 } },
    BatchNormalization: {
      factory: 'batchNormalization',
      options: {
        ...affine,
        axis: 1,
        momentum: 0.5,
        movingMeanInitializer: initializers.randomNormal({ seed: 4 }),
        movingVarianceInitializer: initializers.constant({ value: 2.5 }),
      },
      also: [{ gammaInitializer: initializers.randomUniform({ seed: 2 }) }],
    },
    ELU: { factory: 'elu', options: { ...base, alpha: 0.5 } },
    GroupNormalization: { factory: 'groupNormalization', options: { ...affine, groups: 2, axis: 1 } },
    LayerNormalization: { factory: 'layerNormalization', options: { ...affine, axis: [1, -1] }, also: [{ axis: 1 }] },
    LeakyReLU: { factory: 'leakyRelu', options: { ...base, negativeSlope: 0.125 } },
    Normalization: {
      factory: 'normalization',
      options: { ...base, axis: 1, mean: [1, -2], variance: [4, 0.25], invert: true },
      also: [{ axis: [1, 2] }, { axis: null, mean: 2, variance: 3 }],
    },
    PReLU: {
      factory: 'prelu',
      options: {
        ...base,
        alphaInitializer: initializers.constant({ value: 0.25 }),
        alphaRegularizer: regularizers.l2({ l2: 0.5 }),
        alphaConstraint: constraints.nonNeg(),
        sharedAxes: [1],
      },
    },
    RMSNormalization: { factory: 'rmsNormalization', options: { ...base, axis: [1, 2], epsilon: 0.1 } },
    ReLU: { factory: 'relu', options: { ...base, maxValue: 1.5, negativeSlope: 0.25, threshold: 0.5 } },
    Rescaling: {
      factory: 'rescaling',
      options: { ...base, scale: 2.5, offset: [1, 2, 3] },
      also: [{ scale: [2, 4, 8] }],
    },
    Softmax: { factory: 'softmax', options: { ...base, axis: [1, 2] } },
    SpatialDropout1D: { factory: 'spatialDropout1d', options: { ...base, rate: 0.4, seed: 7 } },
    SpatialDropout2D: {
      factory: 'spatialDropout2d',
      options: { ...base, inputShape: [3, 1, 2], rate: 0.4, seed: 7, dataFormat: 'channelsFirst' },
    },
    UnitNormalization: { factory: 'unitNormalization', options: { ...base, axis: 1 } },
  },
  initializer: {
    Constant: { factory: 'constant', options: { value: -1.5 }, also: [{ value: [0.5, -1, 2, 3, 1e-9] }] },
    GlorotNormal: { factory: 'glorotNormal', options: { seed: 8, ...axes } },
    GlorotUniform: { factory: 'glorotUniform', options: { seed: 2 ** 32 - 1, ...axes } },
    HeNormal: { factory: 'heNormal', options: { seed: 8, ...axes } },
    HeUniform: { factory: 'heUniform', options: { seed: 8, ...axes } },
    Identity: { factory: 'identity', options: { gain: -2.5 } },
    LecunNormal: { factory: 'lecunNormal', options: { seed: 8, ...axes } },
    LecunUniform: { factory: 'lecunUniform', options: { seed: 8, ...axes } },
    Ones: { factory: 'ones', options: {} },
    Orthogonal: { factory: 'orthogonal', options: { gain: 1.5, seed: 8 } },
    RandomNormal: { factory: 'randomNormal', options: { mean: 0.1, stddev: 0.3, seed: 4 } },
    RandomUniform: { factory: 'randomUniform', options: { minval: -2, maxval: 1 / 3, seed: 0 } },
    Sparse: {
      factory: 'sparse',
      options: { connections: 2, stddev: 0.5, seed: 8 },
      also: [{ sparsity: 0.4, seed: 8 }],
    },
    TruncatedNormal: { factory: 'truncatedNormal', options: { mean: 0.1, stddev: 0.3, seed: 4 } },
    UniformFanIn: { factory: 'uniformFanIn', options: { fanIn: 9, seed: 4 } },
    VarianceScaling: {
      factory: 'varianceScaling',
      options: { scale: 0.5, mode: 'fanAvg', distribution: 'uniform', seed: 4, ...axes },
      also: [{ distribution: 'untruncatedNormal', seed: 4 }],
    },
    Zeros: { factory: 'zeros', options: {} },
  },
  regularizer: {
    L1: { factory: 'l1', options: { l1: 0.3 } },
    L1L2: { factory: 'l1l2', options: { l1: 0.3, l2: 0.7 } },
    L2: { factory: 'l2', options: { l2: 0.7 } },
    OrthogonalRegularizer: { factory: 'orthogonal', options: { factor: 0.7, mode: 'columns' } },
  },
  constraint: {
    MaxNorm: { factory: 'maxNorm', options: { maxValue: 3, axis: 1 } },
    MinMaxNorm: { factory: 'minMaxNorm', options: { minValue: 0.25, maxValue: 3, rate: 0.5, axis: [1, 2] } },
    NonNeg: { factory: 'nonNeg', options: {} },
    UnitNorm: { factory: 'unitNorm', options: { axis: [0, 2] } },
  },
  loss: {
    BinaryCrossentropy: {
      factory: 'binaryCrossentropy',
      options: { name: 'mine', fromLogits: true, labelSmoothing: 0.1, axis: 1 },
    },
    BinaryFocalCrossentropy: {
      factory: 'binaryFocalCrossentropy',
      options: {
        name: 'mine',
        applyClassBalancing: true,
        alpha: 0.3,
        gamma: 1.5,
        fromLogits: true,
        labelSmoothing: 0.1,
        axis: 1,
      },
    },
    CategoricalCrossentropy: {
      factory: 'categoricalCrossentropy',
      options: { name: 'mine', fromLogits: true, labelSmoothing: 0.1, axis: 1 },
    },
    CategoricalFocalCrossentropy: {
      factory: 'categoricalFocalCrossentropy',
      options: { name: 'mine', alpha: 0.3, gamma: 1.5, fromLogits: true, labelSmoothing: 0.1, axis: 1 },
    },
    CategoricalHinge: { factory: 'categoricalHinge', options: { name: 'mine' } },
    CosineSimilarity: { factory: 'cosineSimilarity', options: { name: 'mine', axis: 1 } },
    Hinge: { factory: 'hinge', options: { name: 'mine' } },
    Huber: { factory: 'huber', options: { name: 'mine', delta: 0.25 } },
    KLDivergence: { factory: 'klDivergence', options: { name: 'mine' } },
    LogCosh: { factory: 'logCosh', options: { name: 'mine' } },
    MeanAbsoluteError: { factory: 'meanAbsoluteError', options: { name: 'mine' } },
    MeanAbsolutePercentageError: { factory: 'meanAbsolutePercentageError', options: { name: 'mine' } },
    MeanSquaredError: { factory: 'meanSquaredError', options: { name: 'mine' } },
    MeanSquaredLogarithmicError: { factory: 'meanSquaredLogarithmicError', options: { name: 'mine' } },
    Poisson: { factory: 'poisson', options: { name: 'mine' } },
    SparseCategoricalCrossentropy: {
      factory: 'sparseCategoricalCrossentropy',
      options: { name: 'mine', fromLogits: true, ignoreClass: 2, axis: 1 },
    },
    SquaredHinge: { factory: 'squaredHinge', options: { name: 'mine' } },
  },
  metric: {
    Accuracy: { factory: 'accuracy', options: { name: 'mine' } },
    AUC: {
      factory: 'auc',
      options: {
        name: 'mine',
        numThresholds: 11,
        curve: 'PR',
        summationMethod: 'majoring',
        multiLabel: true,
        numLabels: 3,
        labelWeights: [1, 0.5, 2],
        fromLogits: true,
      },
      also: [{ thresholds: [0.2, 0.9], curve: 'PRGAIN' }],
    },
    BinaryAccuracy: { factory: 'binaryAccuracy', options: { name: 'mine', threshold: 0.75 } },
    CategoricalAccuracy: { factory: 'categoricalAccuracy', options: { name: 'mine' } },
    F1Score: { factory: 'f1Score', options: { name: 'mine', average: 'macro', threshold: 0.25 } },
    FBetaScore: { factory: 'fBetaScore', options: { name: 'mine', average: 'weighted', beta: 2, threshold: 0.25 } },
    Precision: {
      factory: 'precision',
      options: { name: 'mine', thresholds: [0.6, 0.15], topK: 2, classId: 1 },
      also: [{ thresholds: 0.15 }],
    },
    Recall: {
      factory: 'recall',
      options: { name: 'mine', thresholds: [0.6, 0.15], topK: 2, classId: 0 },
      also: [{ thresholds: 0.15 }],
    },
    RootMeanSquaredError: { factory: 'rootMeanSquaredError', options: { name: 'mine' } },
    SparseCategoricalAccuracy: { factory: 'sparseCategoricalAccuracy', options: { name: 'mine' } },
    SparseTopKCategoricalAccuracy: { factory: 'sparseTopKCategoricalAccuracy', options: { name: 'mine', k: 2 } },
    TopKCategoricalAccuracy: { factory: 'topKCategoricalAccuracy', options: { name: 'mine', k: 2 } },
    ZeroOneLoss: { factory: 'zeroOneLoss', options: { name: 'mine' } },
  },
  optimizer: {
    Adafactor: {
      factory: 'adafactor',
      options: {
        name: 'mine',
        learningRate: 0.3,
        weightDecay: 0.1,
        clipNorm: 0.5,
        useEma: true,
        emaMomentum: 0.5,
        emaOverwriteFrequency: 2,
        gradientAccumulationSteps: 3,
        groups: [{ match: 'b', weightDecay: 0, epsilon2: 0.01 }],
        beta2Decay: -0.5,
        epsilon1: 1e-4,
        epsilon2: 0.1,
        clipThreshold: 2,
        relativeStep: false,
        preset: 'keras',
      },
      also: [{ preset: 'torch', clipValue: 0.25 }, { globalClipNorm: 0.25 }],
    },
    Muon: {
      factory: 'muon',
      options: {
        name: 'mine',
        learningRate: 0.3,
        weightDecay: 0.1,
        clipNorm: 0.5,
        useEma: true,
        emaMomentum: 0.5,
        emaOverwriteFrequency: 2,
        gradientAccumulationSteps: 3,
        groups: [{ match: 'b', weightDecay: 0 }],
        momentum: 0.5,
        nesterov: false,
        nsSteps: 2,
        muonA: 3,
        muonB: -4,
        muonC: 1.5,
        rmsRate: 0.4,
        excludeLayers: ['b$'],
        excludeEmbeddings: false,
        adamLrRatio: 0.5,
        adamBeta1: 0.5,
        adamBeta2: 0.75,
        adamWeightDecay: 0.3,
        epsilon: 0.01,
        preset: 'keras',
      },
      also: [{ preset: 'torch', clipValue: 0.25, adjustLrFn: 'matchRmsAdamw' }, { globalClipNorm: 0.25 }],
    },
    Adam: {
      factory: 'adam',
      options: {
        name: 'mine',
        learningRate: 0.3,
        weightDecay: 0.1,
        clipNorm: 0.5,
        useEma: true,
        emaMomentum: 0.5,
        emaOverwriteFrequency: 2,
        gradientAccumulationSteps: 3,
        beta1: 0.5,
        beta2: 0.75,
        epsilon: 0.01,
        amsgrad: true,
        preset: 'torch',
      },
      also: [
        { preset: 'torch', clipValue: 0.25 },
        { globalClipNorm: 0.25, learningRate: schedules.inverseTime({ initial: 0.5, decay: 1 }) },
      ],
    },
    Lamb: {
      factory: 'lamb',
      options: {
        name: 'mine',
        learningRate: 0.3,
        weightDecay: 0.1,
        clipNorm: 0.5,
        useEma: true,
        emaMomentum: 0.5,
        emaOverwriteFrequency: 2,
        gradientAccumulationSteps: 3,
        beta1: 0.5,
        beta2: 0.75,
        epsilon: 0.01,
        preset: 'torch',
      },
      also: [{ clipValue: 0.25 }, { globalClipNorm: 0.25 }],
    },
    Lars: {
      factory: 'lars',
      options: {
        name: 'mine',
        learningRate: 0.3,
        weightDecay: 0.1,
        clipNorm: 0.5,
        useEma: true,
        emaMomentum: 0.5,
        emaOverwriteFrequency: 2,
        gradientAccumulationSteps: 3,
        momentum: 0.5,
        nesterov: true,
        trustCoefficient: 0.25,
        epsilon: 0.01,
        preset: 'torch',
      },
      also: [{ clipValue: 0.25 }, { globalClipNorm: 0.25 }],
    },
    SGD: {
      factory: 'sgd',
      options: {
        name: 'mine',
        learningRate: 0.3,
        weightDecay: 0.1,
        globalClipNorm: 0.5,
        useEma: true,
        emaMomentum: 0.5,
        emaOverwriteFrequency: 2,
        gradientAccumulationSteps: 2,
        momentum: 0.5,
        nesterov: true,
        preset: 'keras',
      },
      also: [
        { preset: 'torch', momentum: 0.5, dampening: 0.25, clipValue: 0.5 },
        { preset: 'torch', clipNorm: 0.25 },
      ],
    },
  },
  schedule: {
    Constant: { factory: 'constant', options: { value: 0.3 } },
    CosineDecay: {
      factory: 'cosine',
      options: { initial: 0.1, steps: 3, alpha: 0.2, warmupTarget: 0.7, warmupSteps: 2 },
    },
    CosineDecayRestarts: {
      factory: 'cosineRestarts',
      options: { initial: 0.1, steps: 2, tMul: 1.5, mMul: 0.7, alpha: 0.2 },
    },
    ExponentialDecay: { factory: 'exponential', options: { initial: 0.1, rate: 0.4, steps: 2, staircase: true } },
    InverseSqrt: { factory: 'inverseSqrt', options: { initial: 0.1, warmupSteps: 3 } },
    InverseTimeDecay: { factory: 'inverseTime', options: { initial: 0.1, decay: 0.4, steps: 2, staircase: true } },
    Linear: { factory: 'linear', options: { initial: 0.1, final: 0.01, steps: 4 } },
    OneCycle: {
      factory: 'oneCycle',
      options: {
        max: 0.5,
        steps: 6,
        pctStart: 0.4,
        annealStrategy: 'linear',
        divFactor: 3,
        finalDivFactor: 7,
        threePhase: true,
      },
    },
    PiecewiseConstantDecay: { factory: 'piecewise', options: { boundaries: [1, 3], values: [0.3, 0.2, 0.1] } },
    PolynomialDecay: {
      factory: 'polynomial',
      options: { initial: 0.1, final: 0.02, steps: 3, power: 2, cycle: true },
    },
    Warmup: {
      factory: 'warmup',
      options: { steps: 2, then: schedules.exponential({ initial: 0.1, rate: 0.5, steps: 1 }), initial: 0.01 },
    },
  },
  callback: {
    EarlyStopping: {
      factory: 'earlyStopping',
      options: {
        monitor: 'accuracy',
        minDelta: 0.5,
        patience: 3,
        verbose: 1,
        mode: 'max',
        baseline: 0.25,
        restoreBestWeights: true,
        gradientRows: 0,
        startFromEpoch: 2,
      },
    },
    CSVLogger: { factory: 'csvLogger', options: { path: 'a.csv', separator: ';', append: true } },
    Diagnostics: {
      factory: 'diagnostics',
      options: {
        everySteps: 7,
        record: ['sharpness', 'noiseScale'],
        batchSize: 16,
        training: true,
        seed: 3,
        iterations: 11,
        tolerance: 0.05,
      },
    },
    TerminateOnNaN: { factory: 'terminateOnNaN', options: {} },
    History: { factory: 'history', options: {} },
    LearningRateScheduler: {
      factory: 'learningRateScheduler',
      options: { schedule: schedules.exponential({ initial: 0.1, rate: 0.5, steps: 2 }), verbose: 1 },
      also: [{ schedule: schedules.constant(0.3) }],
    },
    ReduceLROnPlateau: {
      factory: 'reduceLROnPlateau',
      options: {
        monitor: 'accuracy',
        factor: 0.25,
        patience: 3,
        verbose: 1,
        mode: 'max',
        minDelta: 0.5,
        cooldown: 2,
        minLr: 1e-5,
      },
    },
    ModelCheckpoint: {
      factory: 'modelCheckpoint',
      options: {
        path: 'a-{epoch}',
        monitor: 'accuracy',
        mode: 'max',
        saveBestOnly: true,
        saveWeightsOnly: true,
        everySteps: 7,
        everyMinutes: 1.5,
        keep: 2,
        verbose: 1,
      },
    },
  },
};
rows.metric = { ...rows.loss, ...rows.metric };

/** Of every optimizer; in sets, since clips exclude one another. */
const commonOptions: Options[] = [
  {
    name: 'mine',
    learningRate: 0.3,
    weightDecay: 0.1,
    clipNorm: 0.5,
    useEma: true,
    emaMomentum: 0.5,
    emaOverwriteFrequency: 2,
    gradientAccumulationSteps: 3,
  },
  { clipValue: 0.25 },
  { globalClipNorm: 0.25, learningRate: schedules.inverseTime({ initial: 0.5, decay: 1 }) },
];
/** Those that no row needs to say. */
const everywhere: Options[] = [
  { groups: [{ match: ['a', 'b'], weightDecay: 0.5, learningRate: 0.25 }, { match: 'c' }] },
  { adaptiveClipFactor: 0.25, adaptiveClipEpsilon: 0.5, skipNonFinite: true, lossScaleFactor: 4 },
  { lossScale: 'dynamic' },
];

// Optimizers that have no row have the options of the golden trajectories, where all are away from their defaults, too.
const trajectories = ['keras', 'torch', 'book'].flatMap(
  (oracle) => read<{ cases: OptimizerSpec[] }>(`update-rules-${oracle}`).cases,
);
for (const factory of new Set(trajectories.map(({ optimizer }) => optimizer))) {
  if (Object.values(rows.optimizer).some((row) => row.factory === factory)) continue;
  const own = trajectories.filter(({ optimizer }) => optimizer === factory).map(({ options }) => options);
  const { className } = serialize(makeOptimizer({ optimizer: factory, options: {} }));
  rows.optimizer[className] = { factory, options: commonOptions[0], also: [...commonOptions.slice(1), ...own] };
}
for (const row of Object.values(rows.optimizer)) row.also = [...(row.also ?? []), ...everywhere];

const exported: Record<string, Record<string, unknown>> = {
  layer: layers,
  initializer: initializers,
  regularizer: regularizers,
  constraint: constraints,
  loss: losses,
  metric: metrics,
  optimizer: optimizers,
  schedule: schedules,
  callback: callbacks,
};

/** Exports that make no configurable object; anything else must have a row. */
const helpers: Record<string, string[]> = {
  initializer: ['resolveInitializer', 'fromTargets'],
  optimizer: ['get'],
  schedule: ['check'],
  callback: ['lambda'],
};

const isClass = (value: unknown) => /^class\b/.test(Function.prototype.toString.call(value));

/** What an object does, as numbers. */
const behaviours: Record<string, (object: never) => unknown | Promise<unknown>> = {
  layer: (layer: layers.Layer) => {
    const example = layer.inputShape ?? [2, 3];
    const inputs = [1, 2].map((from) =>
      tensor(randomArray(2 * example.reduce((size, dim) => size * dim, 1), from, 0, 4), [2, ...example]),
    );
    const input = layer.severalInputs ? inputs : inputs[0];
    const shape = layer.severalInputs ? [example, example] : example;
    layer.build(shape);
    return {
      shape: layer.computeOutputShape(shape),
      weights: layer.weights.map(({ name, shape, trainable, variable, regularizer }) => ({
        name,
        shape,
        trainable,
        values: layer.getConfig().seed !== undefined || seeded(layer) ? [...variable.dataSync()] : null,
        penalty: regularizer ? [...(regularizer(tensor([1, -2])) as Tensor).dataSync()] : null,
      })),
      outputs: [false, true].map((training) =>
        layer.weights.length && !seeded(layer)
          ? null
          : [layer.apply(input, { training }) as Tensor | Tensor[]].flat().map((output) => [...output.dataSync()]),
      ),
    };
  },
  initializer: (initializer: initializers.Initializer) => [...initializer.sample([3, 5]).dataSync()],
  regularizer: (regularizer: regularizers.Regularizer) => [
    ...(
      regularizer(
        tensor([
          [1, -2],
          [3, 0.5],
        ]),
      ) as Tensor
    ).dataSync(),
  ], // prettier-ignore
  loss: measured,
  metric: measured,
  optimizer: async (optimizer: optimizers.Optimizer) => {
    const w = variable([1, -2, 3], { name: 'b' });
    for (let step = 0; step < 3; step++) await optimizer.applyGradients([[tensor([0.5, step, -1]), w]]);
    return [optimizer.name, optimizer.learningRate, ...w.dataSync()];
  },
  constraint: (constraint: constraints.Projection) => [
    ...constraint(tensor(randomArray(2 * 3 * 4, 7), [2, 3, 4])).dataSync(),
  ],
  schedule: (schedule: schedules.ScheduleLike) => [0, 1, 2, 3, 5, 8].map((step) => schedule(step)),
  callback: (callback: object) => Object.keys(callback),
};

function measured(loss: losses.Loss | metrics.Metric): unknown {
  const outputs = tensor([
    [0.7, 0.2, 0.1],
    [0.3, 0.6, 0.1],
  ]); // prettier-ignore
  const labels = /Sparse/.test(serialize(loss).className);
  const targets = labels
    ? tensor([0, 2], [2], 'int32')
    : tensor([
        [1, 0, 0],
        [0, 0, 1],
      ]); // prettier-ignore
  const values = 'perExample' in loss ? (loss.perExample(targets, outputs) as Tensor) : loss(targets, outputs);
  return [loss.label, ...values.dataSync()];
}

/** Equal configs give equal weights only where each initializer has its seed, or draws nothing. */
function seeded(layer: layers.Layer): boolean {
  const found = Object.entries(layer.getConfig())
    .filter(([key]) => key.endsWith('Initializer'))
    .map(([, value]) => value as unknown as Serialized);
  return found.every((entry) => entry?.config.seed !== null);
}

function made(kind: string, factory: string, options: Options): object {
  return (exported[kind][factory] as Factory)(options as never);
}

const viaText = (object: object): Serialized => JSON.parse(JSON.stringify(serialize(object))) as Serialized;

test('no namespace of the package is left out', () => {
  const without = [downhill.ops, downhill.data, downhill.diagnostics, downhill.solve, downhill.symmetries];
  const namespaces = Object.values(downhill).filter(
    (value: unknown) => Object.prototype.toString.call(value) === '[object Module]',
  );
  expect(new Set(namespaces)).toEqual(new Set([...Object.values(exported), ...without]));
});

for (const kind of Object.keys(exported)) {
  describe(kind, () => {
    const factories = Object.entries(exported[kind])
      .filter(([name, value]) => typeof value === 'function' && !isClass(value) && !helpers[kind]?.includes(name))
      .map(([name]) => name);

    test('exports, registry and the rows above agree', () => {
      const table = rows[kind];
      expect(
        Object.values(table)
          .map(({ factory }) => factory)
          .sort(),
      ).toEqual(factories.sort()); // prettier-ignore
      expect(Object.keys(table).sort()).toEqual(registered(kind as Kind).sort());
    });

    test.each(factories)('%s', async (factory) => {
      const found = Object.entries(rows[kind]).find(([, row]) => row.factory === factory);
      expect(found, `${kind} "${factory}" has no row in this test`).toBeDefined();
      const [className, { options, also = [] }] = found!;
      for (const given of [options, ...also]) {
        const object = made(kind, factory, given);
        const text = viaText(object);
        expect(text.className).toBe(className);
        const again = deserialize(kind as Kind, text) as object;
        expect(again.constructor).toBe(object.constructor);
        expect(viaText(again)).toEqual(text);
        expect(JSON.stringify(viaText(again))).toBe(JSON.stringify(text));
        const behaviour = behaviours[kind] as (object: object) => unknown;
        expect(await behaviour(again)).toEqual(await behaviour(object));
      }
    });

    test.each(factories)('%s: the config has every option, as given', (factory) => {
      const row = Object.values(rows[kind]).find((candidate) => candidate.factory === factory)!;
      for (const given of [row.options, ...(row.also ?? [])]) {
        const { config } = serialize(made(kind, factory, given));
        for (const [option, value] of Object.entries(given)) {
          const object =
            typeof value === 'function' || (typeof value === 'object' && value !== null && !Array.isArray(value));
          expect(config[option], `${factory}: ${option}`).toEqual(object ? serialize(value as object) : value);
        }
      }
    });

    test.each(factories)('%s: the rows set every option, away from its default', (factory) => {
      const row = Object.values(rows[kind]).find((candidate) => candidate.factory === factory)!;
      const known = optionsOf(kind, factory).filter((option) => !data[factory]?.includes(option));
      const named = new Set([row.options, ...(row.also ?? [])].flatMap((options) => Object.keys(options)));
      expect([...named].sort()).toEqual([...known].sort());
      const least = serialize(made(kind, factory, required[factory] ?? {})).config;
      for (const option of known.filter((key) => !Object.hasOwn(required[factory] ?? {}, key))) {
        if (option === 'preset' && !['torch', 'book'].some((preset) => accepts(kind, factory, { preset }))) continue;
        const given = [row.options, ...(row.also ?? [])].filter((options) => options[option] !== undefined);
        const configs = given.map((options) => JSON.stringify(serialize(made(kind, factory, options)).config[option]));
        expect(
          configs.some((config) => config !== JSON.stringify(least[option])),
          option,
        ).toBe(true);
      }
    });
  });
}

/** Options that hold data, which is no part of a config. */
const data: Record<string, readonly string[]> = { diagnostics: ['x', 'y'] };

/** Options that a factory does not go without. */
const required: Record<string, Options> = {
  activation: { activation: 'relu' },
  bidirectional: { layer: layers.lstm({ units: 1 }) },
  positionEmbedding: { sequenceLength: 1 },
  timeDistributed: { layer: layers.dense({ units: 1 }) },
  alphaDropout: { rate: 0.5 },
  conv1d: { filters: 1, kernelSize: 1 },
  conv2d: { filters: 1, kernelSize: 1 },
  conv2dTranspose: { filters: 1, kernelSize: 1 },
  csvLogger: { path: 'b.csv' },
  dense: { units: 1 },
  depthwiseConv2d: { kernelSize: 1 },
  dot: { axes: 1 },
  dropout: { rate: 0.5 },
  embedding: { inputDim: 1, outputDim: 1 },
  gru: { units: 1 },
  input: { shape: [1] },
  lambda: { function: ops.exp },
  learningRateScheduler: { schedule: schedules.constant(0.5) },
  lstm: { units: 1 },
  modelCheckpoint: { path: 'm' },
  multiHeadAttention: { numHeads: 1, keyDim: 1 },
  permute: { dims: [1] },
  repeatVector: { n: 1 },
  rescaling: { scale: 1 },
  reshape: { targetShape: [-1] },
  simpleRNN: { units: 1 },
  gaussianDropout: { rate: 0.5 },
  gaussianNoise: { stddev: 0.5 },
  spatialDropout1d: { rate: 0.5 },
  spatialDropout2d: { rate: 0.5 },
  separableConv2d: { filters: 1, kernelSize: 1 },
  constant: { value: 0 },
  cosine: { initial: 1, steps: 1 },
  cosineRestarts: { initial: 1, steps: 1 },
  exponential: { initial: 1, rate: 1, steps: 1 },
  inverseSqrt: { initial: 1 },
  inverseTime: { initial: 1, decay: 1 },
  linear: { initial: 1, final: 1, steps: 1 },
  oneCycle: { max: 1, steps: 1 },
  piecewise: { boundaries: [], values: [1] },
  polynomial: { initial: 1, steps: 1 },
  warmup: { steps: 1, then: 1 },
};

function accepts(kind: string, factory: string, options: Options): boolean {
  try {
    return Boolean(made(kind, factory, options));
  } catch {
    return false;
  }
}

/** The options that a factory knows, from what it says of one that it does not. */
function optionsOf(kind: string, factory: string): string[] {
  try {
    made(kind, factory, { ...required[factory], 'no such option': 1 });
  } catch (error) {
    const list = /Known options: (.*)\.$/.exec((error as Error).message)?.[1];
    if (list !== undefined) return list === 'none' ? [] : list.split(', ');
  }
  throw new Error(`${kind} ${factory} accepts unknown options`);
}

test('the learning rate in a config is the one of the moment', () => {
  const optimizer = optimizers.sgd({ learningRate: 0.5 });
  optimizer.learningRate = 0.125;
  expect(optimizer.getConfig().learningRate).toBe(0.125);
});

test('the options of a preset stand in the config as they were resolved', () => {
  expect(optimizers.adam({ preset: 'torch' }).getConfig()).toMatchObject({ epsilon: 1e-8, preset: 'torch' });
  expect(optimizers.adam().getConfig()).toMatchObject({ epsilon: 1e-7, preset: 'keras', weightDecay: null });
});

test('every activation by name', () => {
  for (const name of registered('activation')) {
    const layer = layers.activation(name);
    expect(layer.getConfig().activation).toBe(name);
    const again = deserialize('layer', viaText(layer));
    const x = tensor([[-1, 0.5, 2]]);
    expect([...(again.apply(x) as Tensor).dataSync()]).toEqual([...(layer.apply(x) as Tensor).dataSync()]);
  }
});
