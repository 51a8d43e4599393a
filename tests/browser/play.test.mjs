// The demo's page in a real browser against the real server: what the page says of itself first, pixels only for "there is
// something, and it moves".
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, afterEach, before, test } from 'node:test';
import { browse, join, serve, stats, until, way } from './world.mjs';

const PICTURES = process.env.TICKWIRE_PICTURES;
let browser, server, road;

before(async () => {
  server = await serve(0, ['--bots', '3']);
  road = await way(server.port);
  browser = await browse();
});

after(async () => {
  await browser?.close();
  road?.close();
  await server?.stop();
});

// What a failed test left open would draw on, and take the next one's time.
afterEach(() => Promise.all(browser.contexts().map(context => context.close())));

function picture(name, bytes) {
  if (!PICTURES) return;
  mkdirSync(PICTURES, { recursive: true });
  writeFileSync(`${PICTURES}/${name}.png`, bytes);
}

const distance = (one, other) => Math.hypot(one.x - other.x, one.y - other.y);

/** Holds each direction in turn until one of them leads somewhere: an obstacle may be in the way. */
async function walk(page, keys, far = 2) {
  const before = (await stats(page)).own;
  for (const key of keys) {
    await page.keyboard.down(key);
    try {
      return await until(page, `walking by ${key}`, now => distance(now.own, before) > far, 4);
    } catch {
      // The next direction.
    } finally {
      await page.keyboard.up(key);
    }
  }
  throw new Error(`no key moves the player: ${JSON.stringify(await stats(page))}`);
}

test('the page comes compressed, is asked for again each time, and is its own', async () => {
  const index = await fetch(road.url);
  assert.equal(index.status, 200);
  assert.match(index.headers.get('content-type'), /^text\/html/);
  assert.equal(index.headers.get('cache-control'), 'no-cache');
  assert.match(index.headers.get('content-security-policy'), /default-src 'none'.*'wasm-unsafe-eval'/);
  const program = await fetch(`${road.url}/demo_bg.wasm`, { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(program.headers.get('content-type'), 'application/wasm');
  assert.equal(program.headers.get('content-encoding'), 'gzip');
  const bytes = await program.arrayBuffer();
  assert.equal(new Uint32Array(bytes.slice(0, 4))[0], 0x6d736100, 'a wasm program');
  const again = await fetch(`${road.url}/demo_bg.wasm`, {
    headers: { 'accept-encoding': 'gzip', 'if-none-match': program.headers.get('etag') },
  });
  assert.equal(again.status, 304);
  const foreign = await fetch(`${road.url}/.gitignore`);
  assert.equal(foreign.status, 404);
});

test('it loads, joins, and walks by keys', async () => {
  const { page, context, problems } = await join(browser, road.url, 'ann');
  const first = await stats(page);
  console.log(`first frame with the avatar ${first.first_seen_ms.toFixed(0)} ms after the page began to load`);
  await page.locator('#arena').focus();
  const walked = await walk(page, ['d', 'a', 'w', 's', 'ArrowRight', 'ArrowUp']);
  assert.ok(walked.frames > first.frames, 'snapshots come');
  assert.equal(walked.mismatches, 0);
  picture('page', await page.screenshot());
  const said = page.locator('#said');
  await page.waitForFunction(() => document.getElementById('said').textContent.startsWith('Playing.'), null, { timeout: 20000 });
  assert.match(await said.textContent(), /hit points/);
  assert.equal(await page.locator('h1').textContent(), 'Tickwire arena');
  assert.equal(await page.locator('#loading').count(), 0);
  assert.deepEqual(problems, []);
  await context.close();
});

test('it walks by touch', async () => {
  const options = { hasTouch: true, viewport: { width: 420, height: 760 } };
  const { page, context, problems } = await join(browser, road.url, 'tim', options);
  const cdp = await context.newCDPSession(page);
  const from = (await stats(page)).own;
  const middle = { x: 90, y: 400 };
  let walked = null;
  for (const [x, y] of [[50, 0], [-50, 0], [0, -50], [0, 50]]) {
    await cdp.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [middle] });
    await cdp.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: [{ x: middle.x + x, y: middle.y + y }] });
    walked = await until(page, 'walking', now => distance(now.own, from) > 2, 4).catch(() => null);
    if (walked) picture('touch', await page.screenshot());
    await cdp.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
    if (walked) break;
  }
  assert.ok(walked, `no touch moves the player: ${JSON.stringify(await stats(page))}`);
  assert.deepEqual(problems, []);
  await context.close();
});

test('two players see each other move, and the picture moves with them', async () => {
  const [bea, cid] = [await join(browser, road.url, 'bea'), await join(browser, road.url, 'cid')];
  const seen = now => now.players.find(other => other.name === 'cid');
  const before = seen(await until(bea.page, 'seeing cid', seen));
  await cid.page.locator('#arena').focus();
  await walk(cid.page, ['a', 'd', 'w', 's'], 3);
  await until(bea.page, 'seeing cid move', now => seen(now) && distance(seen(now), before) > 2);
  await bea.page.waitForTimeout(3000);
  picture('two', await bea.page.screenshot());
  // Not blank, and moving; a page that is frozen must not pass for one that moves.
  const arena = { clip: { x: 0, y: 0, width: 800, height: 700 } };
  const shot = () => bea.page.screenshot(arena);
  const one = await shot();
  await bea.page.waitForTimeout(700);
  const other = await shot();
  assert.ok(one.length > 8000, `the picture has next to nothing in it: ${one.length} bytes`);
  assert.ok(!one.equals(other), 'the picture does not move');
  await Promise.all([bea.context.close(), cid.context.close()]);
  assert.deepEqual([...bea.problems, ...cid.problems], []);
});

test('control: a page whose frames are frozen is found out', async () => {
  const { page, context } = await join(browser, road.url, 'eve');
  await page.evaluate(() => { globalThis.requestAnimationFrame = () => 0; });
  await page.waitForTimeout(500);
  const before = await stats(page);
  await page.locator('#arena').focus();
  await assert.rejects(walk(page, ['d', 'a', 'w', 's'], 2), /no key moves/);
  const one = await page.screenshot();
  await page.waitForTimeout(700);
  const other = await page.screenshot();
  assert.ok(one.equals(other), 'a frozen page has a still picture');
  const now = await stats(page);
  assert.equal(now.drawn, before.drawn);
  // What is not drawn is received and acknowledged all the same.
  assert.ok(now.frames > before.frames + 60, `${before.frames} to ${now.frames} snapshots`);
  assert.equal(now.state, 'live');
  await context.close();
});

test('a tab in the background keeps its session and is current when it comes back', async () => {
  const { page, context, problems } = await join(browser, road.url, 'fay');
  const front = await context.newPage();
  await front.goto('about:blank');
  await front.bringToFront();
  // Changing tabs may hold the page up for a moment, from which one snapshot brings it back.
  await front.waitForTimeout(1500);
  const hidden = await stats(page);
  await front.waitForTimeout(8000);
  const later = await stats(page);
  assert.ok(later.frames > hidden.frames + 120, `${hidden.frames} to ${later.frames} snapshots in 8 s`);
  await page.bringToFront();
  const back = await until(page, 'drawing again', now => now.drawn > later.drawn, 5);
  assert.equal(back.state, 'live');
  assert.equal(back.reconnects, 0);
  assert.equal(later.resyncs, hidden.resyncs, 'it never fell behind while it was hidden');
  assert.deepEqual(problems, []);
  await context.close();
});

test('it resumes after a cut, as the same avatar', async () => {
  const { page, context } = await join(browser, road.url, 'gus');
  const before = await stats(page);
  await page.waitForTimeout(500);
  road.block(true);
  road.cut();
  const lost = await until(page, 'resuming', now => now.state === 'resuming' || now.reconnects > 0);
  assert.ok(lost.own, 'what was there stays in view');
  picture('resuming', await page.screenshot());
  road.block(false);
  const back = await until(page, 'live again', now => now.state === 'live' && now.frames > lost.frames + 10);
  assert.equal(back.own.id, before.own.id, 'the same entity');
  assert.equal(back.mismatches, 0);
  await page.locator('#arena').focus();
  await walk(page, ['d', 'a', 'w', 's']);
  await context.close();
});

test('it joins anew after the server was restarted', async () => {
  const { page, context } = await join(browser, road.url, 'hal');
  await server.stop();
  await until(page, 'resuming', now => now.state === 'resuming');
  server = await serve(server.port, ['--bots', '3']);
  road.to = server.port;
  const back = await until(page, 'live again', now => now.state === 'live' && now.own !== null && now.own.id !== null, 90);
  assert.ok(back.own);
  await page.locator('#arena').focus();
  await walk(page, ['d', 'a', 'w', 's']);
  await context.close();
});

test('who is refused is told why', async () => {
  const folder = mkdtempSync(`${tmpdir()}/tickwire-`);
  writeFileSync(`${folder}/secret`, '0123456789abcdef0123456789abcdef');
  const strict = await serve(0, ['--auth-secret', `${folder}/secret`]);
  const context = await browser.newContext({ viewport: { width: 800, height: 600 }, deviceScaleFactor: 1 });
  try {
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${strict.port}/#token=nonsense`);
    const now = await until(page, 'refused', stats => stats.state === 'refused');
    assert.match(now.why, /4002/);
    assert.equal(new URL(page.url()).hash, '', 'the token is not left in the address');
    picture('refused', await page.screenshot());
  } finally {
    await context.close();
    await strict.stop();
    rmSync(folder, { recursive: true });
  }
});
