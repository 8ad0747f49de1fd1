/* SPDX-License-Identifier: MIT */
'use strict';
(() => {
const data = JSON.parse(document.getElementById('data').textContent);
const model = data.subjects[0], last = model.inner_steps;
const base = path => path.replace(/.*\//, '');
const nameOf = s => s.kind === 'baseline' ? 'random weights' : base(s.name);
const imageName = i => model.per_image[i].name;
const number = (x, digits = 2) => x === null || x === undefined || !isFinite(x) ? '–' : x.toFixed(digits);
const signed = (x, digits = 2) => x === null || !isFinite(x) ? '–' : (x < 0 ? '−' : '+') + Math.abs(x).toFixed(digits);

function element(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes))
    if (key in e) e[key] = value; else e.setAttribute(key, value);
  e.append(...children);
  return e;
}

/* ---- tables that can be sorted and copied ------------------------------------------------------ */

function table(target, heads, rows, text = [0]) {
  const head = element('tr'), body = element('tbody');
  const fill = () => body.replaceChildren(...rows.map(row => element('tr', {}, ...row.map((cell, i) =>
    element('td', {className: text.includes(i) ? 'text' : ''}, cell)))));
  heads.forEach((h, i) => {
    const cell = element('th', {className: 'sorts' + (text.includes(i) ? ' text' : ''), scope: 'col', title: 'sort'}, h);
    let up = false;
    cell.onclick = () => {
      up = !up;
      const value = row => { const x = parseFloat(String(row[i]).replace('−', '-')); return isNaN(x) ? row[i] : x; };
      rows.sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (up ? 1 : -1));
      fill();
    };
    head.append(cell);
  });
  fill();
  const copy = element('button', {type: 'button'}, 'copy');
  copy.onclick = async () => {
    const lines = [heads, ...rows].map(row => row.join('\t').replace(/−/g, '-').replace(/–/g, '')).join('\n');
    try { await navigator.clipboard.writeText(lines); } catch (e) {
      const area = element('textarea', {value: lines});
      document.body.append(area); area.select(); document.execCommand('copy'); area.remove();
    }
    copy.textContent = 'copied';
    setTimeout(() => { copy.textContent = 'copy'; }, 1500);
  };
  target.replaceChildren(element('caption', {}, copy), element('thead', {}, head), body);
}

/* ---- charts ------------------------------------------------------------------------------------ */

dark.addEventListener('change', () => { drawRegions(); drawError(); });

function overSteps() {
  const longest = Math.max(...data.subjects.map(s => s.inner_steps));
  const xs = Array.from({length: longest + 1}, (_, k) => k);
  const full = a => xs.map(k => k < a.length ? a[k] : null);
  const psnr = [], bands = [], ssim = [];
  data.subjects.forEach((s, i) => psnr.push({label: nameOf(s), values: full(s.psnr_db), colour: i, digits: 2}));
  data.subjects.forEach((s, i) => {
    const at = psnr.length + 1;
    psnr.push({label: nameOf(s) + ' +σ', values: full(s.psnr_db.map((x, k) => x === null || s.psnr_db_std[k] === null ? null : x + s.psnr_db_std[k])), colour: i, digits: 2, faint: true});
    psnr.push({label: nameOf(s) + ' −σ', values: full(s.psnr_db.map((x, k) => x === null || s.psnr_db_std[k] === null ? null : x - s.psnr_db_std[k])), colour: i, digits: 2, faint: true});
    bands.push({series: [at, at + 1], colour: i});
  });
  if (typeof data.linear_limit_db === 'number')
    psnr.push({label: 'linear limit', values: xs.map(() => data.linear_limit_db), colour: 5, digits: 2, dash: true});
  data.subjects.forEach((s, i) => ssim.push({label: nameOf(s), values: full(s.ssim), colour: i, digits: 4}));
  chart($('psnr'), xs, psnr, 'inner steps', bands);
  chart($('ssim'), xs, ssim, 'inner steps');
  const heads = ['inner steps'], rows = xs.map(k => [String(k)]);
  data.subjects.forEach(s => {
    heads.push(nameOf(s) + ': PSNR, dB', 'std', 'SSIM', 'seam');
    xs.forEach(k => rows[k].push(number(s.psnr_db[k], 3), number(s.psnr_db_std[k], 3), number(s.ssim[k], 4), number(s.seam[k], 3)));
  });
  table($('steps-table'), heads, rows, []);
}

/* ---- heat -------------------------------------------------------------------------------------- */

const stops = [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]];
function heat(t) {
  const at = Math.min(1, Math.max(0, t)) * (stops.length - 1), i = Math.min(stops.length - 2, Math.floor(at));
  return stops[i].map((a, c) => Math.round(a + (at - i) * (stops[i + 1][c] - a)));
}
/* the same for gains: orange below 0, white, blue above */
function sign(t) {
  const end = t < 0.5 ? [213, 94, 0] : [0, 114, 178], by = Math.abs(2 * t - 1);
  return end.map(x => Math.round(247 + by * (x - 247)));
}

function load(uri) {
  return new Promise((done, fail) => {
    const i = new Image();
    i.onload = () => done(i); i.onerror = fail; i.src = uri;
  });
}
async function pixels(uri) {
  const i = await load(uri), c = element('canvas', {width: i.naturalWidth, height: i.naturalHeight}), x = c.getContext('2d', {willReadFrequently: true});
  x.drawImage(i, 0, 0);
  return x.getImageData(0, 0, c.width, c.height);
}

/* ---- regions ----------------------------------------------------------------------------------- */

const alike = s => s.regions.length === model.regions.length && data.worst.every((w, r) => !w.length || w[0][1 + data.subjects.indexOf(s)] !== null);
const others = data.subjects.filter((s, i) => i > 0 && alike(s));
const figures = [{name: 'PSNR, dB', of: (r, k) => model.regions[r].psnr_db[k], digits: 2}];
figures.push({name: 'gain by the inner steps, dB', of: (r, k) => model.regions[r].psnr_db[k] - model.regions[r].psnr_db[0], digits: 2});
figures.push({name: 'spread over the images, dB (last step)', of: r => model.regions[r].psnr_db_std, digits: 2});
figures.push({name: 'worst image, dB (last step)', of: r => model.regions[r].worst_psnr_db, digits: 2});
if (model.regions.length && 'gain_over_linear_limit_db' in model.regions[0])
  figures.push({name: 'gain over the linear limit, dB (last step)', of: r => model.regions[r].gain_over_linear_limit_db, signed: true, digits: 2});
others.forEach(s => figures.push({name: 'gain of ' + nameOf(s) + ' over this model, dB', signed: true, digits: 2,
  of: (r, k) => s.regions[r].psnr_db[Math.min(k, s.inner_steps)] - model.regions[r].psnr_db[k]}));

function placeOf(r) {
  const g = model.regions[r];
  const at = g.void ? 'pixels of no class' : 'class' in g ? g.class : 'row' in g ? `row ${g.row}, column ${g.column}` : 'numbered anew in each image';
  return `region ${r} (${at}), slot ${g.slot}`;
}
const gallery = new Map();
(data.pictures || []).forEach(p => {
  if (!gallery.has(p.image)) gallery.set(p.image, {image: p.image, by: new Map()});
  const g = gallery.get(p.image);
  if (p.subject === null) { g.own = p; g.why = p.why; } else g.by.set(p.subject, p);
});
const shown = [...gallery.values()].filter(g => g.why);
let ground = null, chosen = null, pointed = null;

async function setGround(i) {
  const g = shown[i];
  ground = {labels: await pixels(g.own.labels), picture: await pixels(g.own.states[0])};
  const c = $('region-map');
  c.width = ground.labels.width; c.height = ground.labels.height;
  drawRegions();
}
const regionAt = (d, i) => d[4 * i] + 256 * d[4 * i + 1] + 65536 * d[4 * i + 2];

function range(values, both) {
  const finite = values.filter(x => x !== null && isFinite(x)).sort((a, b) => a - b);
  if (!finite.length) return [0, 1];
  if (both) { const most = Math.max(Math.abs(finite[0]), Math.abs(finite[finite.length - 1])) || 1; return [-most, most]; }
  return [finite[0], finite[finite.length - 1] > finite[0] ? finite[finite.length - 1] : finite[0] + 1];
}
function drawRegions() {
  if (!ground) return;
  const f = figures[$('figure').value], k = +$('region-step').value, d = ground.labels.data, w = ground.labels.width, h = ground.labels.height;
  const values = model.regions.map((_, r) => f.of(r, k)), [low, high] = range(values, f.signed);
  const c = $('region-map').getContext('2d'), out = c.createImageData(w, h), paint = f.signed ? sign : heat;
  for (let i = 0; i < w * h; i++) {
    const r = regionAt(d, i), v = values[r];
    const x = i % w, border = (x + 1 < w && regionAt(d, i + 1) !== r) || (i + w < w * h && regionAt(d, i + w) !== r);
    const grey = 0.3 * ground.picture.data[4 * i] + 0.59 * ground.picture.data[4 * i + 1] + 0.11 * ground.picture.data[4 * i + 2];
    let colour = v === null || v === undefined || !isFinite(v) ? [128, 128, 128] : paint((v - low) / (high - low));
    colour = colour.map(a => 0.62 * a + 0.38 * grey);
    if (r === chosen || r === pointed) colour = colour.map(a => 0.55 * a + 0.45 * 255);
    if (border) colour = colour.map(a => 0.5 * a);
    out.data.set([...colour, 255], 4 * i);
  }
  c.putImageData(out, 0, 0);
  const s = $('scale').getContext('2d');
  for (let x = 0; x < 200; x++) { s.fillStyle = `rgb(${paint(x / 199)})`; s.fillRect(x, 0, 1, 10); }
  $('scale-low').textContent = number(low); $('scale-high').textContent = number(high);
  $('region-step-out').textContent = k;
}

function tell(r) {
  const g = model.regions[r], lines = [element('strong', {}, placeOf(r))];
  lines.push(element('div', {}, `PSNR after 0..${last} inner steps: ` + g.psnr_db.map(x => number(x)).join(', ') + ' dB'));
  lines.push(element('div', {}, `± ${number(g.psnr_db_std)} over ${g.images} images of ${number(g.pixels, 0)} pixels; worst ${number(g.worst_psnr_db)} dB: ${g.worst_image}`));
  if ('linear_limit_db' in g) lines.push(element('div', {}, `linear limit ${number(g.linear_limit_db)} dB: gain ${signed(g.gain_over_linear_limit_db)} dB`));
  others.forEach(s => {
    const c = (data.compare || []).find(x => x.name === s.name), i = c && c.regions && c.regions[r];
    lines.push(element('div', {}, `${nameOf(s)}: ${number(s.regions[r].psnr_db[s.inner_steps])} dB` + (i ? `, ${signed(i.gain_db)} (95 %: ${signed(i.low_db)} .. ${signed(i.high_db)})` : '')));
  });
  $('region-text').replaceChildren(...lines);
  $('region-text').dataset.region = r;
}

function cropOf(p, r) { const c = p && p.crops.find(x => x.region === r); return c ? c.picture : null; }
function listWorst(r) {
  chosen = r;
  const box = $('region-worst');
  box.replaceChildren(element('p', {className: 'quiet'}, `Images that this region serves worst, after ${last} inner steps:`));
  data.worst[r].forEach(w => {
    const item = element('div', {className: 'worst'}), g = gallery.get(w[0]);
    const text = data.subjects.map((s, i) => w[1 + i] === null ? null : `${nameOf(s)} ${number(w[1 + i])} dB`).filter(x => x).join(', ');
    item.append(element('span', {}, `${imageName(w[0])}: ${text}`));
    if (g && cropOf(g.own, r)) {
      item.append(element('figure', {}, element('img', {src: cropOf(g.own, r), alt: ''}), element('figcaption', {}, 'image')));
      g.by.forEach((p, s) => item.append(element('figure', {}, element('img', {src: cropOf(p, r), alt: ''}), element('figcaption', {}, s === 0 ? 'model' : nameOf(data.subjects[s])))));
    }
    box.append(item);
  });
  drawRegions();
}

function regions() {
  $('figure').append(...figures.map((f, i) => element('option', {value: i}, f.name)));
  $('region-step').max = last; $('region-step').value = last;
  $('ground').append(...shown.map((g, i) => element('option', {value: i}, `${g.why}: ${base(imageName(g.image))}`)));
  $('figure').onchange = drawRegions;
  $('region-step').oninput = () => { drawRegions(); drawError(); };
  $('ground').onchange = () => setGround(+$('ground').value);
  const c = $('region-map');
  const at = e => {
    const box = c.getBoundingClientRect();
    const x = Math.min(c.width - 1, Math.max(0, Math.floor((e.clientX - box.left) / box.width * c.width)));
    const y = Math.min(c.height - 1, Math.max(0, Math.floor((e.clientY - box.top) / box.height * c.height)));
    return regionAt(ground.labels.data, y * c.width + x);
  };
  c.onpointermove = e => { if (!ground) return; const r = at(e); if (r !== pointed) { pointed = r; tell(r); drawRegions(); } };
  c.onpointerleave = () => { pointed = null; if (chosen !== null) tell(chosen); drawRegions(); };
  c.onclick = e => { if (!ground) return; const r = at(e); tell(r); listWorst(r); };
  c.onkeydown = e => {
    const by = {ArrowRight: 1, ArrowLeft: -1}[e.key];
    if (!by) return;
    const r = ((chosen === null ? -by : chosen) + by + (chosen === null ? by : 0) + model.regions.length) % model.regions.length;
    tell(r); listWorst(r); e.preventDefault();
  };
  const heads = ['region', 'where', 'slot', 'images', 'pixels', ...model.psnr_db.map((_, k) => `PSNR ${k}`), 'std', 'worst', 'worst image'];
  const rows = model.regions.map((g, r) => [String(r), g.void ? '(void)' : 'class' in g ? g.class : 'row' in g ? `${g.row},${g.column}` : '', String(g.slot), String(g.images), number(g.pixels, 0),
    ...g.psnr_db.map(x => number(x)), number(g.psnr_db_std), number(g.worst_psnr_db), g.worst_image || '']);
  if ('linear_limit_db' in (model.regions[0] || {})) { heads.push('over linear limit'); rows.forEach((row, r) => row.push(signed(model.regions[r].gain_over_linear_limit_db))); }
  others.forEach(s => { heads.push(nameOf(s)); rows.forEach((row, r) => row.push(number(s.regions[r].psnr_db[s.inner_steps]))); });
  table($('regions-table'), heads, rows, [1, heads.indexOf('worst image')]);
  if (shown.length) setGround(0); else document.querySelector('#regions .two').hidden = true;
}

/* ---- the error over all images ----------------------------------------------------------------- */

function drawError() {
  if (!model.map) { $('error').hidden = true; return; }
  const m = model.map, k = +$('region-step').value, v = m.psnr_db[k], c = $('error-map');
  const [low, high] = range(v, false);
  c.width = m.width; c.height = m.height;
  const x = c.getContext('2d'), out = x.createImageData(m.width, m.height);
  v.forEach((a, i) => out.data.set([...(a === null ? [128, 128, 128] : heat((a - low) / (high - low))), 255], 4 * i));
  x.putImageData(out, 0, 0);
  c.onpointermove = e => {
    const box = c.getBoundingClientRect(), col = Math.min(m.width - 1, Math.floor((e.clientX - box.left) / box.width * m.width)), row = Math.min(m.height - 1, Math.floor((e.clientY - box.top) / box.height * m.height));
    $('error-text').textContent = `${number(v[row * m.width + col])} dB at row ${Math.round((row + 0.5) / m.height * data.config.height)}, column ${Math.round((col + 0.5) / m.width * data.config.width)} (${number(low)} .. ${number(high)} dB over the image)`;
  };
}
function errors() {
  drawError();
  if (model.borders) $('borders').replaceChildren(element('p', {}, `Within ${model.borders.within_pixels} pixels of borders of regions lie ${number(100 * model.borders.share_of_pixels, 1)} % of the pixels and ${number(100 * model.borders.share_of_error[last], 1)} % of the squared error.`));
  table($('layers-table'), ['layer', `moved by ${last} steps (rms)`, 'initial weights (rms)'], model.layers.map((l, i) => [String(i), l.moved_rms === null ? '–' : l.moved_rms.toPrecision(3), l.initial_rms === null ? '–' : l.initial_rms.toPrecision(3)]), []);
}

/* ---- gallery ----------------------------------------------------------------------------------- */

async function errorCanvas(canvas, a, b, gain) {
  const [x, y] = [await pixels(a), await pixels(b)];
  canvas.width = x.width; canvas.height = x.height;
  const c = canvas.getContext('2d'), out = c.createImageData(x.width, x.height);
  for (let i = 0; i < x.data.length; i += 4) {
    const d = (Math.abs(x.data[i] - y.data[i]) + Math.abs(x.data[i + 1] - y.data[i + 1]) + Math.abs(x.data[i + 2] - y.data[i + 2])) / 765;
    out.data.set([...heat(gain * d), 255], i);
  }
  c.putImageData(out, 0, 0);
}
function zoom(text, nodes) {
  $('zoom-text').textContent = text;
  $('zoom-pictures').replaceChildren(...nodes.map(n => {
    if (n.tagName !== 'CANVAS') return n.cloneNode();
    const c = element('canvas', {width: n.width, height: n.height});
    c.getContext('2d').drawImage(n, 0, 0);
    return c;
  }));
  $('zoom').showModal();
}
const views = [];
function showStep() {
  const at = +$('gallery-step').value, k = data.steps[at], gain = +$('gain').value;
  $('gallery-step-out').textContent = k;
  views.forEach(v => {
    const s = data.subjects[v.subject], own = Math.min(k, s.inner_steps);
    v.img.src = v.states[at];
    v.caption.textContent = `${v.subject === 0 ? 'model' : nameOf(s)}: ${number(s.per_image[v.image].psnr_db[own])} dB, SSIM ${number(s.per_image[v.image].ssim[own], 3)}`;
    errorCanvas(v.error, v.original, v.states[at], gain);
  });
}
function galleryView() {
  if (!shown.length) { $('gallery-section').hidden = true; return; }
  $('gallery-step').max = data.steps.length - 1; $('gallery-step').value = data.steps.length - 1;
  shown.forEach(g => {
    const original = g.own.states[0], first = element('img', {src: original, alt: 'the image itself'});
    const row = element('div', {className: 'row'}, element('figure', {}, first, element('figcaption', {}, 'image')));
    const nodes = [first];
    g.by.forEach((p, subject) => {
      const v = {image: g.image, subject, states: p.states, original, img: element('img', {alt: 'reconstruction'}), error: element('canvas'), caption: element('figcaption')};
      row.append(element('figure', {}, v.img, v.caption), element('figure', {}, v.error, element('figcaption', {}, 'error')));
      nodes.push(v.img, v.error); views.push(v);
    });
    nodes.forEach(n => { n.onclick = () => zoom(imageName(g.image), nodes); });
    $('gallery').append(element('div', {className: 'item'}, element('h3', {}, `${g.why}: ${imageName(g.image)}`), row));
  });
  $('gallery-step').oninput = showStep; $('gain').onchange = showStep;
  showStep();
}

/* ---- the rest ---------------------------------------------------------------------------------- */

function head() {
  const per = model.seconds_per_image * 1e3;
  $('title').textContent = `${base(model.name)} on ${base(data.dataset)}`;
  document.title = `${base(model.name)}: ${number(model.psnr_db[last], 2)} dB`;
  $('headline').textContent = `${number(model.psnr_db[last])} ± ${number(model.psnr_db_std[last])} dB PSNR, SSIM ${number(model.ssim[last], 3)} after ${last} inner step${last === 1 ? '' : 's'}`;
  $('protocol').textContent = `Mean ± standard deviation over ${model.images} images of split ${data.split}, ${data.config.height}x${data.config.width}x${data.config.channels}; ${number(model.params_per_image, 0)} numbers an image, ${number(data.params_per_value, 3)} for each pixel value; ${number(per, 1)} ms an image. PSNR: peak 1, of the unclipped output, mean of each image's; SSIM of the 8-bit picture.`;
  const verdict = [];
  (data.compare || []).forEach((c, i) => {
    const s = data.subjects[i + 1], better = c.low_db > 0 ? 'better than' : c.high_db < 0 ? 'worse than' : 'not told apart from';
    verdict.push(element('div', {}, `${nameOf(s)} is ${better} the model: ${signed(c.gain_db)} dB (95 %: ${signed(c.low_db)} .. ${signed(c.high_db)}), better on ${c.better_on} of ${c.images} images.`));
  });
  $('verdict').replaceChildren(...verdict);
}
function rest() {
  if (data.compare) {
    $('compare-section').hidden = false;
    table($('compare-table'), ['what', 'PSNR, dB', 'gain, dB', '95 % from', 'to', 'better on', 'images'], data.compare.map((c, i) => {
      const s = data.subjects[i + 1];
      return [nameOf(s), number(s.psnr_db[s.inner_steps], 3), signed(c.gain_db, 3), signed(c.low_db, 3), signed(c.high_db, 3), String(c.better_on), String(c.images)];
    }));
  }
  if (data.reach) {
    const r = data.reach, row = (name, s) => [name, String(s.reached), number(s.iterations, 0), number(s.seconds, 3), String(s.rate)];
    $('reach-section').hidden = false;
    table($('reach-table'), ['start', 'images that got there', 'iterations of Adam', 'seconds', 'rate'], [['model', String(r.images), `${last} inner steps`, number(r.seconds, 3), ''], row('random weights', r.random), ...(r.mean_image ? [row('the mean image', r.mean_image)] : [])]);
    $('reach-text').textContent = `What Adam needs to reach, on ${r.images} images, the PSNR of the inner steps; of the rates ${[...r.rates_tried].sort((a, b) => a - b).join(', ')} the fastest, at most ${r.most_iterations} iterations.`;
  }
  if (data.transfer) {
    const t = data.transfer.psnr_db, all = t.flat().filter(x => x !== null), [low, high] = range(all, false);
    $('transfer-section').hidden = false;
    table($('transfer-table'), ['slot', ...t[0].map((_, r) => String(r))], t.map((row, s) => [String(s), ...row.map(x => number(x))]), []);
    [...$('transfer-table').tBodies[0].rows].forEach((row, s) => [...row.cells].slice(1).forEach((cell, r) => { const c = heat((t[s][r] - low) / (high - low)); cell.style.background = `rgb(${c})`; cell.style.color = c[0] + c[1] + c[2] > 330 ? '#000' : '#fff'; }));
  }
  if (data.history && data.history.length > 1) {
    $('training').hidden = false;
    chart($('history'), data.history.map(h => h[0]), [{label: 'train', values: data.history.map(h => h[2]), colour: 0, digits: 2}, {label: 'validation', values: data.history.map(h => h[3]), colour: 1, digits: 2}], 'outer steps');
  }
  table($('made'), ['', ''], [['command', data.command], ['model', model.name], ['dataset', data.dataset], ['tessera', data.version], ['machine', `${data.machine}, ${data.config.threads} threads, kernel ${data.config.kernel}`], ['seconds', number(data.seconds, 1)]], [0, 1]);
  $('config').textContent = JSON.stringify(data.config, null, 2);
}

head();
overSteps();
regions();
errors();
galleryView();
rest();
})();
