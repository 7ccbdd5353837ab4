// Recurrent layers.
import { binding, type Storage } from '../../binding/index.js';
import type { Config } from '../../config/values.js';
import * as ops from '../../graph/ops.js';
import { Initializer } from '../../initializers/initializer.js';
import type { Shape } from '../../tensor/shape.js';
import type { Computed } from '../layer.js';
import {
  columns,
  type Fused,
  Gated,
  type GatedOptions,
  isNamed,
  Recurrent,
  type RecurrentOptions,
  recurrentOptions,
} from './recurrent-base.js';

export interface SimpleRNNOptions extends RecurrentOptions {}

export interface LSTMOptions extends GatedOptions {
  /** Begin the forget gate's bias at 1, as in Jozefowicz et al. 2015; true by default. */
  unitForgetBias?: boolean;
}

export interface GRUOptions extends GatedOptions {
  /** Apply the reset gate after the recurrent product, which has a bias of its own then; true by default. false is slower. */
  resetAfter?: boolean;
}

export class SimpleRNN extends Recurrent {
  override readonly type = 'SimpleRNN';
  protected override readonly carried = 1;

  constructor(options: SimpleRNNOptions) {
    super('simple_rnn', recurrentOptions<SimpleRNNOptions>('simpleRNN', options, []), 1);
  }

  protected override fuses(): boolean {
    return isNamed(this.activation, 'tanh');
  }

  protected override fused({ products, kernel, initial, mask }: Fused): Computed {
    return ops.simpleRNN(products, kernel, initial, mask);
  }

  protected override step(x: Computed, hidden: Computed, _: readonly Computed[], kernel: Computed): Computed[] {
    return [this.activation(ops.add(x, ops.matmul(hidden, kernel)))];
  }
}

/** Zeros or whatever was asked for, but ones for the second of four gates. */
class ForgetBias extends Initializer {
  override readonly name = 'layers.lstm: biasInitializer';

  constructor(
    private readonly rest: Initializer,
    private readonly units: number,
  ) {
    super();
  }

  protected override fill(storage: Storage): void {
    const { rest, units } = this;
    const values = new Float32Array(4 * units).fill(1);
    for (const [count, at] of [
      [units, 0],
      [2 * units, 2 * units],
    ] as const) {
      const part = rest.sample([count]);
      values.set(part.dataSync(), at);
      part.dispose();
    }
    binding.storagesWrite([storage], ['float32'], [values]);
  }
}

export class LSTM extends Gated {
  override readonly type = 'LSTM';
  readonly unitForgetBias: boolean;
  protected override readonly carried = 2;

  constructor(options: LSTMOptions) {
    const read = recurrentOptions<LSTMOptions>('lstm', options, ['recurrentActivation', 'unitForgetBias']);
    super('lstm', read, 4);
    this.unitForgetBias = read.flag('unitForgetBias', true);
  }

  override getConfig(): Config {
    return { ...super.getConfig(), unitForgetBias: this.unitForgetBias };
  }

  protected override biasStart(): Initializer {
    const { initializer } = this.options.bias;
    return this.unitForgetBias ? new ForgetBias(initializer, this.units) : initializer;
  }

  protected override fused({ products, kernel, initial, mask }: Fused): Computed {
    return ops.lstm(products, kernel, initial, mask);
  }

  protected override step(x: Computed, hidden: Computed, states: readonly Computed[], kernel: Computed): Computed[] {
    const z = ops.add(x, ops.matmul(hidden, kernel));
    const [i, f, g, o] = [0, 1, 2, 3].map((gate) => columns(z, gate, this.units)) as [
      Computed,
      Computed,
      Computed,
      Computed,
    ];
    const { activation, recurrentActivation: gated } = this;
    const c = ops.add(ops.mul(gated(f), states[1]!), ops.mul(gated(i), activation(g)));
    return [ops.mul(gated(o), activation(c)), c];
  }
}

export class GRU extends Gated {
  override readonly type = 'GRU';
  readonly resetAfter: boolean;
  protected override readonly carried = 1;

  constructor(options: GRUOptions) {
    const read = recurrentOptions<GRUOptions>('gru', options, ['recurrentActivation', 'resetAfter']);
    super('gru', read, 3);
    this.resetAfter = read.flag('resetAfter', true);
  }

  override getConfig(): Config {
    return { ...super.getConfig(), resetAfter: this.resetAfter };
  }

  /** Of input and recurrent products. */
  protected override biasShape(width: number): Shape {
    return this.resetAfter ? [2, width] : [width];
  }

  protected override biased(product: Computed, bias: Computed | null): Computed {
    if (!bias) return product;
    return ops.add(product, this.resetAfter ? this.#biasOf(bias, 0) : bias);
  }

  #biasOf(bias: Computed, row: number): Computed {
    return ops.reshape(ops.slice(bias, [row, 0], [1, -1]), [3 * this.units]);
  }

  protected override fuses(): boolean {
    return this.resetAfter && super.fuses();
  }

  protected override fused({ products, kernel, bias, initial, mask }: Fused): Computed {
    const recurrent = bias ? this.#biasOf(bias, 1) : ops.broadcastTo(0, [3 * this.units]);
    return ops.gru(products, kernel, recurrent, initial, mask);
  }

  protected override step(
    x: Computed,
    hidden: Computed,
    [before]: readonly Computed[],
    kernel: Computed,
    bias: Computed | null,
  ): Computed[] {
    const { units, activation, recurrentActivation: gated } = this;
    const at = (values: Computed, gate: number) => columns(values, gate, units);
    let candidate: Computed;
    let z: Computed;
    if (this.resetAfter) {
      let product: Computed = ops.matmul(hidden, kernel);
      if (bias) product = ops.add(product, this.#biasOf(bias, 1));
      z = gated(ops.add(at(x, 0), at(product, 0)));
      const r = gated(ops.add(at(x, 1), at(product, 1)));
      candidate = activation(ops.add(at(x, 2), ops.mul(r, at(product, 2))));
    } else {
      const product = ops.matmul(hidden, columns(kernel, 0, units, 2));
      z = gated(ops.add(at(x, 0), at(product, 0)));
      const r = gated(ops.add(at(x, 1), at(product, 1)));
      candidate = activation(ops.add(at(x, 2), ops.matmul(ops.mul(r, hidden), columns(kernel, 2, units))));
    }
    return [ops.add(ops.mul(z, before!), ops.mul(ops.sub(1, z), candidate))];
  }
}

/**
 * Fully connected recurrent layer: h_t = activation(x_t W + h_{t−1} U + b), h_0 = 0.
 *
 * @param options units; activation ('tanh'), useBias (true), kernelInitializer ('glorotUniform'), recurrentInitializer ('orthogonal'),
 *   biasInitializer ('zeros'), regularizers and constraints of kernel, recurrent (kernel) and bias, dropout (0), recurrentDropout (0), seed,
 *   returnSequences, returnState, goBackwards, zeroOutputForMask (all false), activityRegularizer, inputShape, name, trainable
 * @returns a layer from [n, steps, features] to [n, units], or [n, steps, units] with returnSequences, with returnState a list of that and the last states;
 *   weights kernel (features, units),
 *   recurrent_kernel (units, units) and bias (units)
 * @throws SHAPE_MISMATCH unless inputs are sequences
 * @example
 * layers.simpleRNN({ units: 32, inputShape: [64, 8] });
 * @see https://keras.io/api/layers/recurrent_layers/simple_rnn/
 */
export function simpleRNN(options: SimpleRNNOptions): SimpleRNN {
  return new SimpleRNN(options);
}

/**
 * Long short-term memory: with z_t = x_t W + h_{t−1} U + b in four parts, i, f, o = recurrentActivation(z), g = activation(z),
 * c_t = f c_{t−1} + i g, h_t = o activation(c_t). Columns of the weights: i, f, g, o.
 *
 * With the default activations all time steps are one op, and input products one matrix product.
 *
 * @param options as of simpleRNN; recurrentActivation ('sigmoid'), unitForgetBias (true)
 * @returns a layer from [n, steps, features] to [n, units], or [n, steps, units] with returnSequences; weights kernel (features, 4 units),
 *   recurrent_kernel (units, 4 units) and bias (4 units)
 * @throws SHAPE_MISMATCH unless inputs are sequences
 * @example
 * layers.lstm({ units: 128, inputShape: [64, 32] });
 * @see Hochreiter & Schmidhuber 1997, Long Short-Term Memory; https://keras.io/api/layers/recurrent_layers/lstm/
 */
export function lstm(options: LSTMOptions): LSTM {
  return new LSTM(options);
}

/**
 * Gated recurrent unit: z, r = recurrentActivation(x_t W + h_{t−1} U + b), h' = activation(x_t W + r (h_{t−1} U) + b),
 * h_t = z h_{t−1} + (1 − z) h'. Columns of the weights: z, r, h'. With resetAfter false, r is multiplied with h_{t−1} before the product.
 *
 * @param options as of simpleRNN; recurrentActivation ('sigmoid'), resetAfter (true)
 * @returns a layer from [n, steps, features] to [n, units], or [n, steps, units] with returnSequences; weights kernel (features, 3 units),
 *   recurrent_kernel (units, 3 units) and bias (2, 3 units), of the input and the recurrent products; (3 units) with resetAfter false
 * @throws SHAPE_MISMATCH unless inputs are sequences
 * @example
 * layers.gru({ units: 64, returnSequences: true });
 * @see Cho et al. 2014, arXiv:1406.1078; https://keras.io/api/layers/recurrent_layers/gru/
 */
export function gru(options: GRUOptions): GRU {
  return new GRU(options);
}
