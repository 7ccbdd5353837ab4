export function nativeTestNames(): string[];
export function buildNativeTests(sanitize?: string): string;
export function runNativeTest(
  programs: string,
  name: string,
): Promise<{ passed: boolean; ending: string; output: string }>;
