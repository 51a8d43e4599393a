// What a crowd costs the page: node crowd.mjs [DRONES]. Not a test: it prints, for BENCHMARKS.md.
import { browse, join, serve, stats } from './world.mjs';

const drones = process.argv[2] ?? '500';
const server = await serve(0, ['--bots', '3', '--drones', drones]);
const browser = await browse();
const { page } = await join(browser, `http://127.0.0.1:${server.port}`, 'ann');
await page.waitForTimeout(15000);
const now = await stats(page);
const figures = ['bodies', 'drawn', 'frames', 'first_seen_ms', 'decode_ms_per_message', 'scene_ms_per_frame', 'drawing_ms'];
for (const name of figures) console.log(`${name}: ${Math.round(now[name] * 100) / 100}`);
await browser.close();
await server.stop();
