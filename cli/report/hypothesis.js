/* SPDX-License-Identifier: MIT */
'use strict';
(() => {
const data = JSON.parse($('data').textContent);
const laws = {exponential: (l, n) => l.a * Math.exp(l.b * n), power: (l, n) => l.a * n ** l.b, linear: (l, n) => l.a + l.b * n};
const name = g => g.pieces === 1 ? 'one network' : `${g.pieces} pieces`;
$('title').textContent = `Steps to an error of ${data.target}, ${data.dim}-D step functions`;
$('headline').textContent = data.groups.map(g => `${name(g)}: ` + (g.best ? `${g.best}, R² ${g.laws[g.best].r2.toFixed(3)}` : 'too few runs for a law')).join('; ');
$('settings').textContent = `networks ${data.width} wide, ${data.hidden_layers} hidden layers, omega ${data.omega_first} and ${data.omega_hidden}, ` +
  `${data.points} points${data.dim === 2 ? ' a side' : ''}, Adam at ${data.lr}, at most ${data.max_steps} steps, seed ${data.seed}`;

/* A group's runs, means, laws, and what was published. */
function draw(g, runs, target) {
  const ns = g.boundaries.map(b => b.n), from = ns[0], to = ns[ns.length - 1];
  const xs = [...new Set([...ns, ...Array.from({length: 100}, (_, i) => from + (to - from) * i / 99)])].sort((a, b) => a - b);
  const at = list => { const y = new Map(list); return xs.map(x => y.has(x) && y.get(x) > 0 ? y.get(x) : null); };
  const scatter = (label, list, colour, rest) => ({label, values: at(list), colour, digits: 1, scatter: true, ...rest});
  const repeats = Math.max(-1, ...runs.map(r => r.run)) + 1;
  const of = (i, censored) => runs.filter(r => r.run === i && r.censored === censored).map(r => [r.n, r.steps]);
  const series = Array.from({length: repeats}, (_, i) => scatter(`run ${i + 1}`, of(i, false), 0, {small: true}));
  if (runs.some(r => r.censored)) for (let i = 0; i < repeats; i++) series.push(scatter(`run ${i + 1}, ended at the bound`, of(i, true), 4, {small: true}));
  series.push(scatter('mean', g.boundaries.map(b => [b.n, b.mean]), 0));
  if (g.boundaries.some(b => b.published)) series.push(scatter('published mean', g.boundaries.filter(b => b.published).map(b => [b.n, b.published]), 5));
  Object.entries(g.laws).forEach(([law, fit], i) => series.push({label: `${law}, R² ${fit.r2.toFixed(3)}`, values: at(xs.map(x => [x, laws[law](fit, x)])), colour: 1 + i, digits: 1}));
  chart(target, xs, series, 'boundaries', [], true);
}
const targets = data.groups.map(g => {
  const figure = document.createElement('figure');
  figure.innerHTML = '<figcaption></figcaption><div></div>';
  figure.firstChild.textContent = `${name(g)}: steps; small: of every run`;
  $('charts').append(figure);
  return figure.lastChild;
});
data.groups.forEach((g, i) => draw(g, data.runs[i], targets[i]));

const row = (cells, tag) => '<tr>' + cells.map(c => `<${tag}>${c}</${tag}>`).join('') + '</tr>';
const number = (x, digits) => x === null ? '–' : x.toFixed(digits);
$('means').innerHTML = row(['pieces', 'boundaries', 'runs', 'mean', 'fewest', 'most', 'at the bound', 'published'], 'th') +
  data.groups.flatMap(g => g.boundaries.map(b => row([g.pieces, b.n, b.runs, number(b.mean, 1), b.min, b.max, b.censored, number(b.published, 0)], 'td'))).join('');
})();
