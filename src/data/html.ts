// What our HTML pages share: the frame of a page that needs no network, text as HTML, and the style.

export interface Page {
  title: string;
  /** HTML behind the heading. */
  body: string;
  /** CSS behind the common style. */
  style?: string;
  /** Runs when the body is there. */
  script?: string;
}

/** A whole document. Its policy forbids everything but what is written into it. */
export function htmlPage({ title, body, style = '', script }: Page): string {
  const policy = `default-src 'none'; style-src 'unsafe-inline'${script === undefined ? '' : "; script-src 'unsafe-inline'"}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${commonStyle}${style}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
${body}
${script === undefined ? '' : `<script>${script}</script>\n`}</body>
</html>
`;
}

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** A value for scripts of the page. In such an element only a `<` could end it or open a comment. */
export function jsonElement(id: string, value: unknown): string {
  return `<script type="application/json" id="${id}">${JSON.stringify(value).replaceAll('<', '\\u003c')}</script>`;
}

/** Names and values side by side. The values are text. */
export function figureList(figures: readonly (readonly [name: string, value: string])[]): string {
  return `<dl>${figures.map(([name, value]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`).join('')}</dl>`;
}

const commonStyle = `
:root { color-scheme: light dark; --ink: light-dark(#1b1f24, #e6e8eb); --soft: light-dark(#667, #9aa3ad); --line: light-dark(#dde1e6, #3a4048); --fill: light-dark(#3b6ea8, #6aa3e0); --paper: light-dark(#fff, #16191d); }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere } h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); gap: .75rem 1.5rem; margin: 0 }
dt { color: var(--soft); font-size: .85rem } dd { margin: 0; font-variant-numeric: tabular-nums }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, sans-serif; fill: var(--soft) }
svg .mark { fill: var(--fill) } svg .mark:hover { fill: var(--ink) } svg .grid { stroke: var(--line) } svg .line { fill: none; stroke: var(--fill); stroke-width: 2 }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums } th { text-align: left; color: var(--soft); font-weight: 500; font-size: .85rem }
td, th { padding: .15rem .75rem .15rem 0; border-bottom: 1px solid var(--line) } .n { text-align: right } .bar { width: 40% } .bar i { display: block; height: .7rem; background: var(--fill) }
`;
