/* SPDX-License-Identifier: MIT
 *
 * The page of watch in headless Chromium: node watch.js PAGE.html LOG.jsonl COMMAND [FOLDER for screenshots]. COMMAND writes the page
 * anew, with further outer steps.
 */
'use strict';
const fs = require('fs');
const path = require('path');
const { execSync } = require('child_process');
const { check, open, run } = require('./chromium.js');

const [page, log, command, folder] = process.argv.slice(2);
const lines = () => fs.readFileSync(log, 'utf8').trim().split('\n').map(JSON.parse);
const drawn = p => p.waitForFunction(() => document.querySelectorAll('.u-wrap canvas').length === 4);

/* points of a canvas that are not of the ground */
const inked = p => p.$$eval('.u-wrap canvas', all => all.map(c => {
  const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
  let n = 0;
  for (let i = 3; i < d.length; i += 4) n += d[i] > 200;
  return n;
}));

async function wide(browser) {
  const { p, troubles, asked } = await open(browser, page, { viewport: { width: 1200, height: 900 } });
  await drawn(p);
  await p.waitForTimeout(200);
  const before = lines(), last = before[before.length - 1], val = before.filter(l => l.val_psnr_db !== null);
  const headline = await p.textContent('#headline');
  check('says where the run is', headline.includes(`Outer step ${last.outer_step},`) && headline.includes(val[val.length - 1].val_psnr_db.toFixed(2)), headline);
  const curves = await inked(p);
  check('curves are drawn', curves.every(n => n > 500), curves);
  const over = await p.$('#psnr .u-over'), box = await over.boundingBox();
  await p.mouse.move(box.x + box.width - 1, box.y + box.height / 2);
  const legend = await p.textContent('#psnr .u-legend');
  check('pointing at the end tells its figures', legend.includes(last.train_psnr_db.toFixed(2)), legend);
  if (folder) await p.screenshot({ path: path.join(folder, 'watch-light.png'), fullPage: true });
  execSync(command, { stdio: 'ignore' });
  const now = lines().pop().outer_step;
  await p.waitForFunction(step => document.querySelector('#headline').textContent.includes(`Outer step ${step},`), now, { timeout: 15000 });
  check('loads itself anew', now > last.outer_step, now);
  check('no error and no request', troubles.length === 0 && asked.length === 0, [troubles, asked]);
  return p.evaluate(() => getComputedStyle(document.body).backgroundColor);
}

run(async browser => {
  const light = await wide(browser);
  const dark = await open(browser, page, { viewport: { width: 1200, height: 900 }, colorScheme: 'dark' });
  await drawn(dark.p);
  const ground = await dark.p.evaluate(() => getComputedStyle(document.body).backgroundColor);
  check('dark where that is wished', ground !== light, ground);
  if (folder) await dark.p.screenshot({ path: path.join(folder, 'watch-dark.png'), fullPage: true });
  const phone = await open(browser, page, { viewport: { width: 380, height: 800 } });
  await drawn(phone.p);
  const width = await phone.p.evaluate(() => document.documentElement.scrollWidth);
  check('fits a telephone', width <= 380, width);
  if (folder) await phone.p.screenshot({ path: path.join(folder, 'watch-phone.png'), fullPage: true });
  const troubles = [...dark.troubles, ...phone.troubles];
  check('no error there either', troubles.length === 0, troubles);
});
