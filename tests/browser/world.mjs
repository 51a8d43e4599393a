// The real server as a process, a proxy before it that can be cut, and a browser: what the tests act in.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createConnection, createServer } from 'node:net';
import { chromium } from 'playwright-core';

const SERVER = process.env.TICKWIRE_SERVER ?? new URL('../../target/release/tickwire-server', import.meta.url).pathname;
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

// Software rendering, and nothing that asks the network for anything.
const FLAGS = [
  '--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/** Starts the server on a port of its choice, or on the given one. */
export async function serve(port = 0, flags = []) {
  const args = ['--listen', `127.0.0.1:${port}`, '--admin-listen', '127.0.0.1:0', ...flags];
  // The server refuses variables of its own that it does not know, which those of the tests are.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TICKWIRE_')));
  const child = spawn(SERVER, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const address = new Promise((resolve, reject) => {
    const listen = bytes => {
      said += bytes;
      // Whatever the server complains of belongs to the test's output.
      for (const line of String(bytes).split('\n')) if (/WARN|ERROR|panicked/.test(line)) console.log(`server: ${line}`);
      const found = said.match(/https?:\/\/127\.0\.0\.1:(\d+)/);
      if (found) resolve(Number(found[1]));
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.once('exit', code => reject(new Error(`the server ended with ${code}: ${said}`)));
    child.once('error', reject);
  });
  const stop = async signal => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit');
      child.kill(signal ?? 'SIGTERM');
      await gone;
    }
  };
  /** Of the admin port, which is logged a moment later. */
  const admin = async () => {
    for (let turn = 0; turn < 400; turn += 1) {
      const found = said.match(/admin=127\.0\.0\.1:(\d+)/);
      if (found) return Number(found[1]);
      await new Promise(resolve => setTimeout(resolve, 25));
    }
    throw new Error(`the server does not say where its admin port is: ${said}`);
  };
  return { port: await address, admin, stop };
}

/** A way to the server that can be cut: browsers go through it, so that the page's origin stays when the server changes. */
export async function way(to) {
  const open = new Set();
  let blocked = false;
  const gate = createServer(inner => {
    if (blocked) return inner.destroy();
    const outer = createConnection(state.to, '127.0.0.1');
    for (const [one, other] of [[inner, outer], [outer, inner]]) {
      open.add(one);
      one.on('close', () => (open.delete(one), other.destroy()));
      one.on('error', () => {});
      one.pipe(other);
    }
  });
  gate.listen(0, '127.0.0.1');
  await once(gate, 'listening');
  const state = {
    to,
    url: `http://127.0.0.1:${gate.address().port}`,
    /** Resets every connection: no goodbye gets through. */
    cut() { for (const socket of open) socket.resetAndDestroy(); },
    block(is) { blocked = is; },
    close() { gate.close(); this.cut(); },
  };
  return state;
}

/** A browser. */
export function browse() {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

/** A page in a browser of its own that plays; `problems` is what went wrong in it. */
export async function join(browser, url, name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 700 }, deviceScaleFactor: 1, ...options });
  const page = await context.newPage();
  const problems = [];
  page.on('console', message => { if (['error', 'warning'].includes(message.type())) problems.push(message.text()); });
  page.on('pageerror', error => problems.push(String(error)));
  await page.goto(`${url}/?name=${encodeURIComponent(name)}`);
  await until(page, 'live', stats => stats.state === 'live' && stats.own !== null);
  return { page, context, problems };
}

export function stats(page) {
  return page.evaluate(() => globalThis.demo?.stats() ?? null);
}

/** Waits until the page's own figures say so. */
export async function until(page, what, is, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  let last;
  while (Date.now() < end) {
    last = await stats(page);
    if (last && is(last)) return last;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  throw new Error(`not ${what} within ${seconds} s: ${JSON.stringify(last)}`);
}
