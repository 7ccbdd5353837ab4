// Finds and loads the addon. The only place that knows where the package lies on disk.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import nodeGypBuild from 'node-gyp-build';
import type { NativeBinding } from './native.js';

/** The package's folder: the nearest one above this file with our package.json, in a checkout as in dist. */
function packageRoot(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'downhill') return folder;
    if (dirname(folder) === folder) {
      throw addonError('ADDON_MISSING', `No package.json of downhill lies above ${import.meta.dirname}.`, [
        'A bundler moved the code: mark downhill as external and install it beside the bundle.',
      ]);
    }
  }
}

function addonError(code: string, problem: string, remedies: string[], cause?: unknown): Error {
  const message = `${problem}\nPossible solutions:\n${remedies.map((remedy) => `- ${remedy}`).join('\n')}`;
  return Object.assign(new Error(message, { cause }), { code });
}

/**
 * The addon: the one built here (build/Release), else the prebuilt one of this platform (prebuilds/).
 * The variable DOWNHILL_PREBUILD of node-gyp-build names another folder to look in; the sanitizer runs use it.
 *
 * @throws Error with code ADDON_MISSING (no file for this platform) or ADDON_UNLOADABLE (the system refuses the file).
 */
export function loadAddon(): NativeBinding {
  const root = packageRoot();
  const platform = `${process.platform}-${process.arch}`;
  const build = `Build it here, which needs cmake and a C++17 compiler: npm rebuild downhill (in a checkout: npm run build).`;
  let file: string;
  try {
    file = nodeGypBuild.path(root);
  } catch (cause) {
    throw addonError(
      'ADDON_MISSING',
      `downhill has no native addon for ${platform} with Node ${process.versions.node} in ${root}.`,
      [
        build,
        'If node_modules was copied from another system, or into a container, install the packages again there.',
        'If a bundler copied the code, mark downhill as external and install it beside the bundle.',
      ],
      cause,
    );
  }
  try {
    return nodeGypBuild(root) as NativeBinding;
  } catch (cause) {
    throw addonError(
      'ADDON_UNLOADABLE',
      `downhill's native addon ${file} cannot be loaded: ${(cause as Error).message}`,
      [build, 'If node_modules was copied from another system, install the packages again here.'],
      cause,
    );
  }
}
