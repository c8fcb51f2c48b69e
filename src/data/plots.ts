// Two plots as SVG text: bars over a linear or logarithmic axis, and a line with both axes logarithmic. No library: nothing else here draws.

export interface AxisNames {
  x: string;
  y: string;
}

export interface Bar {
  from: number;
  to: number;
  value: number;
  label: string;
}

const size = { width: 860, height: 300, left: 76, right: 16, top: 12, bottom: 48 };

/** Bars side by side, all of one width; their edges name the axis, so that equal and growing bins look alike. */
export function barPlot(bars: readonly Bar[], names: AxisNames): string {
  const most = niceTop(Math.max(1, ...bars.map(({ value }) => value)));
  const width = (size.width - size.left - size.right) / bars.length;
  const y = (value: number): number => size.top + (1 - value / most) * (size.height - size.top - size.bottom);
  const marks = bars.map(({ value, label }, i) => {
    const x = size.left + i * width;
    return `<rect class="mark" x="${fixed(x + 1)}" y="${fixed(y(value))}" width="${fixed(Math.max(1, width - 2))}" height="${fixed(y(0) - y(value))}"><title>${label}</title></rect>`;
  });
  const every = Math.ceil(bars.length / 10);
  const labels = bars.flatMap(({ from }, i) => (i % every === 0 ? [xLabel(size.left + i * width, from)] : []));
  const lines = [0, 0.25, 0.5, 0.75, 1].map((share) => grid(y(share * most), share * most));
  return svg([...lines, ...marks, ...labels], names);
}

/** A line through points with x >= 1 and y >= 1; of many points it takes a few hundred, evenly on the logarithmic axis. */
export function logLogPlot(points: readonly { x: number; y: number }[], names: AxisNames): string {
  const decades = (values: number[]): number => Math.max(1, Math.ceil(Math.log10(Math.max(...values)) - 1e-9));
  const [columns, rows] = [decades([points.at(-1)?.x ?? 1]), decades([points[0]?.y ?? 1])];
  const x = (value: number): number => size.left + (Math.log10(value) / columns) * (size.width - size.left - size.right);
  const y = (value: number): number => size.top + (1 - Math.log10(value) / rows) * (size.height - size.top - size.bottom);
  const indices = new Set(Array.from({ length: 300 }, (_, i) => Math.min(points.length - 1, Math.round(points.length ** (i / 299)) - 1)));
  const path = [...indices].map((index) => `${fixed(x(points[index]!.x))},${fixed(y(points[index]!.y))}`).join(' ');
  const lines = Array.from({ length: rows + 1 }, (_, decade) => grid(y(10 ** decade), 10 ** decade));
  const labels = Array.from({ length: columns + 1 }, (_, decade) => xLabel(x(10 ** decade), 10 ** decade));
  return svg([...lines, `<polyline class="line" points="${path}"/>`, ...labels], names);
}

function svg(parts: readonly string[], { x, y }: AxisNames): string {
  const middle = (size.top + size.height - size.bottom) / 2;
  const xName = `<text x="${(size.left + size.width - size.right) / 2}" y="${size.height - 6}" text-anchor="middle">${x}</text>`;
  const yName = `<text transform="translate(14 ${middle}) rotate(-90)" text-anchor="middle">${y}</text>`;
  return `<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${y} by ${x}">${parts.join('')}${xName}${yName}</svg>`;
}

function grid(y: number, value: number): string {
  return `<line class="grid" x1="${size.left}" x2="${size.width - size.right}" y1="${fixed(y)}" y2="${fixed(y)}"/><text x="${size.left - 8}" y="${fixed(y + 4)}" text-anchor="end">${short(value)}</text>`;
}

function xLabel(x: number, value: number): string {
  return `<text x="${fixed(x)}" y="${size.height - size.bottom + 18}" text-anchor="middle">${short(value)}</text>`;
}

/** The next of 1, 2, 4, 6, 8, 10 times a power of ten: a quarter of it is a short number too. */
function niceTop(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value));
  return unit * [1, 2, 4, 6, 8, 10].find((factor) => factor * unit >= value)!;
}

/** 15000 -> '15k' */
export function short(value: number): string {
  if (value < 1e4) return value.toLocaleString('en-US');
  const [divisor, suffix] = value >= 1e9 ? [1e9, 'G'] : value >= 1e6 ? [1e6, 'M'] : [1e3, 'k'];
  return `${Number((value / divisor).toPrecision(3)).toLocaleString('en-US')}${suffix}`;
}

function fixed(value: number): string {
  return value.toFixed(1);
}
