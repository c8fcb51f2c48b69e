// Curves over a size as one SVG file that stands alone: both axes logarithmic, a measured and a theoretical line each.

export interface Curve {
  name: string;
  points: readonly { x: number; y: number }[];
  /** Dashed: what the arithmetic alone would take. */
  theory?: boolean;
}

const size = { width: 720, height: 420, left: 80, right: 20, top: 40, bottom: 52 };
const COLOURS = ['#3366cc', '#cc4433', '#339966', '#aa7722'];

/** Curves of measured and theoretical values; x and y must be > 0. */
export function scalingPlot(title: string, curves: readonly Curve[], names: { x: string; y: string }): string {
  const all = curves.flatMap(({ points }) => points);
  const [left, right] = [Math.min(...all.map(({ x }) => x)), Math.max(...all.map(({ x }) => x))];
  const [low, high] = [Math.floor(Math.log10(Math.min(...all.map(({ y }) => y)))), Math.ceil(Math.log10(Math.max(...all.map(({ y }) => y))))];
  const x = (value: number): number => size.left + (Math.log(value / left) / (Math.log(right / left) || 1)) * (size.width - size.left - size.right);
  const y = (value: number): number => size.top + ((high - Math.log10(value)) / Math.max(1, high - low)) * (size.height - size.top - size.bottom);
  const rows = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  const grid = rows.map((value) => line(size.left, y(value), size.width - size.right, y(value)) + text(size.left - 8, y(value) + 4, 'end', label(value)));
  const ticks = [...new Set(all.map((point) => point.x))].map((value) => text(x(value), size.height - size.bottom + 18, 'middle', `${value}`));
  const drawn = curves.map(({ points, theory }, i) => {
    const colour = COLOURS[Math.floor(i / 2) % COLOURS.length]!;
    const path = points.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(' ');
    const marks = theory ? '' : points.map((point) => `<circle cx="${x(point.x).toFixed(1)}" cy="${y(point.y).toFixed(1)}" r="3" fill="${colour}"/>`).join('');
    return `<polyline fill="none" stroke="${colour}" stroke-width="2"${theory ? ' stroke-dasharray="5 4"' : ''} points="${path}"/>${marks}`;
  });
  const legend = curves.map(({ name, theory }, i) => {
    const at = size.top + 16 + 18 * i;
    const colour = COLOURS[Math.floor(i / 2) % COLOURS.length]!;
    const stroke = `<line x1="${size.left + 12}" x2="${size.left + 40}" y1="${at - 4}" y2="${at - 4}" stroke="${colour}" stroke-width="2"${theory ? ' stroke-dasharray="5 4"' : ''}/>`;
    return stroke + text(size.left + 46, at, 'start', name);
  });
  const captions = [
    text(size.width / 2, 22, 'middle', title),
    text((size.left + size.width - size.right) / 2, size.height - 10, 'middle', names.x),
    `<text transform="translate(18 ${(size.top + size.height - size.bottom) / 2}) rotate(-90)" text-anchor="middle">${names.y}</text>`,
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="sans-serif" font-size="13" role="img" aria-label="${title}"><rect width="100%" height="100%" fill="#fff"/>${[...grid, ...ticks, ...drawn, ...legend, ...captions].join('\n')}</svg>\n`;
}

function line(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${x1}" x2="${x2}" y1="${y1.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="#ddd"/>`;
}

function text(x: number, y: number, anchor: string, content: string): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${content}</text>`;
}

function label(value: number): string {
  return value >= 1 && value < 1e6 ? value.toLocaleString('en-US') : value.toExponential(0);
}
