// The picture of a frontier: entropy to the right, quality upwards; a colour a model, a line through the steps of one eta, temperature and grid,
// rings and a dark line for the Pareto front, diamonds for published figures, a dashed line at the entropy of the data.

import { colours, dot, line, picture, rangeOf, type Range, scale, text, ticks } from './chart.js';
import type { FrontierPoint } from './frontier.js';
import { type Placed, place, type Quality, qualityOf } from './frontier_summary.js';
import type { PublishedCorpus, PublishedFigure } from './published.js';

export interface FrontierPictureOptions {
  title: string;
  /** Who measured the quality, such as the scorer. */
  by: string;
  published?: PublishedCorpus;
  /** Of held-out texts; that of `published` comes first. */
  dataEntropy?: number;
}

type Place = (value: number) => number;

const size = { width: 900, height: 580, left: 76, right: 150, top: 46, bottom: 70, key: 16 };

/** The points that have both figures, as an SVG file. Perplexities stand on a logarithmic axis, low ones above: up and right is better. */
export function frontierPicture(points: readonly FrontierPoint[], options: FrontierPictureOptions): string {
  const { title } = options;
  const placed = place(points);
  const quality = qualityOf(points);
  if (!quality || placed.length === 0) return picture(size.width, 80, title, [text(14, 24, title, { style: 'title' }), text(14, 54, 'no point has both an entropy and a quality')]);

  const byPerplexity = quality.better === 'less';
  const published = byPerplexity ? options.published : undefined; // nothing but perplexities is published
  const figures = published?.figures ?? [];
  const data = published?.dataEntropy ?? options.dataEntropy;
  const height: Place = byPerplexity ? (value) => -Math.log(value) : (value) => value;
  const heights = rangeOf([...placed.map((p) => height(p.quality)), ...figures.map(({ perplexity }) => height(perplexity))]);
  const entropies = rangeOf([...[...placed, ...figures].map(({ entropy }) => entropy), ...(data === undefined ? [] : [data])]);
  const models = [...new Set(placed.map(({ point }) => point.model))];
  const bottom = size.height - size.bottom;
  const x = scale(entropies, size.left, size.width - size.right);
  const toHeight = scale(heights, bottom, size.top);
  const y: Place = (value) => toHeight(height(value));
  const colourOf = (model: string): string => colours[models.indexOf(model) % colours.length]!;
  const front = placed.filter(({ onFront }) => onFront).sort((a, b) => a.entropy - b.entropy);

  return picture(size.width, size.height + size.key * models.length, title, [
    text(14, 24, title, { style: 'title' }),
    ...axes({ entropies, heights }, quality, byPerplexity ? options.by : '', x, y),
    ...(data === undefined ? [] : [line(x(data), size.top, x(data), bottom, 'data'), text(x(data) + 4, size.top + 12, 'data', { style: 'soft' })]),
    ...series(placed).map((one) => path(one, x, y, `stroke="${colourOf(one[0]!.point.model)}" stroke-opacity="0.4"`)),
    path(front, x, y, 'stroke="#1b1f24" stroke-width="1.5"'),
    ...placed.map((p) => dot(x(p.entropy), y(p.quality), 4.5, describe(p, quality), `fill="${colourOf(p.point.model)}"${p.onFront ? ' stroke="#1b1f24" stroke-width="1.8"' : ''}`)),
    ...front.map((p) => text(x(p.entropy) + 7, y(p.quality) - 7, `${p.point.steps}`, { style: 'soft' })),
    ...publishedFigures(figures, x, y),
    text(size.left, bottom + 58, `ringed: Pareto front of the points, with the number of steps${published ? `; diamonds: ${published.what}` : ''}`, { style: 'soft' }),
    ...models.flatMap((model, i) => {
      const at = bottom + 62 + (i + 1) * size.key;
      return [dot(size.left + 5, at - 4, 4.5, model, `fill="${colourOf(model)}"`), text(size.left + 16, at, model)];
    }),
  ]);
}

function axes({ entropies, heights }: { entropies: Range; heights: Range }, { measure, better }: Quality, by: string, x: Place, y: Place): string[] {
  const [right, bottom] = [size.width - size.right, size.height - size.bottom];
  const values = better === 'less' ? perplexityTicks({ min: Math.exp(-heights.max), max: Math.exp(-heights.min) }) : ticks(heights, 6);
  return [
    ...ticks(entropies, 7).flatMap((value) => [line(x(value), size.top, x(value), bottom, 'grid'), text(x(value), bottom + 16, String(value), { anchor: 'middle', style: 'soft' })]),
    ...values.flatMap((value) => [line(size.left, y(value), right, y(value), 'grid'), text(size.left - 8, y(value) + 4, String(value), { anchor: 'end', style: 'soft' })]),
    text((size.left + right) / 2, bottom + 36, 'entropy of a sample, nats', { anchor: 'middle' }),
    text(20, (size.top + bottom) / 2, `${measure.name}${by}${better === 'less' ? ', low ones above' : ''}`, { anchor: 'middle', rotate: -90 }),
  ];
}

/** 10, 20, 50, 100 ... where they are three or more, else evenly spaced ones. */
function perplexityTicks(range: Range): number[] {
  const decades = Array.from({ length: 12 }, (_, i) => 10 ** (i - 1));
  const round = decades.flatMap((decade) => [1, 2, 5].map((factor) => Number((factor * decade).toPrecision(2)))).filter((value) => value >= range.min && value <= range.max);
  return round.length >= 3 ? round : ticks(range, 5);
}

/** Points of one model, sampler, eta, temperature and grid, by steps. */
function series(placed: readonly Placed[]): Placed[][] {
  const found = new Map<string, Placed[]>();
  for (const p of placed) {
    const { model, sampler, eta, temperature, grid } = p.point;
    const key = JSON.stringify([model, sampler, eta, temperature, grid]);
    found.set(key, [...(found.get(key) ?? []), p]);
  }
  return [...found.values()].map((one) => one.sort((a, b) => a.point.steps - b.point.steps));
}

function path(points: readonly Placed[], x: Place, y: Place, attributes: string): string {
  return `<polyline fill="none" ${attributes} points="${points.map((p) => `${x(p.entropy).toFixed(1)},${y(p.quality).toFixed(1)}`).join(' ')}"/>`;
}

/** Diamonds with their names to the right; to the left where another diamond stands there. */
function publishedFigures(figures: readonly PublishedFigure[], x: Place, y: Place): string[] {
  const places = figures.map(({ system, entropy, perplexity }) => ({ system, x: x(entropy), y: y(perplexity) }));
  return places.flatMap((place) => {
    const inTheWay = places.some((other) => other.x > place.x && other.x < place.x + 150 && Math.abs(other.y - place.y) < 14);
    return [diamond(place.x, place.y), text(place.x + (inTheWay ? -9 : 9), place.y + 4, place.system, { style: 'soft', anchor: inTheWay ? 'end' : 'start' })];
  });
}

function diamond(x: number, y: number): string {
  return `<path fill="#9aa3ad" stroke="#445" d="M${x.toFixed(1)} ${(y - 6).toFixed(1)}l6 6l-6 6l-6 -6z"/>`;
}

function describe({ point, entropy, quality }: Placed, { measure }: Quality): string {
  const eta = point.eta === null ? '' : `, eta ${point.eta}`;
  return `${point.model}: ${point.steps} steps${eta}, temperature ${point.temperature}, ${point.grid} grid: ${measure.name} ${quality.toFixed(measure.digits)}, entropy ${entropy.toFixed(3)}`;
}
