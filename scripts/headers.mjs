// Where Node-API's headers and node-addon-api's lie, with no download.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const require = createRequire(join(root, 'package.json'));

export function resolvable(name) {
  try {
    return require.resolve(name);
  } catch {
    return null;
  }
}

/** [node_api.h's folder, napi.h's folder]: the first from node-api-headers, else from this Node's own installation. */
export function headerFolders() {
  const nodePrefix = dirname(dirname(process.execPath));
  const nodeApi = resolvable('node-api-headers')
    ? require('node-api-headers').include_dir
    : [join(nodePrefix, 'include', 'node'), '/usr/include/node', '/usr/include/nodejs/src'].find((folder) =>
        existsSync(join(folder, 'node_api.h')),
      );
  if (!nodeApi) {
    throw new Error('node_api.h was not found beside this Node. Install it from npm: npm install node-api-headers');
  }
  return [nodeApi, dirname(require.resolve('node-addon-api/napi.h'))];
}
