// The options of one weight: how it begins, what penalizes it, what limits it.
import { serialize } from '../config/registry.js';
import type { Config } from '../config/values.js';
import type { Constraint } from '../constraints/constraint.js';
import { type ConstraintLike, resolveConstraint } from '../constraints/resolve.js';
import { type Initializer, type InitializerLike, resolveInitializer } from '../initializers/index.js';
import type { Options } from '../options.js';
import type { Regularizer } from '../regularizers/regularizer.js';
import { type RegularizerLike, resolveRegularizer } from '../regularizers/resolve.js';

export class WeightOptions {
  readonly initializer: Initializer;
  readonly regularizer: Regularizer | null;
  readonly constraint: Constraint | null;

  /** Reads `${name}Initializer`, `${name}Regularizer` and `${name}Constraint`. */
  constructor(
    read: Options<object>,
    readonly name: string,
    initializer: InitializerLike,
  ) {
    const raw = read.raw as Record<string, unknown>;
    const [begins, penalizes, limits] = WeightOptions.keys(name);
    const what = (key: string) => `${read.where}: ${key}`;
    this.initializer = resolveInitializer(what(begins), (raw[begins] as InitializerLike | undefined) ?? initializer);
    this.regularizer = resolveRegularizer(what(penalizes), raw[penalizes] as RegularizerLike | null | undefined);
    this.constraint = resolveConstraint(what(limits), raw[limits] as ConstraintLike | null | undefined);
  }

  static keys<Name extends string>(name: Name) {
    return [`${name}Initializer`, `${name}Regularizer`, `${name}Constraint`] as const;
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
