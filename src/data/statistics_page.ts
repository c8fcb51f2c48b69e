// The figures of statistics.ts as one HTML page that needs no network and no script: plots are SVG, values show on hover.

import { barPlot, logLogPlot } from './plots.js';
import type { DataStatistics } from './statistics.js';

/** @example await writeFile('stats.html', statisticsPage(await dataStatistics('data/owt'))); */
export function statisticsPage(data: DataStatistics): string {
  const title = `Data set ${escape(data.dir)}`;
  const lengths = barPlot(
    data.lengths.histogram.map(({ from, to, documents }) => ({ from, to: to + 1, value: documents, label: `${range(from, to)} tokens: ${number(documents)} documents` })),
    { x: 'tokens of a document, end token included', y: 'documents' },
  );
  const ranks = logLogPlot(data.frequencies.map((count, index) => ({ x: index + 1, y: count })), { x: 'rank of the token', y: 'occurrences' });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${style}</style>
<h1>${title}</h1>
<dl>${figures(data).map(([name, value]) => `<div><dt>${name}</dt><dd>${escape(value)}</dd></div>`).join('')}</dl>
<section><h2>Lengths of documents</h2>${lengths}</section>
<section><h2>Frequency of tokens by rank</h2>${ranks}</section>
<section><h2>Most frequent tokens</h2>${tokenTable(data)}</section>
</html>
`;
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
    `<tr><td><code>${escape(visible(text))}</code><td class="n">${id}<td class="n">${number(count)}<td class="n">${percent(share)}<td class="bar"><i style="width:${((100 * share) / most).toFixed(1)}%"></i>`;
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

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

const style = `
:root { color-scheme: light dark; --ink: light-dark(#1b1f24, #e6e8eb); --soft: light-dark(#667, #9aa3ad); --line: light-dark(#dde1e6, #3a4048); --fill: light-dark(#3b6ea8, #6aa3e0); }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: light-dark(#fff, #16191d); max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere } h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); gap: .75rem 1.5rem; margin: 0 }
dt { color: var(--soft); font-size: .85rem } dd { margin: 0; font-variant-numeric: tabular-nums }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, sans-serif; fill: var(--soft) }
svg .mark { fill: var(--fill) } svg .mark:hover { fill: var(--ink) } svg .grid { stroke: var(--line) } svg .line { fill: none; stroke: var(--fill); stroke-width: 2 }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums } th { text-align: left; color: var(--soft); font-weight: 500; font-size: .85rem }
td, th { padding: .15rem .75rem .15rem 0; border-bottom: 1px solid var(--line) } .n { text-align: right } .bar { width: 40% } .bar i { display: block; height: .7rem; background: var(--fill) }
`;
