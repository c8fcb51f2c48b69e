// The number of CPU cores: what is refused before the addon sees it.

import { describe, expect, it } from 'vitest';
import { threadsOption } from '../../src/cli/option_types.js';
import { setThreads } from '../../src/index.js';

describe('setThreads', () => {
  it.each([0, -1, 1.5, NaN, 1025])('refuses %d', (count) => {
    expect(() => setThreads(count)).toThrow(`threads must be a whole number in 1..1024, got ${count}`);
  });

  it.each(['0', '2.5', 'all', '1025'])('--threads %s is wrong usage', (text) => {
    const option = threadsOption();
    expect(() => option.parseArg!(text, undefined)).toThrow(`It must be a whole number in 1..1024, got ${text}.`);
    expect(option.parseArg!('4', undefined)).toBe(4);
  });
});
