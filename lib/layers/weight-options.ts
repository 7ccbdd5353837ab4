// What options say of one weight: where it starts, its penalty and its constraint.
import { serialize } from '../config/registry.js';
import type { Config } from '../config/values.js';
import type { Constraint } from '../constraints/constraint.js';
import { resolveConstraint } from '../constraints/resolve.js';
import { type Initializer, resolveInitializer } from '../initializers/index.js';
import type { Options } from '../options.js';
import type { Regularizer } from '../regularizers/regularizer.js';
import { resolveRegularizer } from '../regularizers/resolve.js';

/** The options `gammaInitializer`, `gammaRegularizer` and `gammaConstraint` of a weight "gamma". */
export class WeightOptions {
  readonly initializer: Initializer;
  readonly regularizer: Regularizer | null;
  readonly constraint: Constraint | null;

  constructor(
    read: Options<object>,
    /** Of the weight. */
    readonly name: string,
    initializer: string,
  ) {
    const raw = read.raw as Record<string, never>;
    const find = <T>(kind: string, resolve: (what: string, value: never) => T): T =>
      resolve(`${read.where}: ${name}${kind}`, raw[`${name}${kind}`]);
    this.initializer = find('Initializer', (what, value) => resolveInitializer(what, value ?? initializer));
    this.regularizer = find('Regularizer', resolveRegularizer);
    this.constraint = find('Constraint', resolveConstraint);
  }

  getConfig(): Config {
    const { name, initializer, regularizer, constraint } = this;
    return {
      [`${name}Initializer`]: serialize(initializer),
      [`${name}Regularizer`]: regularizer && serialize(regularizer),
      [`${name}Constraint`]: constraint && serialize(constraint),
    };
  }
}
