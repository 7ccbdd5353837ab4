// write.ts FILE MEGABYTES: writes a file of that size; prints the code and message of the error, or "written".
import { binding } from '../../../lib/binding/index.js';
import { writeFile } from '../../../lib/io/safetensors.js';

const [path, megabytes] = process.argv.slice(2);
const elements = (Number(megabytes) * 1e6) / 4;
const [storage] = binding.arena([4 * elements]);
try {
  await writeFile(path!, [{ name: 'big', dtype: 'F32', shape: [elements], storage: storage! }], {});
  console.log('written');
} catch (error) {
  console.log(`${(error as { code: string }).code}: ${(error as Error).message}`);
}
