/* SPDX-License-Identifier: MIT */
'use strict';
(() => {
const data = JSON.parse($('data').textContent), lines = data.lines;
$('title').textContent = data.model;
document.title = data.model.replace(/.*\//, '') + ': training';
if (!lines.length) return;

const last = lines[lines.length - 1], validated = lines.filter(l => l.val_psnr_db !== null);
const time = s => s < 60 ? s.toFixed(0) + ' s' : s < 3600 ? (s / 60).toFixed(1) + ' min' : (s / 3600).toFixed(2) + ' h';
const best = validated.reduce((a, b) => a && a.val_psnr_db >= b.val_psnr_db ? a : b, null);
$('headline').textContent = `Outer step ${last.outer_step}, ${time(last.seconds)}: ` +
  (best ? `validation PSNR ${validated[validated.length - 1].val_psnr_db.toFixed(2)} dB` : 'not validated yet');
$('state').textContent = [best && `best ${best.val_psnr_db.toFixed(2)} dB, at outer step ${best.outer_step}`, `outer rate ${last.outer_lr.toPrecision(3)}`,
  `${last.images_per_second.toFixed(0)} images/s`, last.data_seconds > 0.05 * last.session_seconds && `${(100 * last.data_seconds / last.session_seconds).toFixed(0)} % of the time waiting for data`,
  last.skipped > 0 && `images left out: ${last.skipped}`, last.rollbacks > 0 && `rollbacks: ${last.rollbacks}`].filter(Boolean).join(', ');

$('charts').hidden = false;
const steps = lines.map(l => l.outer_step);
const series = (label, of, colour, digits) => ({label, values: lines.map(of), colour, digits});
const positive = x => x > 0 ? x : null;
chart($('psnr'), steps, [series('train', l => l.train_psnr_db, 0, 2), {...series('validation', l => l.val_psnr_db, 1, 2), points: true}], 'outer steps');
chart($('gradient'), steps, [series('norm', l => positive(l.gradient_norm), 0, 4)], 'outer steps', [], true);
chart($('rates'), steps, last.rates.slice(0, 6).map((_, k) => series(`step ${k + 1}`, l => l.rates[k], k, 5)), 'outer steps');
chart($('speed'), steps, [series('images/s', l => l.images_per_second, 0, 1)], 'outer steps');
})();
