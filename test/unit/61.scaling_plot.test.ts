// The picture of `ldlm bench scale`.

import { expect, it } from 'vitest';
import { scalingPlot } from '../../src/bench/scaling_plot.js';

it.each([[[128]], [[128, 256, 512]]])('draws the values %j inside its frame', (values) => {
  const svg = scalingPlot('sampling', [{ name: 'measured, ms', points: values.map((x) => ({ x, y: 3 * x })) }], { x: 'length', y: 'ms' });
  expect(svg).not.toMatch(/NaN|Infinity/);
  for (const value of values) expect(svg).toContain(`>${value}<`);
});
