// The style of the report, behind that of all pages (src/data/html.ts).

export const pageStyle = `
:root { --c1: light-dark(#2f6fb0, #6aa8ea); --c2: light-dark(#c2571a, #f29a62); --c3: light-dark(#2b8a6e, #56c9a5); --c4: light-dark(#8a4fb0, #c393ec); --c5: light-dark(#6b7280, #aab2bd); --tint: light-dark(#f4f6f8, #1e2328); --mark: light-dark(#ffe7a8, #5c4a12); }
h3 { font-size: .95rem; margin: 1rem 0 .25rem }
.soft, figcaption span { color: var(--soft) } figcaption span { font-size: .85rem; display: block }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
.notice { border-left: 4px solid var(--c3); background: var(--tint); padding: .6rem 1rem; margin: 1.5rem 0 }
.notice.bad { border-color: var(--c2) } .notice h2 { margin: 0 0 .25rem } .notice ul { margin: 0; padding-left: 1.1rem } .notice li { margin: .4rem 0 }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); gap: 1.5rem }
figure { margin: 0; min-width: 0; display: flex; flex-direction: column } figcaption { flex: 1; margin-bottom: .25rem }
svg .curve { fill: none; stroke: var(--line-colour); stroke-width: 1.75; stroke-linejoin: round } svg circle.curve { fill: var(--line-colour) } svg .cursor { stroke: var(--soft); stroke-dasharray: 2 3 }
svg:focus-visible, input:focus-visible, button:focus-visible, summary:focus-visible { outline: 2px solid var(--c1); outline-offset: 2px }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: .25rem 0 0; font-size: .85rem; color: var(--soft) }
.legend i { display: inline-block; width: 1.1rem; height: .2rem; margin-right: .35rem; vertical-align: middle; background: var(--line-colour) }
.plot output { font-size: .85rem; min-height: 1.3rem; font-variant-numeric: tabular-nums }
.sample { margin: .5rem 0; padding: .5rem .75rem; background: var(--tint); border-radius: 4px; overflow-wrap: anywhere; white-space: pre-wrap }
mark { background: var(--mark); color: inherit; border-radius: 2px } .unsettled { opacity: .55 }
.player { display: flex; align-items: center; gap: .75rem; flex-wrap: wrap } .player label { flex: 1 1 10rem; display: flex } .player input { width: 100%; accent-color: var(--c1) }
.player button { font: inherit; min-width: 5rem; min-height: 2.5rem; border: 1px solid var(--line); border-radius: 4px; background: var(--tint); color: inherit; cursor: pointer }
.player output { font-variant-numeric: tabular-nums; color: var(--soft); min-width: 11rem }
.wide { overflow-x: auto } pre { overflow-x: auto; font-size: .85rem; background: var(--tint); padding: .75rem; border-radius: 4px } summary { cursor: pointer }
@media (max-width: 30rem) { body { margin: 1rem auto } .player output { min-width: 0 } }
`;
