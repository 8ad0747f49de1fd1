/* SPDX-License-Identifier: MIT
 *
 * The page of hypothesis in headless Chromium: node hypothesis.js PAGE.html RESULTS.json [FOLDER for screenshots].
 */
'use strict';
const fs = require('fs');
const path = require('path');
const { check, open, run } = require('./chromium.js');

const [page, results, folder] = process.argv.slice(2);
const data = JSON.parse(fs.readFileSync(results, 'utf8'));
const drawn = p => p.waitForFunction(n => document.querySelectorAll('.u-wrap canvas').length === n, data.groups.length);

run(async browser => {
  const { p, troubles, asked } = await open(browser, page, { viewport: { width: 1100, height: 900 } });
  await drawn(p);
  await p.waitForTimeout(200);
  const group = data.groups[0], last = group.boundaries[group.boundaries.length - 1];
  check('says which law fits', (await p.textContent('#headline')).includes(group.best || 'too few runs'), group.best);
  const rows = await p.$$eval('#means tr', all => all.slice(1).map(r => [...r.children].map(c => c.textContent)));
  const wanted = data.groups.flatMap(g => g.boundaries.map(b => [g.pieces, b.n, b.runs, b.mean.toFixed(1), b.min, b.max].join()));
  check('the table has the means', rows.map(r => r.slice(0, 6).join()).join(';') === wanted.join(';'), rows);
  const box = await (await p.$('.u-over')).boundingBox();
  await p.mouse.move(box.x + box.width - 1, box.y + box.height / 2);
  const legend = await p.textContent('.u-legend');
  check('pointing at the end tells its mean', legend.includes(last.mean.toPrecision(3)), legend);
  check('no error and no request', troubles.length === 0 && asked.length === 0, [troubles, asked]);
  if (folder) await p.screenshot({ path: path.join(folder, 'hypothesis.png'), fullPage: true });
  const phone = await open(browser, page, { viewport: { width: 380, height: 800 }, colorScheme: 'dark' });
  await drawn(phone.p);
  const width = await phone.p.evaluate(() => document.documentElement.scrollWidth);
  check('fits a telephone', width <= 380, width);
});
