/* SPDX-License-Identifier: MIT
 *
 * Pages in headless Chromium: check() prints "ok ..." and "not ok ..." lines, open() opens a page and keeps what it complains of and
 * asks for, run() gives a browser and ends the program.
 */
'use strict';
const path = require('path');
const { chromium } = require('playwright-core');

let failures = 0;

function check(name, good, found) {
  console.log(`${good ? 'ok' : 'not ok'} ${name}`);
  if (!good) { console.log('# found: ' + JSON.stringify(found)); failures++; }
}

async function open(browser, page, options) {
  const p = await browser.newPage(options), troubles = [], asked = [];
  p.on('console', m => { if (m.type() !== 'info') troubles.push(m.text()); });
  p.on('pageerror', e => troubles.push(e.message));
  p.on('request', r => { if (!/^(file|data):/.test(r.url())) asked.push(r.url()); });
  await p.goto('file://' + path.resolve(page));
  return { p, troubles, asked };
}

function run(what) {
  (async () => {
    const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-quic',
      '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
    try {
      await what(browser);
    } finally {
      await browser.close();
    }
    process.exit(failures ? 1 : 0);
  })().catch(e => { console.log('not ok the browser: ' + e.message); process.exit(1); });
}

module.exports = { check, open, run };
