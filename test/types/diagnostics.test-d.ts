import { callbacks, diagnostics, type Model, tensor } from 'downhill';
import { expectTypeOf, test } from 'vitest';

declare const net: Model;
const [x, y] = [new Float32Array(4), [[1], [0]]];

test('diagnostics give plain numbers', async () => {
  expectTypeOf(await diagnostics.gradientNorm(net, x, y)).toEqualTypeOf<diagnostics.GradientNorm>();
  expectTypeOf((await diagnostics.curvature(net, x, tensor(y), { learningRate: 0.1 })).gTHg).toEqualTypeOf<number>();
  expectTypeOf((await diagnostics.sharpness(net, x, y, { method: 'power' })).saddle).toEqualTypeOf<boolean>();
  expectTypeOf((await diagnostics.noiseScale(net, x, y)).standardErrors[0].measured).toEqualTypeOf<number>();
  expectTypeOf((await diagnostics.initialSpread(net, x, y)).layers).toEqualTypeOf<diagnostics.LayerSpread[]>();
  expectTypeOf((await diagnostics.overfitBatch(net, x, y, { optimizer: 'adam' })).losses).toEqualTypeOf<number[]>();
  expectTypeOf(await diagnostics.updateRatios(net, net.getWeights())).toEqualTypeOf<Record<string, number>>();
  expectTypeOf((await diagnostics.lossSurface(net, x, y, { range: [-1, 2] })).losses).toEqualTypeOf<number[][]>();
  // @ts-expect-error: the rate is a number
  diagnostics.curvature(net, x, y, { learningRate: 'small' });
  // @ts-expect-error: no such method
  diagnostics.sharpness(net, x, y, { method: 'qr' });
});

test('callbacks that look', () => {
  const watch = callbacks.diagnostics({ everySteps: 5, record: ['curvature'], x, y });
  expectTypeOf(watch.records).toEqualTypeOf<readonly callbacks.DiagnosticsRecord[]>();
  expectTypeOf(callbacks.terminateOnNaN().found).toEqualTypeOf<callbacks.Termination | null>();
  expectTypeOf(callbacks.earlyStopping().gradientNorm).toEqualTypeOf<number | null>();
  // @ts-expect-error: no such record
  callbacks.diagnostics({ record: ['hessian'] });
});
