// What README.md and docs/ show must work: TypeScript snippets type-check against src/index.ts, those marked `ts run` are
// run and print what their comments say, shell snippets parse as real commands with real flags, and links lead somewhere.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { format } from 'node:util';
import type { Command } from 'commander';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { packageRoot } from '../../src/api/package_root.js';

const root = packageRoot();
const folder = mkdtempSync(join(tmpdir(), 'ldlm-readme-'));
const here = process.cwd();
afterEach(() => {
  vi.restoreAllMocks();
  process.chdir(here);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Snippet {
  /** Such as README.md:60. */
  place: string;
  language: string;
  text: string;
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

function snippetsOf(file: string): Snippet[] {
  const text = read(file);
  return [...text.matchAll(/^```(\w+[^\n]*)\n([^]*?)^```$/gm)].map((match) => ({
    place: `${file}:${text.slice(0, match.index).split('\n').length}`,
    language: match[1]!.trim(),
    text: match[2]!,
  }));
}

const documents = ['README.md', ...['docs', 'docs/recipes'].flatMap((folder) => readdirSync(join(root, folder)).filter((name) => name.endsWith('.md')).map((name) => `${folder}/${name}`))];
const snippets = documents.flatMap(snippetsOf);
const ofLanguage = (...languages: string[]): Snippet[] => snippets.filter(({ language }) => languages.includes(language));
const fileName = ({ place }: Snippet): string => `${place.replaceAll(/\W+/g, '_')}.ts`;

describe('TypeScript snippets', () => {
  it('type-check against the public API', () => {
    const typed = ofLanguage('ts', 'ts run');
    expect(typed.length).toBeGreaterThan(8);
    for (const snippet of typed) writeFileSync(join(folder, fileName(snippet)), snippet.text);
    const { compilerOptions } = JSON.parse(read('tsconfig.json')) as { compilerOptions: Record<string, unknown> };
    const { outDir: _, declaration: __, sourceMap: ___, ...strict } = compilerOptions;
    const options = { ...strict, rootDir: '/', noEmit: true, typeRoots: [join(root, 'node_modules/@types')], paths: { ldlm: [join(root, 'src/index.ts')] } };
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: typed.map(fileName) }));
    const { status, stdout } = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], { encoding: 'utf8' });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  it.each(ofLanguage('ts run'))('print what their comments say: $place', async (snippet) => {
    const work = join(folder, `run-${fileName(snippet)}`.replace('.ts', ''));
    mkdirSync(work);
    const script = join(work, 'snippet.ts');
    writeFileSync(script, snippet.text.replaceAll("'ldlm'", JSON.stringify(join(root, 'src/index.ts'))));
    const printed: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((...values: unknown[]) => void printed.push(format(...values)));
    process.chdir(work);
    await import(/* @vite-ignore */ script);
    const promised = [...snippet.text.matchAll(/console\.log\(.*\); \/\/ => (.*)$/gm)].map((match) => match[1]);
    expect(promised.length).toBeGreaterThan(0);
    expect(printed).toEqual(promised);
  });
});

/** The words of every simple command: comments, pipes, redirections, line ends and VAR=value in front taken away. */
function shellCommands(text: string): string[][] {
  const lines = text.replaceAll('\\\n', ' ').split('\n').map((line) => line.replace(/(^|\s)#.*/, '').replaceAll(/\s\d?[<>]+\s*\S+/g, '').replace(/\s&\s*$/, ''));
  const words = lines.flatMap((line) => line.split(/\s\|\s|\s&&\s/)).map((part) =>
    (part.match(/"[^"]*"|'[^']*'|\S+/g) ?? []).map((word) => word.replaceAll(/^["']|["']$/g, '')));
  return words.map((list) => list.slice(list.findIndex((word) => !/^[A-Z_]+=/.test(word)))).filter((list) => list.length > 0);
}

/** The command `name` as the program builds it, with nothing to do and nothing to print. */
async function findCommand(name: string): Promise<Command> {
  expect(read('src/cli/main.ts'), `ldlm ${name}`).toMatch(new RegExp(`^  ${name}: async \\(\\) =>`, 'm'));
  const module = (await import(join(root, `src/cli/${name}.ts`))) as Record<string, () => Command>;
  const command = module[`${name}Command`]!();
  for (const part of command.commands) part.action(() => undefined).exitOverride().configureOutput({ writeErr: () => undefined });
  if (command.commands.length === 0) command.action(() => undefined);
  return command.exitOverride().configureOutput({ writeErr: () => undefined });
}

describe('shell snippets', () => {
  it('are found', () => expect(ofLanguage('sh').length).toBeGreaterThan(4));

  it.each(ofLanguage('sh'))('name real commands with real flags and values: $place', async ({ text }) => {
    const commands = shellCommands(text);
    expect(commands.length).toBeGreaterThan(0);
    for (const words of commands) {
      const [program, name, ...args] = words[0] === 'npx' ? words.slice(1) : words;
      if (program === 'npm') {
        const scripts = Object.keys((JSON.parse(read('package.json')) as { scripts: object }).scripts);
        expect(scripts).toContain(name === 'run' ? args[0] : name);
        continue;
      }
      if (program !== 'ldlm') continue; // not ours
      await expect((await findCommand(name!)).parseAsync(args, { from: 'user' }), words.join(' ')).resolves.toBeDefined();
    }
  });

  it('would be refused for a flag that does not exist, a missing one or an illegal value', async () => {
    const parse = async (name: string, ...args: string[]): Promise<unknown> => (await findCommand(name)).parseAsync(args, { from: 'user' });
    await expect(parse('sample', '--model', 'runs/tiny', '--top-k', '1')).rejects.toThrow(/unknown option/);
    await expect(parse('sample', '--count', '8')).rejects.toThrow(/--model/);
    await expect(parse('train', '--preset', 'huge', '--out', 'runs/huge')).rejects.toThrow(/Allowed choices/);
  });
});

describe('the documentation', () => {
  it.each(documents)('links to files and headings that exist: %s', (file) => {
    const anchor = (heading: string): string => heading.toLowerCase().replaceAll(/[^\w\- ]/g, '').replaceAll(' ', '-');
    for (const [, target] of read(file).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target!)) continue;
      const [path, heading] = target!.split('#') as [string, string | undefined];
      const linked = path === '' ? join(root, file) : resolve(root, dirname(file), path);
      expect(existsSync(linked), `${file}: ${target}`).toBe(true);
      if (heading === undefined) continue;
      const headings = [...readFileSync(linked, 'utf8').matchAll(/^#+ (.*)$/gm)].map((match) => anchor(match[1]!));
      expect(headings, `${file}: ${target}`).toContain(heading);
    }
  });

  it('names source files that exist', () => {
    for (const file of documents) {
      for (const [, path] of read(file).matchAll(/`((?:native|src|test|scripts|cmake)\/[\w./]+\.(?:h|cpp|ts|mjs|py|cmake))`/g)) {
        expect(existsSync(join(root, path!)), `${file}: ${path}`).toBe(true);
      }
    }
  });

  it('mentions every public name in docs/api.md', () => {
    const names = [...read('src/index.ts').matchAll(/export (?:type )?\{([^}]*)\}/g)]
      .flatMap((match) => match[1]!.split(',')).map((name) => name.replace('type ', '').trim());
    const text = read('docs/api.md');
    expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
  });

  it('names every command in README.md', () => {
    const commands = [...read('src/cli/main.ts').matchAll(/^  (\w+): async \(\) =>/gm)].map((match) => match[1]!);
    expect(commands.length).toBeGreaterThan(5);
    expect(commands.filter((name) => !read('README.md').includes(`\`${name}\``))).toEqual([]);
  });
});
