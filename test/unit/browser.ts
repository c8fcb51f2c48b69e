// A headless Chromium that opens a page of ours, runs a script in it as a reader would act, and says what happened.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { escapeHtml } from '../../src/data/html.js';

/** The program, or null: CHROMIUM, else the names that distributions use. */
export function findChromium(): string | null {
  const names = [process.env.CHROMIUM, 'chromium', 'chromium-headless-shell', 'chromium-browser', 'google-chrome'];
  return names.find((name) => name !== undefined && spawnSync(name, ['--version']).status === 0) ?? null;
}

export interface Visit {
  /** What `script` returned. */
  result: unknown;
  /** Everything that the page wrote to the console, policy violations and errors included. */
  console: string[];
  /** Addresses that the page asked for. */
  requests: string[];
}

/** Opens `html` in a window `width` wide; `script` is the body of an async function that runs when the page is ready. */
export function visit(chromium: string, html: string, script: string, width = 1000): Visit {
  const folder = mkdtempSync(join(tmpdir(), 'ldlm-browser-'));
  try {
    const probe = `<script>(async () => { const wait = (ms) => new Promise((done) => setTimeout(done, ms)); ${script} })().then((result) =>
      parent.postMessage(JSON.stringify({ result, requests: performance.getEntriesByType('resource').map(({ name }) => name) }), '*'));</script></body>`;
    // In a frame, as a window cannot be narrower than 500 pixels.
    const frame = `<iframe width="${width}" height="900" srcdoc="${escapeHtml(html.replace('</body>', () => probe))}"></iframe>`;
    const file = join(folder, 'page.html');
    writeFileSync(file, `<meta charset="utf-8"><pre id="visit"></pre><script>addEventListener('message', ({ data }) => { document.getElementById('visit').textContent = data; });</script>${frame}`);
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--enable-logging=stderr', `--user-data-dir=${join(folder, 'profile')}`, '--window-size=1100,1000'];
    const { stdout, stderr } = spawnSync(chromium, [...flags, '--virtual-time-budget=30000', '--dump-dom', `file://${file}`], { encoding: 'utf8', maxBuffer: 1 << 26 });
    const found = /<pre id="visit">([^<]+)<\/pre>/.exec(stdout)?.[1];
    if (found === undefined) throw new Error(`the page did not finish:\n${stderr}`);
    const { result, requests } = JSON.parse(found.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')) as Omit<Visit, 'console'>;
    return { result, requests, console: stderr.split('\n').filter((line) => line.includes('CONSOLE')) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
