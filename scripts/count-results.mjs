// Adds up the reports of several runs and prints one line, `N passed, N failed`. A run without a report counts as one failure.
//   node scripts/count-results.mjs REPORT.json ...
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

let passed = 0;
let failed = 0;
for (const file of process.argv.slice(2)) {
  const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { numPassedTests: 0, numFailedTests: 1 };
  // A file that fails to load has no failed test, only a failed suite.
  const broken = report.success === false && report.numFailedTests === 0 ? 1 : 0;
  passed += report.numPassedTests;
  failed += report.numFailedTests + broken;
  console.log(`${basename(file, '.json')}: ${report.numPassedTests} passed, ${report.numFailedTests + broken} failed`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
