// Which version of a library is in use, for the manifests of data sets.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The version in the package.json of `name`: in the nearest folder above the file that an import resolves to. */
export async function dependencyVersion(name: string): Promise<string> {
  let dir = dirname(createRequire(import.meta.url).resolve(name));
  for (; dir !== dirname(dir); dir = dirname(dir)) {
    const text = await readFile(join(dir, 'package.json'), 'utf8').catch(() => undefined);
    const json = text === undefined ? undefined : (JSON.parse(text) as { name?: string; version?: string });
    if (json?.name === name && json.version !== undefined) return json.version;
  }
  return 'unknown';
}
