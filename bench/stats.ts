export interface Spread {
  median: number;
  min: number;
  max: number;
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function spread(values: number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

export function format({ median, min, max }: Spread, digits = 3): string {
  const text = (value: number) =>
    value >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(digits);
  return `${text(median)} (${text(min)}–${text(max)})`;
}
