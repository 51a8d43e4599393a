// The package for JavaScript: its example in a real browser, served as its README says, against the real server; and its types.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { browse, serve, way } from './world.mjs';

const shared = new URL('../../shared/', import.meta.url).pathname;
let browser, files, server, road;

/** The folder `shared`, as a person would serve it, on a port that is free. */
async function serveFiles() {
  const args = ['-u', '-m', 'http.server', '0', '--bind', '127.0.0.1', '--directory', shared];
  const child = spawn('python3', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const port = await new Promise((resolve, reject) => {
    child.stdout.once('data', said => resolve(Number(String(said).match(/port (\d+)/)?.[1])));
    child.once('error', reject);
    child.once('exit', code => reject(new Error(`python3 ended with ${code}`)));
  });
  return { origin: `http://127.0.0.1:${port}`, stop: () => child.kill() };
}

before(async () => {
  assert.ok(existsSync(`${shared}js/pkg/tickwire.js`), 'the package is not built: cargo xtask js');
  files = await serveFiles();
  server = await serve(0, ['--bots', '24', '--drones', '5', '--allowed-origin', files.origin]);
  road = await way(server.port);
  browser = await browse();
});

after(async () => {
  await browser?.close();
  road?.close();
  await server?.stop();
  files?.stop();
});

// What a failed test left open would draw on, and take the next one's time.
afterEach(() => Promise.all(browser.contexts().map(context => context.close())));

/** The example's page, at the server that is named; `problems` is what went wrong in it. */
async function open(url) {
  const page = await browser.newPage();
  const problems = [];
  page.on('console', message => { if (['error', 'warning'].includes(message.type())) problems.push(message.text()); });
  page.on('pageerror', error => problems.push(String(error)));
  await page.goto(`${files.origin}/js/examples/arena.html?server=${url.replace('http', 'ws')}/ws`);
  return { page, problems };
}

/** What the page says of itself, once it is so. */
async function until(page, what, is, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  let text;
  while (Date.now() < end) {
    text = await page.locator('#said').textContent();
    const found = text.match(/^(?<state>\w+) · (?<others>\d+) in view · at (?<x>-?[\d.]+) (?<y>-?[\d.]+)/);
    const now = { text, state: found?.groups.state, others: Number(found?.groups.others) };
    Object.assign(now, { x: Number(found?.groups.x), y: Number(found?.groups.y) });
    if (is(now)) return now;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  throw new Error(`not ${what} within ${seconds} s: ${text}`);
}

/** Pixels of the canvas by colour, without background. */
function pixels(page) {
  return page.evaluate(() => {
    const { data } = document.querySelector('canvas').getContext('2d').getImageData(0, 0, 800, 600);
    const counts = {};
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] !== 255) continue;
      const colour = [...data.slice(at, at + 3)].map(part => part.toString(16).padStart(2, '0')).join('');
      counts[colour] = (counts[colour] ?? 0) + 1;
    }
    return counts;
  });
}

test('the example is short, and loads, joins, walks and shows another player', async () => {
  assert.ok(readFileSync(`${shared}js/examples/arena.html`, 'utf8').split('\n').length <= 61, 'more than 60 lines');
  const { page, problems } = await open(road.url);
  const first = await until(page, 'live', now => now.state === 'live' && now.others > 0);
  let walked = false;
  // An obstacle may be in one way.
  for (const key of ['d', 'a', 'w', 's']) {
    if (walked) break;
    await page.keyboard.down(key);
    walked = await until(page, key, now => Math.hypot(now.x - first.x, now.y - first.y) > 2, 4).catch(() => false);
    await page.keyboard.up(key);
  }
  assert.ok(walked, 'no key moves the player');
  // The bots roam, and are many: one of them is on the picture sooner or later, in the colour of players.
  let drawn;
  for (const end = Date.now() + 60000; Date.now() < end && !drawn?.ffbb44;) {
    drawn = await pixels(page);
    await page.waitForTimeout(200);
  }
  assert.ok(drawn.ffbb44 > 0, `no player is drawn: ${JSON.stringify(drawn)}`);
  const shot = await page.locator('canvas').screenshot();
  if (process.env.TICKWIRE_PICTURES) writeFileSync(`${process.env.TICKWIRE_PICTURES}/javascript.png`, await page.screenshot());
  await page.waitForTimeout(1000);
  assert.ok(!shot.equals(await page.locator('canvas').screenshot()), 'the picture does not move');
  assert.deepEqual(problems, []);
  await page.close();
});

test('it says that it resumes after a cut, and comes back', async () => {
  const { page } = await open(road.url);
  await until(page, 'live', now => now.state === 'live');
  road.block(true);
  road.cut();
  await until(page, 'resuming', now => now.state === 'resuming');
  road.block(false);
  await until(page, 'live again', now => now.state === 'live');
  await page.close();
});

test('a server that does not know the origin lets nobody in, and the example goes on trying', async () => {
  const strict = await serve(0);
  try {
    const { page, problems } = await open(`http://127.0.0.1:${strict.port}`);
    await until(page, 'connecting', now => now.text === 'connecting' && problems.some(words => words.includes('403')));
    await page.close();
  } finally {
    await strict.stop();
  }
});

test('the types hold for a strict compiler', () => {
  const tsc = new URL('node_modules/typescript/bin/tsc', import.meta.url).pathname;
  const flags = ['--noEmit', '--strict', '--noUncheckedIndexedAccess', '--target', 'es2022', '--module', 'nodenext'];
  flags.push('--lib', 'es2022,dom,esnext.disposable');
  execFileSync(process.execPath, [tsc, ...flags, `${shared}js/tests/sample.ts`], { stdio: 'inherit' });
});
