/* SPDX-License-Identifier: MIT
 *
 * Charts of the pages, drawn by uPlot.
 */
'use strict';
const $ = id => document.getElementById(id);
const dark = matchMedia('(prefers-color-scheme: dark)');
const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
/* colours of series, told apart by the colour-blind (Okabe and Ito) */
const colours = () => dark.matches ? ['#56b4e9', '#e69f00', '#2bd4a0', '#f0e442', '#e08ec0', '#ff8a50'] : ['#0072b2', '#d55e00', '#008a63', '#8a6d00', '#b04f8a', '#444'];

const charts = [];
/* series: {label, values, colour, digits, faint, dash, points, scatter (no line), small (points, not in the legend)}; log: values above 0 on a logarithmic axis */
function chart(target, xs, series, label, bands = [], log = false) {
  const draw = () => {
    const line = {stroke: style('--quiet'), grid: {stroke: style('--line'), width: 1}, ticks: {stroke: style('--line'), width: 1}};
    const c = colours();
    const marked = series.map((s, i) => ({spanGaps: true, width: s.faint || s.scatter ? 0 : 2, points: {show: !s.faint && (s.points || s.scatter || xs.length <= 64), size: s.small ? 3 : 6}, stroke: c[s.colour % c.length],
      label: s.label, value: (u, v) => v === null || v === undefined ? '–' : (log ? v.toPrecision(3) : v.toFixed(s.digits)), ...(s.dash ? {dash: [6, 4], points: {show: false}} : {})}));
    const plot = new uPlot({width: Math.max(260, target.clientWidth), height: 280, scales: {x: {time: false}, y: {distr: log ? 3 : 1}}, cursor: {points: {size: 8}},
      axes: [{...line, label, labelSize: 20, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 1e5, 1e6]}, {...line, size: 58}],
      bands: bands.map(b => ({series: b.series, fill: c[b.colour % c.length] + '22'})), series: [{label}, ...marked]}, [xs, ...series.map(s => s.values)], target);
    series.forEach((s, i) => { if (s.faint || s.small) plot.root.querySelectorAll('.u-legend .u-series')[i + 1].hidden = true; });
    return plot;
  };
  const entry = {target, draw, plot: draw()};
  charts.push(entry);
  return entry;
}
let resizing;
addEventListener('resize', () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => charts.forEach(c => c.plot.setSize({width: Math.max(260, c.target.clientWidth), height: 280})), 60);
});
dark.addEventListener('change', () => charts.forEach(c => { c.plot.destroy(); c.plot = c.draw(); }));
