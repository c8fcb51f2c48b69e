// The figures of statistics.ts as one HTML page that needs no network and no script: plots are SVG, values show on hover.

import { escapeHtml, figureList, htmlPage } from './html.js';
import { barPlot, logLogPlot } from './plots.js';
import type { DataStatistics } from './statistics.js';

/** @example await writeFile('stats.html', statisticsPage(await dataStatistics('data/owt'))); */
export function statisticsPage(data: DataStatistics): string {
  const lengths = barPlot(
    data.lengths.histogram.map(({ from, to, documents }) => ({ from, to: to + 1, value: documents, label: `${range(from, to)} tokens: ${number(documents)} documents` })),
    { x: 'tokens of a document, end token included', y: 'documents' },
  );
  const ranks = logLogPlot(data.frequencies.map((count, index) => ({ x: index + 1, y: count })), { x: 'rank of the token', y: 'occurrences' });
  return htmlPage({
    title: `Data set ${data.dir}`,
    body: `${figureList(figures(data))}
<section><h2>Lengths of documents</h2>${lengths}</section>
<section><h2>Frequency of tokens by rank</h2>${ranks}</section>
<section><h2>Most frequent tokens</h2>${tokenTable(data)}</section>`,
  });
}

/** Names and values, as the terminal and the page show them. */
export function figures(data: DataStatistics): [string, string][] {
  const { lengths, unigramEntropy, vocabulary, unknown, duplicates } = data;
  return [
    ['rows', `${number(data.rows)} of ${data.length} tokens, ${data.packing}`],
    ['documents', number(data.documents)],
    ['tokens', number(data.tokens)],
    ['padding', percent(data.padding)],
    ['document length', `mean ${lengths.mean.toFixed(1)}, median ${number(lengths.median)}`],
    ['length range', `${number(lengths.shortest)} to ${number(lengths.longest)} (90 %: ${number(lengths.p90)}, 99 %: ${number(lengths.p99)})`],
    ['unigram entropy', `${unigramEntropy.nats.toFixed(3)} nats, ${unigramEntropy.bits.toFixed(3)} bits`],
    ['vocabulary in use', `${number(vocabulary.used)} of ${number(vocabulary.size)}`],
    ['unknown tokens', unknown ? `${number(unknown.count)} (${percent(unknown.share)})` : 'none: the tokenizer has no unknown token'],
    ['duplicate documents', `${number(duplicates.count)} (${percent(duplicates.share)})`],
  ];
}

/** A token as one visible word: spaces and line ends are shown. */
export function visible(text: string): string {
  return JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll(' ', '\u2423');
}

function tokenTable({ top }: DataStatistics): string {
  const most = top[0]?.share ?? 1;
  const row = ({ id, text, count, share }: DataStatistics['top'][number]): string =>
    `<tr><td><code>${escapeHtml(visible(text))}</code><td class="n">${id}<td class="n">${number(count)}<td class="n">${percent(share)}<td class="bar"><i style="width:${((100 * share) / most).toFixed(1)}%"></i>`;
  return `<table><tr><th>token<th class="n">id<th class="n">occurrences<th class="n">share<th>${top.map(row).join('')}</table>`;
}

function range(from: number, to: number): string {
  return from === to ? number(from) : `${number(from)} to ${number(to)}`;
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
