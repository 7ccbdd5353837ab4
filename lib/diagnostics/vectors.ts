// Arithmetic with flat vectors where the model computes; only scalar products come back.
import { binding } from '../binding/index.js';
import { compile } from '../graph/compile.js';
import * as ops from '../graph/ops.js';
import type { SymbolicTensor as Symbolic } from '../graph/symbolic.js';
import { storageOf, type Tensor } from '../tensor/tensor.js';
import { zeros } from './data.js';

/** Vectors that one program takes out of another vector. */
const kAtOnce = 8;

/** Part of a vector's norm below which what is left of it needs cleaning: Daniel, Gragg, Kaufman and Stewart 1976. */
const kMuch = Math.SQRT1_2;

const product = (a: Symbolic, b: Symbolic) => ops.sum(ops.mul(a, b));

export class Vectors {
  readonly #dot;
  readonly #combine;
  readonly #scale;
  readonly #remove;

  constructor(readonly device: string) {
    this.#dot = compile(product, { device });
    this.#combine = compile((a: Symbolic, factor: Symbolic, b: Symbolic) => ops.add(a, ops.mul(factor, b)), { device });
    this.#scale = compile((a: Symbolic, factor: Symbolic) => ops.mul(a, factor), { device });
    this.#remove = compile(
      (a: Symbolic, ...units: Symbolic[]) => units.reduce((w, q) => ops.sub(w, ops.mul(q, product(w, q))), a),
      { device },
    );
  }

  async dot(a: Tensor, b: Tensor): Promise<number> {
    return (await (await this.#dot(a, b)).data())[0];
  }

  /** ‖a‖₂ */
  async norm(a: Tensor): Promise<number> {
    return Math.sqrt(await this.dot(a, a));
  }

  /** a + factor · b */
  combine(a: Tensor, factor: number, b: Tensor): Promise<Tensor> {
    return this.#combine(a, factor, b);
  }

  scale(a: Tensor, factor: number): Promise<Tensor> {
    return this.#scale(a, factor);
  }

  /**
   * a without its parts along unit vectors that are orthogonal to each other, and its norm. Where much of it goes, rounding leaves parts: then once
   * more, which is enough.
   */
  async orthogonal(a: Tensor, units: readonly Tensor[]): Promise<{ vector: Tensor; norm: number }> {
    let w = a;
    let [before, norm] = [Infinity, await this.norm(a)];
    for (let pass = 0; pass < 2 && norm < kMuch * before; pass++) {
      for (let i = 0; i < units.length; i += kAtOnce) {
        const next = await this.#remove(w, ...units.slice(i, i + kAtOnce));
        if (w !== a) w.dispose();
        w = next;
      }
      before = norm;
      norm = await this.norm(w);
    }
    return { vector: w, norm };
  }

  /** Standard normal draws, scaled to norm 1. */
  async randomUnit(size: number, seed: number): Promise<Tensor> {
    const draws = zeros(size, this.device);
    binding.storageRandom(storageOf(draws), 'normal', 0, 1, seed, 0);
    return this.scale(draws, 1 / (await this.norm(draws)));
  }
}
