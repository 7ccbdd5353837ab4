// Adds up the reports of several runs and prints one line, `N passed, N failed`. A run without a report counts as one
// failure, and so does one with a file REPORT.json.failed beside it and no failed test in it.
//   node scripts/count-results.mjs REPORT.json ...
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

let passed = 0;
let failed = 0;
for (const file of process.argv.slice(2)) {
  const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { numPassedTests: 0, numFailedTests: 1 };
  // A run that ends badly without a failed test: a file that does not load, a type error, a crash.
  const broken = report.numFailedTests === 0 && (report.success === false || existsSync(`${file}.failed`)) ? 1 : 0;
  passed += report.numPassedTests;
  failed += report.numFailedTests + broken;
  console.log(`${basename(file, '.json')}: ${report.numPassedTests} passed, ${report.numFailedTests + broken} failed`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
