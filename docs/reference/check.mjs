// Fails for a factory of a public namespace (optimizers.adam, losses.huber, …) that the reference has no text for.
import { readFileSync } from 'node:fs';

const reference = JSON.parse(readFileSync(new URL('../../build-docs/reference.json', import.meta.url), 'utf8'));
const kNamespace = 4;
const kFunction = 64;
const named = (items, kind) => (items ?? []).filter((item) => item.kind === kind);
const factories = named(reference.children, kNamespace).flatMap((space) =>
  named(space.children, kFunction).map((factory) => ({ name: `${space.name}.${factory.name}`, factory })),
);
if (factories.length === 0) throw new Error('The reference has no namespaces with functions.');
const silent = factories.filter(({ factory }) => !factory.signatures.some(({ comment }) => comment?.summary.length));
for (const { name } of silent) console.error(`${name} has no docstring.`);
console.log(`The reference describes ${factories.length - silent.length} of ${factories.length} factories.`);
if (silent.length > 0) process.exit(1);
