// Parts of pictures that stand alone: an SVG file with its own style, linear axes with round ticks. What is drawn is the pictures' own.

import { escapeHtml } from '../data/html.js';

export interface Range {
  min: number;
  max: number;
}

/** Round numbers inside `range`, about `count` of them. */
export function ticks({ min, max }: Range, count: number): number[] {
  const raw = (max - min) / count;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * [1, 2, 2.5, 5, 10].find((factor) => factor * unit >= raw * (1 - 1e-9))!;
  const first = Math.ceil(min / step - 1e-9);
  return Array.from({ length: Math.floor(max / step + 1e-9) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** The range of `values` with a margin on both sides; around a single value, something to stand in. */
export function rangeOf(values: readonly number[], margin = 0.08): Range {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const width = high - low || Math.abs(high) || 1;
  return { min: low - margin * width, max: high + margin * width };
}

/** Where a value lies between two places of the picture. */
export function scale({ min, max }: Range, from: number, to: number): (value: number) => number {
  return (value) => from + ((value - min) / (max - min)) * (to - from);
}

export interface TextStyle {
  anchor?: 'start' | 'middle' | 'end';
  style?: 'title' | 'soft' | 'label';
  rotate?: number;
}

export function text(x: number, y: number, content: string, { anchor = 'start', style = 'label', rotate }: TextStyle = {}): string {
  const turned = rotate === undefined ? '' : ` transform="rotate(${rotate} ${round(x)} ${round(y)})"`;
  return `<text class="${style}" x="${round(x)}" y="${round(y)}" text-anchor="${anchor}"${turned}>${escapeHtml(content)}</text>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, style: string): string {
  return `<line class="${style}" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"/>`;
}

/** A dot that says what it is when pointed at. */
export function dot(x: number, y: number, radius: number, title: string, attributes: string): string {
  return `<circle cx="${round(x)}" cy="${round(y)}" r="${radius}" ${attributes}><title>${escapeHtml(title)}</title></circle>`;
}

/** The whole file. */
export function picture(width: number, height: number, title: string, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${round(width)} ${round(height)}" width="${round(width)}" height="${round(height)}" role="img" aria-label="${escapeHtml(title)}">
<style>${style}</style>
<rect class="paper" width="100%" height="100%"/>
${parts.join('\n')}
</svg>
`;
}

/** Colours that stay apart for those who see fewer of them (Okabe and Ito 2008). */
export const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];

function round(value: number): string {
  return String(Math.round(10 * value) / 10);
}

const style = `
text { font: 12px system-ui, sans-serif; fill: #1b1f24 }
.title { font-size: 15px; font-weight: 600 } .soft { fill: #667; font-size: 11px }
.paper { fill: #fff } .grid { stroke: #e3e6ea } .frame { stroke: #9aa3ad; fill: none } .full { stroke: #0072b2; stroke-dasharray: 3 3 } .mean { stroke: #1b1f24; stroke-width: 2 } .data { stroke: #667; stroke-dasharray: 6 3 }
`;
