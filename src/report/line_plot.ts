// Curves as a figure with an SVG plot, small enough for a phone. Readable without a script; page_script.ts adds reading values with the
// pointer or the arrow keys, from the numbers that the figure carries.

import { escapeHtml } from '../data/html.js';
import { short } from '../data/plots.js';

export interface Curve {
  name: string;
  points: readonly Point[];
}

interface Point {
  x: number;
  y: number;
}

export interface LinePlot {
  title: string;
  /** What runs to the right. */
  x: string;
  curves: readonly Curve[];
  /** One sentence on how to read it. */
  note?: string;
  /** A logarithmic axis for values above 0. */
  logarithmic?: boolean;
  /** Values that the axis must reach. */
  include?: readonly number[];
  /** The curves are one thing at several times, the oldest first: one colour, from pale to full. */
  ages?: boolean;
}

const size = { width: 440, height: 250, left: 48, right: 18, top: 10, bottom: 38 };
const MOST_POINTS = 300;

export function linePlot(plot: LinePlot): string {
  const curves = plot.curves.map(({ name, points }) => ({ name, points: thinned(points.filter(({ y }) => Number.isFinite(y) && (!plot.logarithmic || y > 0))) })).filter(({ points }) => points.length > 0);
  if (curves.length === 0) return '';
  const xs = curves.flatMap(({ points }) => points.map(({ x }) => x));
  const ys = [...curves.flatMap(({ points }) => points.map(({ y }) => y)), ...(plot.include ?? [])];
  const yTicks = plot.logarithmic ? decades(Math.min(...ys), Math.max(...ys)) : ticks(Math.min(...ys), Math.max(...ys));
  const xTicks = ticks(Math.min(...xs), Math.max(...xs)).filter((value) => value >= Math.min(...xs) && value <= Math.max(...xs));
  const scale = plot.logarithmic ? Math.log10 : (value: number): number => value;
  const toX = along(Math.min(...xs), Math.max(...xs), size.left, size.width - size.right);
  const [low, high] = [scale(Math.min(yTicks[0]!, ...ys)), scale(Math.max(yTicks.at(-1)!, ...ys))];
  const toY = (value: number): number => along(low, high, size.height - size.bottom, size.top)(scale(value));
  const parts = [
    ...yTicks.map((value) => `<line class="grid" x1="${size.left}" x2="${size.width - size.right}" y1="${fixed(toY(value))}" y2="${fixed(toY(value))}"/><text x="${size.left - 6}" y="${fixed(toY(value) + 4)}" text-anchor="end">${label(value)}</text>`),
    ...xTicks.map((value) => `<text x="${fixed(toX(value))}" y="${size.height - size.bottom + 17}" text-anchor="middle">${label(value)}</text>`),
    `<text x="${(size.left + size.width - size.right) / 2}" y="${size.height - 5}" text-anchor="middle">${escapeHtml(plot.x)}</text>`,
    ...curves.map(({ points }, i) => line(points.map(({ x, y }) => ({ x: toX(x), y: toY(y) })), look(plot, i, curves.length))),
  ];
  const carried = { x: plot.x, curves: curves.map(({ name, points }) => ({ name, points: points.map(({ x, y }) => [x, y, toX(x), toY(y)].map((value) => Number(value.toPrecision(5)))) })) };
  return `<figure class="plot" data-plot="${escapeHtml(JSON.stringify(carried))}">
<figcaption><b>${escapeHtml(plot.title)}</b>${plot.note ? ` <span>${escapeHtml(plot.note)}</span>` : ''}</figcaption>
<svg viewBox="0 0 ${size.width} ${size.height}" role="img" tabindex="0" aria-label="${escapeHtml(described(plot, curves))}">${parts.join('')}</svg>
${curves.length === 1 ? '' : `<p class="legend">${curves.map(({ name }, i) => `<span><i style="${look(plot, i, curves.length)}"></i>${escapeHtml(name)}</span>`).join('')}</p>`}
<output></output>
</figure>`;
}

/** For those who cannot see the curves: where each begins and ends. */
function described({ title, x }: LinePlot, curves: readonly Curve[]): string {
  const ends = curves.map(({ name, points }) => `${name} from ${label(points[0]!.y)} to ${label(points.at(-1)!.y)}`);
  return `${title} by ${x}: ${ends.join(', ')}. Arrow keys read values.`;
}

const COLOURS = 5;

function look({ ages }: LinePlot, index: number, of: number): string {
  return ages ? `--line-colour:var(--c1);opacity:${((index + 1) / of).toFixed(2)}` : `--line-colour:var(--c${(index % COLOURS) + 1})${index % 2 ? ';stroke-dasharray:6 3' : ''}`;
}

function line(points: readonly Point[], style: string): string {
  if (points.length === 1) return `<circle class="curve" r="3" cx="${fixed(points[0]!.x)}" cy="${fixed(points[0]!.y)}" style="${style}"/>`;
  return `<polyline class="curve" points="${points.map(({ x, y }) => `${fixed(x)},${fixed(y)}`).join(' ')}" style="${style}"/>`;
}

/** Evenly chosen points; the first and the last stay. */
function thinned(points: readonly Point[]): readonly Point[] {
  if (points.length <= MOST_POINTS) return points;
  return Array.from({ length: MOST_POINTS }, (_, i) => points[Math.round((i * (points.length - 1)) / (MOST_POINTS - 1))]!);
}

function along(from: number, to: number, start: number, end: number): (value: number) => number {
  return to > from ? (value) => start + ((value - from) / (to - from)) * (end - start) : () => (start + end) / 2;
}

/** Round values that cover the range: 1, 2 or 5 times a power of ten apart, four to eight of them. */
function ticks(low: number, high: number): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / 4;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [5, 2, 1].find((factor) => factor * unit <= rough)!;
  const first = Math.floor(low / step + 1e-9);
  return Array.from({ length: Math.ceil(high / step - 1e-9) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(6)));
}

/** Powers of ten that cover the range; of many every second, third, ... */
function decades(low: number, high: number): number[] {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const every = Math.ceil((last - first + 1) / 6);
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i)).filter((_, i) => i % every === 0);
}

function label(value: number): string {
  if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(0);
  return Math.abs(value) >= 1000 ? short(value) : String(Number(value.toPrecision(3)));
}

function fixed(value: number): string {
  return value.toFixed(1);
}
