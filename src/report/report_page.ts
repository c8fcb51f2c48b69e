// `ldlm report`: a run as one HTML page that needs no network. Everything that came from data or a model is escaped.

import { escapeHtml, figureList, htmlPage, jsonElement } from '../data/html.js';
import { conditionNames, describeSampling } from '../eval/conditions.js';
import type { EvaluationResult } from '../eval/evaluate.js';
import { pageScript } from './page_script.js';
import { pageStyle } from './page_style.js';
import { runPlots } from './run_plots.js';
import type { RunRecord } from './run_record.js';
import type { RunTexts, Trajectory } from './run_texts.js';

/** `texts` is null for a page of figures only. */
export function reportPage(run: RunRecord, texts: RunTexts | null): string {
  const body = [
    figureList(keyFigures(run)),
    warningsSection(run),
    ...(texts ? [trajectorySection(texts.trajectory), samplesSection(texts.samples), reconstructionsSection(texts.reconstructions), metricsSection(texts)] : []),
    ...runPlots(run).map(({ heading, plots }) => `<section><h2>${heading}</h2><div class="plots">${plots.join('')}</div></section>`),
    samplesOverTraining(run),
    `<section><h2>Configuration</h2><details><summary>config.json</summary><pre>${escapeHtml(JSON.stringify(run.config, null, 2))}</pre></details></section>`,
  ];
  return htmlPage({ title: `Run ${run.path}`, body: body.join('\n'), style: pageStyle, script: pageScript });
}

function keyFigures({ metrics, config, step }: RunRecord): [string, string][] {
  const last = metrics.at(-1);
  const accuracy = metrics.findLast((at) => at.accuracy)?.accuracy;
  return [
    ['steps', `${step} of ${config.train.steps}`],
    ['encoder', `${config.encoder.source}, layer ${config.encoder.layer}`],
    ['latents', `${config.model.latents} x ${config.model.latentWidth} for ${config.model.maxLength} tokens`],
    ...(last ? [['loss', `${round(last.loss.diffusion)} diffusion, ${round(last.loss.hidden)} hidden, ${round(last.loss.token)} token`] as [string, string]] : []),
    ...(last ? [['latents over the data', `deviation ${round(last.latent.std)}, rank ${last.latent.effectiveRank.toFixed(1)} of ${config.model.latentWidth}`] as [string, string]] : []),
    ...(accuracy ? [['tokens given back', `${percent(accuracy.clean)} clean, ${percent(accuracy.noisy)} noisy`] as [string, string]] : []),
  ];
}

function warningsSection({ warnings, metrics }: RunRecord): string {
  if (metrics.length === 0) return '<p class="notice">No step is logged yet: the collapse alarm has nothing to look at.</p>';
  if (warnings.length === 0) return '<p class="notice good">The collapse alarm saw nothing.</p>';
  const items = warnings.map(({ step, seen, meaning, remedy }) => `<li><b>Step ${step}: ${escapeHtml(seen)}.</b> ${escapeHtml(capital(meaning))}. Try ${escapeHtml(remedy)}.</li>`);
  return `<section class="notice bad" role="alert"><h2>Collapse alarm</h2><ul>${items.join('')}</ul></section>`;
}

function trajectorySection(trajectory: Trajectory): string {
  const last = trajectory.steps.length;
  const final = trajectory.steps.at(-1)!.texts.map((text) => `<p class="sample">${escapeHtml(text)}</p>`);
  return `<section id="trajectory"><h2>From noise to text</h2>
<p>The estimate of the whole text after each evaluation of the denoiser. Words that have just changed are marked; pale words will change again.</p>
<div class="player"><button type="button" id="play">Play</button>
<label><span class="hidden">Evaluation</span><input type="range" id="at" min="1" max="${last}" value="${last}" step="1"></label>
<output id="where" for="at">${last} of ${last}</output></div>
<div id="texts">${final.join('')}</div>
${jsonElement('trajectory-data', trajectory)}</section>`;
}

function samplesSection(samples: readonly string[]): string {
  if (samples.length === 0) return '';
  return `<section><h2>More samples</h2>${samples.map((text) => `<p class="sample">${escapeHtml(text)}</p>`).join('')}</section>`;
}

function reconstructionsSection(reconstructions: RunTexts['reconstructions']): string {
  const heading = '<section><h2>Held-out texts through the latents</h2>';
  if ('reason' in reconstructions) return `${heading}<p class="soft">${escapeHtml(reconstructions.reason)}</p></section>`;
  const items = reconstructions.value.map(({ text, reconstructed, accuracy }) =>
    text === reconstructed
      ? `<p class="sample">${escapeHtml(text)} <span class="soft">unchanged</span></p>`
      : `<p class="sample">${escapeHtml(text)}<br><span class="soft">${percent(accuracy)}:</span> ${differing(reconstructed, text)}</p>`);
  return `${heading}${items.join('')}</section>`;
}

/** `text` with the words marked that differ from those at the same place of `from`. */
function differing(text: string, from: string): string {
  const there = from.split(' ');
  return text.split(' ').map((word, i) => (word === there[i] ? escapeHtml(word) : `<mark>${escapeHtml(word)}</mark>`)).join(' ');
}

/** Fields of a result that the head of the table says once, or that are no figures. */
const NO_FIGURES = new Set<string>([...conditionNames, 'protocol', 'notes', 'samples']);

function metricsSection({ results, left }: RunTexts): string {
  const first = results[0]!;
  const rows = results.flatMap((result) => figuresOf(result).map(([name, value], i) => `<tr><td>${i === 0 ? escapeHtml(result.protocol) : ''}<td>${escapeHtml(name)}<td class="n">${escapeHtml(value)}`));
  const notes = [...results.flatMap(({ protocol, notes }) => notes.map((note) => `${protocol}: ${note}`)), ...left.map((reason) => `Left out: ${reason}`)];
  return `<section><h2>Scores</h2>
<p class="soft">${escapeHtml(describeSampling(first))}, ${escapeHtml(first.machine.processor)} (${first.machine.device}). docs/evaluation.md defines the protocols.</p>
<div class="wide"><table><tr><th>protocol<th>figure<th class="n">value</tr>${rows.join('')}</table></div>
${notes.map((note) => `<p class="soft">${escapeHtml(note)}</p>`).join('')}</section>`;
}

function figuresOf(result: EvaluationResult): [string, string][] {
  return Object.entries(result).filter(([name, value]) => !NO_FIGURES.has(name) && typeof value === 'number').map(([name, value]) => [name, round(value as number)]);
}

function samplesOverTraining({ metrics }: RunRecord): string {
  const sampled = metrics.filter(({ samples }) => samples?.length);
  if (sampled.length === 0) return '';
  const steps = sampled.map(({ step, samples }) => `<h3>Step ${step}</h3>${samples!.slice(0, 3).map((text) => `<p class="sample">${escapeHtml(text)}</p>`).join('')}`);
  return `<section><h2>Samples during training</h2><details><summary>${sampled.length} checkpoints, the same seeds each time</summary>${steps.join('')}</details></section>`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function round(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString('en-US') : String(Number(value.toPrecision(4)));
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
