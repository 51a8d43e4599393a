// The inspector on the admin port in a real browser, while somebody plays: what it lists, what it draws, why it says that an entity
// is seen or is not, and what its buttons do.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { browse, serve } from './world.mjs';

const PICTURES = process.env.TICKWIRE_PICTURES;
let browser, server, admin, player, page;
const PLAYER = /ann|guest/;
const problems = [], asked = new Set();

before(async () => {
  server = await serve(0, ['--bots', '4', '--drones', '60', '--view-radius-m', '45', '--allow-pause']);
  admin = `http://127.0.0.1:${await server.admin()}`;
  browser = await browse();
  // Somebody plays, whichever page the server has: the small one calls everybody a guest.
  player = await (await browser.newContext({ viewport: { width: 500, height: 400 } })).newPage();
  await player.goto(`http://127.0.0.1:${server.port}/?name=ann`);
  page = await (await browser.newContext({ viewport: { width: 1440, height: 1250 }, deviceScaleFactor: 1 })).newPage();
  page.on('console', message => { if (['error', 'warning'].includes(message.type())) problems.push(message.text()); });
  page.on('pageerror', error => problems.push(String(error)));
  page.on('request', request => asked.add(new URL(request.url()).origin));
  await page.goto(`${admin}/inspect`);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const stats = () => page.evaluate(() => globalThis.inspector?.stats() ?? null);

async function until(what, is, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  let last;
  while (Date.now() < end) {
    last = await stats();
    if (last && is(last)) return last;
    await new Promise(resolve => setTimeout(resolve, 60));
  }
  const { map, ...rest } = last ?? {};
  throw new Error(`not ${what} within ${seconds} s: ${JSON.stringify(rest)}, ${map?.entities.length} entities`);
}

async function picture(name) {
  const bytes = await page.screenshot({ fullPage: true });
  if (PICTURES) {
    mkdirSync(PICTURES, { recursive: true });
    writeFileSync(`${PICTURES}/${name}.png`, bytes);
  }
  return bytes;
}

/** The middle of the map's canvas on the page. */
async function onMap(id) {
  const [x, y] = await page.evaluate(entity => globalThis.inspector.at(entity), id);
  const box = await page.locator('#map').boundingBox();
  return [box.x + x, box.y + y];
}

/** Chooses an entity by a click where it is drawn. */
async function choose(entity) {
  await page.mouse.click(...await onMap(entity.id));
  const { entity: chosen } = await until('something chosen', now => now.entity !== null);
  return chosen;
}

/** One with nothing else within a click's reach. */
function alone(entities, fits) {
  const away = (a, b) => Math.hypot(a.at[0] - b.at[0], a.at[1] - b.at[1]);
  return entities.filter(entity => entity.at && fits(entity))
    .find(entity => entities.every(other => other === entity || !other.at || away(other, entity) > 6));
}

test('it lists rooms and clients, and draws the world', async () => {
  await until('a map with a player', now => now.clients >= 1 && now.drawn > 30 && now.points > 4);
  const rooms = await page.locator('#rooms tbody tr td:first-child').allTextContents();
  assert.deepEqual(rooms, ['main']);
  assert.match(await page.locator('#people tbody').textContent(), PLAYER);
  const first = await stats();
  assert.equal(first.map.eye, null);
  assert.ok(first.map.entities.every(entity => entity.standing === undefined));
  await until('ticks', now => now.tick > first.tick + 20);
  // The plots have something in them, and the map moves.
  for (const id of ['stages', 'histogram', 'sent', 'map']) {
    const colours = await page.locator(`#${id}`).evaluate(canvas => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    });
    assert.ok(colours > 8, `${id} is empty: ${colours} colours`);
  }
  const one = await page.locator('#map').screenshot();
  await page.waitForTimeout(1200);
  assert.ok(!one.equals(await page.locator('#map').screenshot()), 'nothing moves');
  await picture('inspector-server');
});

test('a paused room stands still, and steps', async () => {
  await page.locator('#pause').click();
  const held = await until('paused', now => now.paused);
  await page.waitForTimeout(700);
  const before = (await stats()).tick;
  await page.waitForTimeout(1200);
  assert.equal((await stats()).tick, before, `it ticks, first seen at ${held.tick}`);
  await page.locator('#step').click();
  await until('one tick more', now => now.tick === before + 1);
  await page.locator('#step10').click();
  await until('ten more', now => now.tick === before + 11);
  await page.waitForTimeout(700);
  assert.equal((await stats()).tick, before + 11);
});

test('it says why an entity is seen and why another is not', async () => {
  // Everything stands still, so that a click hits what it aims at.
  await page.locator('#people tbody tr', { hasText: PLAYER }).first().click();
  const { map, client } = await until('the world as a client sees it', now => now.map?.eye);
  assert.equal(map.eye.client, client);
  const seen = alone(map.entities, entity => entity.standing === 'told');
  const unseen = alone(map.entities, entity => entity.rule === 'too_far');
  assert.ok(seen && unseen, 'there are such and such');

  assert.equal(await choose(seen), seen.id);
  const told = await until('an answer', now => now.why?.entity === seen.id);
  assert.equal(told.why.standing, 'told');
  assert.match(await page.locator('#verdict').textContent(), /^Visible/);
  assert.match(await page.locator('#because').textContent(), /Last sent: its state of tick/);
  assert.ok(await page.locator('#because .chain li.pass').count() >= 5);
  await picture('inspector-visible');

  assert.equal(await page.evaluate(() => location.hash.includes('entity=')), true);
  await page.mouse.click(...await onMap(unseen.id));
  const far = await until('another answer', now => now.why?.entity === unseen.id);
  assert.equal(far.why.rule, 'too_far');
  assert.ok(far.why.distance > far.why.radius);
  assert.equal(await page.locator('#verdict').textContent(), 'Not visible: too far away');
  assert.match(await page.locator('#because .chain li.fail').textContent(), /radius/);
  await picture('inspector-unseen');

  const own = map.entities.find(entity => entity.rule === 'avatar');
  await page.evaluate(id => { location.hash = location.hash.replace(/entity=\d+/, `entity=${id}`); }, own.id);
  await until('the own avatar', now => now.why?.rule === 'avatar');
  assert.equal(await page.locator('#verdict').textContent(), 'Its own avatar');
});

test('a page from elsewhere does nothing', async () => {
  const before = await stats();
  assert.ok(before.paused);
  const elsewhere = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<p>elsewhere'));
  elsewhere.listen(0, '127.0.0.1');
  await once(elsewhere, 'listening');
  const foreign = await (await browser.newContext()).newPage();
  await foreign.goto(`http://127.0.0.1:${elsewhere.address().port}/`);
  const outcome = await foreign.evaluate(async url => {
    const tries = [];
    for (const [mode, type] of [['no-cors', 'text/plain'], ['cors', 'application/json']]) {
      tries.push(await fetch(`${url}/rooms/main/resume`, { method: 'POST', mode, headers: { 'content-type': type }, body: '{}' })
        .then(response => response.type, error => error.name));
    }
    tries.push(await fetch(`${url}/rooms/main`, { method: 'DELETE' }).then(() => 'ended', error => error.name));
    tries.push(await fetch(`${url}/inspect/server`).then(() => 'read', error => error.name));
    return tries;
  }, admin);
  // The first goes out, as any form would, and is refused there; the browser asks before the others, and is told nothing.
  assert.deepEqual(outcome, ['opaque', 'TypeError', 'TypeError', 'TypeError']);
  await foreign.context().close();
  elsewhere.close();
  await page.waitForTimeout(700);
  const { tick, paused } = await stats();
  assert.ok(paused && tick === before.tick, 'it went on');
});

test('it goes on, and sends somebody away', async () => {
  await page.locator('#pause').click();
  const on = await until('going on', now => !now.paused);
  await until('ticks', now => now.tick > on.tick + 10);
  await until('somebody', now => now.clients >= 1);
  page.once('dialog', dialog => dialog.accept());
  await page.locator('#people tbody tr', { hasText: PLAYER }).getByRole('button', { name: 'Kick' }).first().click();
  await page.locator('#close-list', { hasText: '4007' }).waitFor({ timeout: 20000 });
});

test('it fits a small window, asks nobody else, and nothing went wrong in it', async () => {
  await page.setViewportSize({ width: 420, height: 800 });
  await page.waitForTimeout(800);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 421, `${wide} pixels wide`);
  await picture('inspector-small');
  assert.deepEqual([...asked], [admin]);
  // What a client that is gone is asked about is answered with 404, which the browser notes.
  assert.deepEqual(problems.filter(problem => !/404|403/.test(problem)), []);
});
