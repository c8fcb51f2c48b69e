// `ldlm data stats`: what is in a prepared data set. The table (or --json) goes to stdout, the page to a file.

import { Command } from 'commander';
import { writeFileAtomic } from '../data/atomic.js';
import { dataStatistics, type DataStatistics } from '../data/statistics.js';
import { figures, statisticsPage, visible } from '../data/statistics_page.js';
import { wholeNumber } from './option_types.js';
import { createProgress } from './progress.js';
import { requireFolderOf } from './output_file.js';

interface StatsFlags {
  json: boolean;
  html?: string;
  top: number;
}

const examples = `
Examples:
  ldlm data stats data/stories
  ldlm data stats data/owt/validation --json
  ldlm data stats data/owt --html owt.html`;

/** The command `ldlm data`. */
export function dataCommand(): Command {
  const stats = new Command('stats')
    .description('lengths of documents, entropy and frequency of tokens, unknown tokens, duplicates')
    .argument('<dir>', 'a folder made by `ldlm prepare`')
    .option('--json', 'one JSON object instead of the table', false)
    .option('--html <file>', 'write a page with plots too; it needs no network')
    .option('--top <n>', 'how many of the most frequent tokens', wholeNumber(1), 50)
    .addHelpText('after', examples)
    .action(run);
  return new Command('data').description('look at prepared data').addCommand(stats);
}

async function run(dir: string, { json, html, top }: StatsFlags): Promise<void> {
  await requireFolderOf(html);
  const data = await measure(dir, top);
  if (html !== undefined) await writeFileAtomic(html, statisticsPage(data));
  const { frequencies: _, ...summary } = data;
  process.stdout.write(json ? `${JSON.stringify(summary)}\n` : table(data));
  if (html !== undefined) process.stderr.write(`wrote ${html}\n`);
}

async function measure(dir: string, top: number): Promise<DataStatistics> {
  let progress: ReturnType<typeof createProgress> | undefined;
  const began = performance.now();
  try {
    return await dataStatistics(dir, {
      top,
      onProgress: (tokens, total) => {
        if (performance.now() - began < 1000) return; // a short job needs no bar
        progress ??= createProgress({ total, unit: 'tokens', label: 'counting', start: tokens });
        progress.update(tokens);
      },
    });
  } finally {
    progress?.stop();
  }
}

function table(data: DataStatistics): string {
  const lines = figures(data).map(([name, value]) => `${name.padEnd(20)}${value}`);
  const most = Math.max(...data.lengths.histogram.map(({ documents }) => documents));
  const names = data.lengths.histogram.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`));
  const width = Math.max(...names.map((name) => name.length));
  const bars = data.lengths.histogram.map(({ documents }, i) => `${names[i]!.padStart(width)} ${'█'.repeat(Math.round((40 * documents) / most))} ${documents}`);
  const tokens = data.top.slice(0, 20).map(({ text, count, share }) => `${visible(text).padEnd(20)}${`${count}`.padStart(12)}${`${(100 * share).toFixed(2)} %`.padStart(10)}`);
  return [...lines, '', 'tokens of a document: documents', ...bars, '', 'most frequent tokens', ...tokens, ''].join('\n');
}
