// The picture of an ablation: a panel a measure, a line a variant, a dot a seed, a stroke the mean; dashed, the mean of the full recipe.

import { type AblationRow, columns } from './ablation_summary.js';
import { dot, line, picture, rangeOf, scale, text, ticks } from './chart.js';

const size = { left: 170, panel: 150, gap: 36, row: 24, top: 64, bottom: 34 };
/** Panels side by side; the others follow below. */
const PANELS_IN_A_ROW = 6;

/** The figures of `summarise` as an SVG file. */
export function ablationPicture(rows: readonly AblationRow[], title: string): string {
  const shown = columns.filter(({ name }) => rows.some((row) => row.measures[name]));
  const across = Math.min(PANELS_IN_A_ROW, Math.max(1, shown.length));
  const bands = Math.ceil(shown.length / across);
  const bandHeight = rows.length * size.row + size.top + size.bottom - 26;
  const width = size.left + across * (size.panel + size.gap);
  const parts = [
    text(14, 24, title, { style: 'title' }),
    text(14, 40, 'a dot a seed, a stroke the mean; dashed: mean of full; orange: every seed lies above, or every one below, the range of full', { style: 'soft' }),
  ];
  for (let band = 0; band < bands; band++) {
    const y = 42 + band * bandHeight;
    rows.forEach(({ variant }, i) => parts.push(text(size.left - 12, y + size.top - 26 + (i + 0.5) * size.row + 4, variant, { anchor: 'end' })));
    shown.slice(band * across, (band + 1) * across).forEach(({ name }, i) => {
      parts.push(...panel(rows, name, size.left + i * (size.panel + size.gap), y + size.top - 26));
    });
  }
  return picture(width, 42 + bands * bandHeight, title, parts);
}

function panel(rows: readonly AblationRow[], name: string, left: number, top: number): string[] {
  const values = rows.flatMap((row) => row.measures[name]?.values ?? []);
  const range = rangeOf(values);
  const x = scale(range, left, left + size.panel);
  const bottom = top + rows.length * size.row;
  const parts = [text(left + size.panel / 2, top - 10, name, { anchor: 'middle' })];
  for (const tick of ticks(range, 3)) parts.push(line(x(tick), top, x(tick), bottom, 'grid'), text(x(tick), bottom + 14, String(tick), { anchor: 'middle', style: 'soft' }));
  const full = rows.find(({ variant }) => variant === 'full')?.measures[name];
  if (full) parts.push(line(x(full.mean), top, x(full.mean), bottom, 'full'));
  rows.forEach((row, i) => {
    const spread = row.measures[name];
    if (!spread) return;
    const y = top + (i + 0.5) * size.row;
    const colour = row.variant === 'full' ? '#0072b2' : spread.apart ? '#d55e00' : '#667';
    parts.push(line(x(spread.mean), y - 7, x(spread.mean), y + 7, 'mean'));
    spread.values.forEach((value, k) => parts.push(dot(x(value), y, 4, `${row.variant}, seed ${spread.seeds[k]}: ${name} ${value.toPrecision(4)}`, `fill="${colour}" fill-opacity="0.75"`)));
  });
  return parts;
}
