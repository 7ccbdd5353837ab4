import type { UpdateCase } from './case.js';

interface Rule {
  optimizer: string;
  torch: string;
  slots: number;
  options?: Record<string, number | boolean>;
  torchOptions?: Record<string, number | boolean>;
}

function update({ optimizer, torch, slots, options = {}, torchOptions = options }: Rule, suffix = ''): UpdateCase {
  return {
    kind: 'update',
    name: `update-${optimizer}${suffix}`,
    title: `${torch}${suffix.replace('-', ', ')}, 10M parameters in 50 tensors`,
    optimizer,
    torch,
    options: { learningRate: 1e-4, ...options },
    torchOptions: { lr: 1e-4, ...torchOptions },
    tensors: 50,
    elements: 200_000,
    arrays: 3 + 2 * slots,
    calls: 20,
    samples: 5,
  };
}

/** The rules that PyTorch has as well, in its form. */
export const updates: UpdateCase[] = [
  update({ optimizer: 'sgd', torch: 'SGD', slots: 0 }),
  update({ optimizer: 'sgd', torch: 'SGD', slots: 1, options: { momentum: 0.9 } }, '-momentum'),
  update({ optimizer: 'adam', torch: 'Adam', slots: 2 }),
  update({ optimizer: 'adamw', torch: 'AdamW', slots: 2 }),
  update({ optimizer: 'rmsprop', torch: 'RMSprop', slots: 1 }),
  update({ optimizer: 'adagrad', torch: 'Adagrad', slots: 1 }),
  update({ optimizer: 'adadelta', torch: 'Adadelta', slots: 2 }),
  update({ optimizer: 'adamax', torch: 'Adamax', slots: 2 }),
  update({ optimizer: 'nadam', torch: 'NAdam', slots: 2 }),
];
