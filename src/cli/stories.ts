// `ldlm stories`: writes the story corpus, or judges texts against its grammar. Results go to stdout, totals to stderr.

import { once } from 'node:events';
import { Command, InvalidArgumentError } from 'commander';
import { writeFileAtomic } from '../data/atomic.js';
import { plainChunks } from '../data/byte_stream.js';
import { readLines, splitLines } from '../data/lines.js';
import { checkStory } from '../data/stories/check.js';
import { generateStories } from '../data/stories/generate.js';

interface StoriesOptions { count?: number; seed: number; out: string; check?: string }

const EXAMPLES = `
Examples:
  ldlm stories --count 20000 --seed 1 --out stories.txt
  ldlm stories --count 5
  ldlm stories --check stories.txt > validity.jsonl
  ldlm sample --model RUN --count 64 --format text | ldlm stories --check -

--check judges one story a line, exactly: {"sentences","validSentences","coherent"}. A sentence is valid if the grammar derives it
alone; a story is coherent if all of its sentences are valid and fit together (who she is, which ball, where they are).`;

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError(`It must be a whole number from 0 to 2^53 - 1, got "${text}".`);
  return value;
}

async function print(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
}

function* lines(texts: Iterable<string>): Generator<string> {
  for (const text of texts) yield `${text}\n`;
}

async function writeStories(count: number, { seed, out }: StoriesOptions): Promise<void> {
  const stories = generateStories({ count, seed });
  if (out !== '-') return writeFileAtomic(out, lines(stories));
  for (const story of stories) await print(story);
}

const percent = (part: number, whole: number): string => (whole === 0 ? 'none' : `${((100 * part) / whole).toFixed(2)} %`);

async function checkStories(path: string): Promise<void> {
  let stories = 0, sentences = 0, validSentences = 0, coherent = 0;
  for await (const { text } of path === '-' ? splitLines(plainChunks(process.stdin), 'standard input') : readLines(path)) {
    const check = checkStory(text);
    stories += 1;
    sentences += check.sentences;
    validSentences += check.validSentences;
    coherent += Number(check.coherent);
    await print(JSON.stringify({ sentences: check.sentences, validSentences: check.validSentences, coherent: check.coherent }));
  }
  process.stderr.write(
    `${stories} stories, ${sentences} sentences\n` +
    `valid sentences   ${validSentences} (${percent(validSentences, sentences)})\n` +
    `coherent stories  ${coherent} (${percent(coherent, stories)})\n`);
}

/** The command `ldlm stories`. */
export function storiesCommand(): Command {
  return new Command('stories')
    .description('write the story corpus, one story a line, or judge texts against its grammar')
    .option('--count <n>', 'how many stories to write', wholeNumber)
    .option('--seed <n>', 'the corpus: equal seeds give equal stories, and a larger count only adds to them', wholeNumber, 0)
    .option('--out <file>', 'where to write; - is stdout', '-')
    .option('--check <file>', 'judge each line of this file instead; - is stdin')
    .addHelpText('after', EXAMPLES)
    .action(async (options: StoriesOptions, command: Command) => {
      const given = (name: string): boolean => command.getOptionValueSource(name) === 'cli';
      if (options.check !== undefined) {
        const clash = ['count', 'seed', 'out'].find(given);
        if (clash !== undefined) command.error(`error: --check must stand alone, got --${clash} beside it`, { exitCode: 2 });
        return checkStories(options.check);
      }
      if (options.count === undefined) command.error('error: --count N or --check FILE must be given, got neither', { exitCode: 2 });
      return writeStories(options.count, options);
    });
}
