/* SPDX-License-Identifier: MIT
 *
 * A report in headless Chromium: node browser.js PAGE.html FIGURES.json [FOLDER for screenshots].
 * FIGURES.json is that of `eval --json` of the same call. Prints "ok ..." and "not ok ..." lines.
 */
'use strict';
const fs = require('fs');
const path = require('path');
const chromium = require('./chromium.js');
const { check } = chromium;

const [page, figures, folder] = process.argv.slice(2);
const json = JSON.parse(fs.readFileSync(figures));
const last = json.inner_steps;

async function open(browser, options) {
  const opened = await chromium.open(browser, page, options);
  await opened.p.waitForFunction(() => document.querySelector('#region-map').width > 1 && document.querySelector('#gallery img'));
  await opened.p.waitForTimeout(200);
  return opened;
}

/* where a region's middle is on the screen */
async function middle(p, r) {
  const map = await p.$('#region-map');
  await map.scrollIntoViewIfNeeded();
  const box = await map.boundingBox(), g = json.regions[r];
  return [box.x + (g.left + g.width / 2) / json.config.width * box.width, box.y + (g.top + g.height / 2) / json.config.height * box.height];
}

async function wide(browser) {
  const { p, troubles, asked } = await open(browser, { viewport: { width: 1200, height: 900 } });
  const headline = await p.textContent('#headline');
  check('the headline is the PSNR', headline.includes(json.psnr_db[last].toFixed(2)), headline);
  for (const r of [0, json.regions.length - 1]) {
    await p.mouse.move(...await middle(p, r));
    const text = await p.textContent('#region-text'), want = json.regions[r].psnr_db.map(x => x.toFixed(2)).join(', ');
    check(`pointing at region ${r} tells what the JSON has`, text.includes(want) && text.includes(`region ${r} `), [text, want]);
  }
  await p.mouse.click(...await middle(p, 0));
  const list = await p.$$eval('#region-worst .worst', items => items.map(e => e.textContent));
  check('a click lists the worst images of the region', list.length > 0 && list[0].startsWith(json.regions[0].worst_image) &&
    list[0].includes(json.regions[0].worst_psnr_db.toFixed(2)), list);
  const clippings = await p.$$eval('#region-worst .worst:first-of-type img, #region-worst img', all => all.map(i => i.complete && i.naturalWidth));
  check('with clippings', clippings.length > 0 && clippings.every(w => w > 0), clippings);
  const state = () => p.$eval('#gallery .item', e => [e.querySelectorAll('img')[1].src, e.querySelectorAll('figcaption')[1].textContent, e.querySelector('canvas').toDataURL()]);
  const after = await state();
  await p.$eval('#gallery-step', e => { e.value = 0; e.dispatchEvent(new Event('input')); });
  await p.waitForTimeout(200);
  const before = await state();
  check('the slider changes picture, figure and error map', after.every((x, i) => x !== before[i]), [after[1], before[1]]);
  const name = await p.textContent('#gallery h3'), image = json.per_image.find(i => name.endsWith(i.name));
  check('the figures of the slider are the image\'s own', image && before[1].includes(image.psnr_db[0].toFixed(2)) && after[1].includes(image.psnr_db[last].toFixed(2)), [name, before[1]]);
  await p.click('#gallery img');
  check('a click zooms', await p.$eval('#zoom', d => d.open && d.querySelectorAll('img').length > 1), false);
  await p.click('#zoom button');
  check('charts are drawn', await p.$$eval('.u-wrap canvas', all => all.length >= 2), 0);
  const rows = await p.$$eval('#regions-table tbody tr', all => all.length);
  check('a row of the table for each region', rows === json.regions.length, rows);
  const names = await p.$$eval('h3', all => all.map(e => e.textContent));
  check('names are text, whatever they hold', names.some(n => n.includes('</script><b>')) && !(await p.$('main b')), names);
  if (folder) await p.screenshot({ path: path.join(folder, 'light.png'), fullPage: true });
  check('no error and no request', troubles.length === 0 && asked.length === 0, [troubles, asked]);
  return p.evaluate(() => getComputedStyle(document.body).backgroundColor);
}

async function others(browser, light) {
  const dark = await open(browser, { viewport: { width: 1200, height: 900 }, colorScheme: 'dark' });
  const ground = await dark.p.evaluate(() => getComputedStyle(document.body).backgroundColor);
  check('dark where that is wished', ground !== light, ground);
  if (folder) await dark.p.screenshot({ path: path.join(folder, 'dark.png'), fullPage: true });
  const phone = await open(browser, { viewport: { width: 380, height: 800 }, hasTouch: true });
  const width = await phone.p.evaluate(() => document.documentElement.scrollWidth);
  check('fits a telephone', width <= 380, width);
  if (folder) await phone.p.screenshot({ path: path.join(folder, 'phone.png'), fullPage: true });
  const troubles = [...dark.troubles, ...phone.troubles];
  check('no error there either', troubles.length === 0, troubles);
}

chromium.run(async browser => others(browser, await wide(browser)));
