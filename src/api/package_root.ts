// Where this package lies on disk: the folder that holds package.json, CMakeLists.txt and build/native.
// The same code runs from src/ (tests) and from dist/, so the folder is searched upwards instead of counted.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the package's root folder. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('package.json of ldlm not found above ' + fileURLToPath(import.meta.url));
    folder = parent;
  }
  return folder;
}

/** Version of this package, as in its package.json. */
export function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  return manifest.version;
}

/** Folder that the native build writes to: addon, build log and the ninja files. */
export function nativeBuildFolder(): string {
  return join(packageRoot(), 'build', 'native');
}
