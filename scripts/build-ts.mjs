// Builds dist/ from lib/:
//   dist/cjs/index.js   the library, bundled into one readable file
//   dist/cjs/cli.js     the program `downhill`; it loads the addon only for what needs it
//   dist/esm/index.js   the same module under its ES names, so that a program mixing import and require has one library
//   dist/*/**/*.d.ts    the declarations, for both kinds of module
// The progress bar (cli-progress) is inlined, with its licence in dist/cjs/THIRD_PARTY_LICENSES.txt: the package depends at
// run time on node-gyp-build and node-addon-api's headers alone, and a bar must not be one more thing to install.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { require, root } from './headers.mjs';

const dist = join(root, 'build-dist'); // becomes dist/ when it is complete, so that nobody meets half of it
const inlined = ['cli-progress', 'string-width', 'emoji-regex', 'is-fullwidth-code-point', 'strip-ansi', 'ansi-regex'];

function declarations() {
  const tsc = join(root, 'node_modules', 'typescript', require('typescript/package.json').bin.tsc);
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', join(dist, 'esm')], {
    cwd: root,
    stdio: 'inherit',
  });
  for (const file of readdirSync(join(dist, 'esm'), { recursive: true }).filter((name) => name.endsWith('.d.ts'))) {
    const text = readFileSync(join(dist, 'esm', file), 'utf8');
    const foreign = [...text.matchAll(/(?:from|import\()\s*'([^']+)'/g)].find(([, name]) => !/^(\.|node:)/.test(name));
    if (foreign)
      throw new Error(`The declarations of ${file} need the types of ${foreign[1]}, which users do not have.`);
  }
  cpSync(join(dist, 'esm'), join(dist, 'cjs'), { recursive: true });
  writeFileSync(join(dist, 'cjs', 'package.json'), '{ "type": "commonjs" }\n');
}

const options = {
  absWorkingDir: root,
  entryPoints: ['lib/index.ts'],
  bundle: true,
  platform: 'node',
  target: 'node20',
  charset: 'utf8',
  external: ['node-gyp-build', 'mnist'],
  tsconfigRaw: '{ "compilerOptions": { "target": "es2022" } }',
  logLevel: 'warning',
};

/** The program's commands that compute load the library beside it, at run time. */
const besideProgram = {
  name: 'library beside the program',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.\/index\.js$/ }, ({ resolveDir }) =>
      resolveDir.endsWith(join('lib', 'cli')) ? { path: './index.js', external: true } : undefined,
    );
  },
};

async function bundle() {
  const { metafile } = await build({
    ...options,
    format: 'cjs',
    entryPoints: { index: 'lib/index.ts', cli: 'lib/cli/main.ts' },
    outdir: join(dist, 'cjs'),
    define: { 'import.meta.dirname': '__dirname' },
    plugins: [besideProgram],
    metafile: true,
  });
  const packages = new Set(
    Object.keys(metafile.inputs).flatMap((file) => file.match(/(?<=^node_modules\/)(@[^/]+\/)?[^/]+/)?.[0] ?? []),
  );
  const foreign = [...packages].filter((name) => !inlined.includes(name));
  if (foreign.length > 0) throw new Error(`lib/ imports ${foreign.join(', ')}: not a dependency that may be inlined.`);
  if (packages.size > 0) writeFileSync(join(dist, 'cjs', 'THIRD_PARTY_LICENSES.txt'), licences([...packages].sort()));
}

function licences(packages) {
  const notices = packages.map((name) => {
    const folder = join(root, 'node_modules', name);
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    return `${name} ${require(`${name}/package.json`).version}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
  });
  return `dist/cjs/index.js contains the following packages.\n\n${notices.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

async function facade() {
  const { metafile } = await build({ ...options, format: 'esm', outfile: 'unused.js', write: false, metafile: true });
  const names = Object.values(metafile.outputs)[0].exports.sort();
  if (names.includes('default')) throw new Error('lib/index.ts must have named exports only.');
  writeFileSync(
    join(dist, 'esm', 'index.js'),
    `import downhill from '../cjs/index.js';\n\nexport const {\n${names.map((name) => `  ${name},\n`).join('')}} = downhill;\n`,
  );
}

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
declarations();
await bundle();
await facade();
rmSync(join(root, 'dist'), { recursive: true, force: true });
renameSync(dist, join(root, 'dist'));
