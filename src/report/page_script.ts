// What the report's page does in a browser: the player of the trajectory, and reading values off the plots. Plain JavaScript, put into the
// page as it stands; text reaches the page through textContent only.

export const pageScript = `
'use strict';
const element = (name, parts, text) => { const made = document.createElement(name); Object.assign(made, parts); if (text !== undefined) made.textContent = text; return made; };

function startPlayer() {
  const data = document.getElementById('trajectory-data');
  if (!data) return;
  const { steps } = JSON.parse(data.textContent);
  const [button, slider, where, texts] = ['play', 'at', 'where', 'texts'].map((id) => document.getElementById(id));
  const words = steps.map((step) => step.texts.map((text) => text.split(/\\s+/)));
  const last = words[words.length - 1];
  let timer = 0;

  const show = () => {
    const now = slider.valueAsNumber - 1;
    where.textContent = (now + 1) + ' of ' + steps.length + ', u = ' + steps[now].u.toFixed(2);
    slider.setAttribute('aria-valuetext', 'evaluation ' + where.textContent);
    texts.replaceChildren(...words[now].map((line, sample) => {
      const paragraph = element('p', { className: 'sample' });
      line.forEach((word, i) => {
        const settled = word === last[sample][i];
        const changed = now > 0 && word !== words[now - 1][sample][i];
        paragraph.append(i ? ' ' : '', element(changed ? 'mark' : 'span', { className: settled ? '' : 'unsettled' }, word));
      });
      return paragraph;
    }));
  };
  const stop = () => { clearInterval(timer); timer = 0; button.textContent = 'Play'; };
  const advance = () => {
    slider.valueAsNumber += 1;
    show();
    if (slider.valueAsNumber >= steps.length) stop();
  };
  button.addEventListener('click', () => {
    if (timer) return stop();
    if (slider.valueAsNumber >= steps.length) { slider.value = 1; show(); }
    button.textContent = 'Pause';
    timer = setInterval(advance, Math.max(120, Math.min(400, 8000 / steps.length)));
  });
  slider.addEventListener('input', () => { stop(); show(); });
  show();
}

function startPlot(figure) {
  const { x, curves } = JSON.parse(figure.dataset.plot);
  const [svg, output] = [figure.querySelector('svg'), figure.querySelector('output')];
  const longest = curves.reduce((a, b) => (b.points.length > a.points.length ? b : a)).points;
  const cursor = svg.querySelector('.grid').cloneNode();
  cursor.setAttribute('class', 'cursor');
  let at = longest.length - 1;

  const show = (index) => {
    at = Math.max(0, Math.min(longest.length - 1, index));
    const [value, , place] = longest[at];
    const near = (points) => points.reduce((a, b) => (Math.abs(b[0] - value) < Math.abs(a[0] - value) ? b : a));
    for (const [name, v] of Object.entries({ x1: place, x2: place, y1: 10, y2: svg.viewBox.baseVal.height - 38 })) cursor.setAttribute(name, v);
    svg.append(cursor);
    output.textContent = x.split(' ')[0] + ' ' + value + ': ' + curves.map(({ name, points }) => name + ' ' + Number(near(points)[1].toPrecision(4))).join(', ');
  };
  svg.addEventListener('pointermove', (event) => {
    const box = svg.getBoundingClientRect();
    const place = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    show(longest.reduce((best, point, i) => (Math.abs(point[2] - place) < Math.abs(longest[best][2] - place) ? i : best), 0));
  });
  svg.addEventListener('pointerleave', () => { cursor.remove(); output.textContent = ''; });
  svg.addEventListener('keydown', (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    show(at + move);
  });
}

startPlayer();
document.querySelectorAll('figure[data-plot]').forEach(startPlot);
`;
