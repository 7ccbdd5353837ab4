// Names in strings: camelCase as in the API, or Keras's snake_case.

/** "mean_squared_error" → "meanSquaredError"; camelCase stays as it is. */
export function camelCase(name: string): string {
  return name.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** The entry of a table whose keys are camelCase, by a name in either spelling. */
export function lookUp<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  const key = Object.hasOwn(table, name) ? name : camelCase(name);
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
