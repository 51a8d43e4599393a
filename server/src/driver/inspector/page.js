// The inspector's page: asks the admin port a few times a second, and shows what it answers. All words come in as text, never as
// markup. While the page is hidden it asks nothing.
import { STANDINGS, WorldMap, kindColour, standing as standingOf } from './map.js';
import { bars, colour, layers, strip } from './plots.js';
import { explain } from './why.js';

const EVERY_MS = { server: 2000, room: 500, clients: 1000, map: 400, why: 700 };
const SPAN_MS = 120_000;
const HISTOGRAM_MS = 10_000;
const ROWS_MAX = 200;
const PAGES_MAX = 4;

const $ = id => document.getElementById(id);
const state = {
  room: null, client: null, entity: null, server: null, now: null, clients: [], more: false, map: null, why: null,
  points: [], snapshots: [], sort: { key: 'client', down: false }, answers: 0,
};

/** An element with what is in it. */
function make(tag, { text, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  if (text !== undefined) element.textContent = text;
  element.append(...children);
  return element;
}

/** Rows of a table by key: kept while their items are there, so that a click is not lost to a new row in its place. */
function fill(body, items, keyOf, build, update) {
  const known = new Map([...body.children].map(row => [row.dataset.key, row]));
  items.forEach((item, index) => {
    const key = String(keyOf(item));
    const row = known.get(key) ?? build(item);
    row.dataset.key = key;
    known.delete(key);
    if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null);
    update(row, item);
  });
  known.forEach(row => row.remove());
}

function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

const count = value => Number(value).toLocaleString('en');
const bytes = value => (value >= 1e6 ? `${(value / 1e6).toFixed(2)} MB` : value >= 1e4 ? `${(value / 1e3).toFixed(0)} kB` : `${(value / 1e3).toFixed(1)} kB`);
const ms = value => (value === null || value === undefined ? '–' : value >= 100 ? `${value.toFixed(0)} ms` : `${value.toFixed(1)} ms`);

// ---- asking

let silent = 0;

async function get(path) {
  const response = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw Object.assign(new Error((await response.text()).trim()), { status: response.status });
  state.answers += 1;
  return response.json();
}

const roomPath = rest => `/inspect/rooms/${encodeURIComponent(state.room)}${rest}`;

/** Asks again and again; waits longer when it is told to, and when an answer took long. */
function poll(what, ask) {
  const turn = async () => {
    let pause = EVERY_MS[what];
    if (!document.hidden) {
      const begun = performance.now();
      try {
        await ask();
        if (what === 'server') say(null);
      } catch (error) {
        if (error.status === 429) pause *= 3;
        else if (error.status === undefined) say(`The server does not answer: ${error.message}`);
        else if (what === 'server') say(error.message);
      }
      pause = Math.max(pause, 3 * (performance.now() - begun));
    }
    setTimeout(turn, pause);
  };
  turn();
}

function say(words, isKept = false) {
  clearTimeout(silent);
  $('said').hidden = words === null && silent === 0;
  if (words === null) return;
  $('said').textContent = words;
  $('said').classList.remove('fine');
  $('said').hidden = false;
  silent = isKept ? setTimeout(() => { silent = 0; $('said').hidden = true; }, 6000) : 0;
}

/** Something that changes a room: only a page of this very origin may. */
async function act(method, path, body) {
  try {
    const response = await fetch(path, {
      method, headers: { 'content-type': 'application/json' }, body: body === undefined ? undefined : JSON.stringify(body),
    });
    const words = (await response.text()).trim();
    say(response.ok ? `Done with the next tick: ${method} ${path}` : words, true);
    $('said').classList.toggle('fine', response.ok);
  } catch (error) {
    say(`That did not reach the server: ${error.message}`, true);
  }
}

// ---- what is looked at, kept in the address

function readAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const number = name => (wanted.get(name) ? Number(wanted.get(name)) : null);
  look({ room: wanted.get('room') ?? state.room ?? 'main', client: number('client'), entity: number('entity') }, false);
}

function look(change, isNew = true) {
  const before = { room: state.room, client: state.client, entity: state.entity };
  Object.assign(state, change);
  if (state.room !== before.room) {
    Object.assign(state, { now: null, clients: [], map: null, why: null, points: [], snapshots: [] });
    if (isNew) Object.assign(state, { client: null, entity: null });
  }
  if (state.client !== before.client || state.entity !== before.entity) state.why = null;
  const parts = Object.entries({ room: state.room, client: state.client, entity: state.entity });
  const hash = new URLSearchParams(parts.filter(([, value]) => value !== null)).toString();
  if (isNew && location.hash.slice(1) !== hash) history.replaceState(null, '', `#${hash}`);
  worldMap.chosen = state.entity;
  showEyes();
  showWhy();
  if (state.clients.length > 0) showClients();
  if (isNew) {
    askMap().catch(() => {});
    askWhy().catch(() => {});
  }
}

// ---- the server and its rooms

async function askServer() {
  state.server = await get('/inspect/server');
  const { server } = state;
  const loads = server.workers_permille.map(load => `${(load / 10).toFixed(0)} %`).join(', ');
  $('server').textContent = `${count(server.clients)} clients in ${count(server.rooms_total)} rooms (${count(server.rooms_asleep)} asleep) · workers ${loads} · v${server.version}`;
  const names = server.rooms.map(room => room.name);
  if (!names.includes(state.room)) names.push(state.room);
  const select = $('room');
  if (document.activeElement !== select || select.options.length !== names.length) {
    select.replaceChildren(...names.map(name => make('option', { value: name, text: name, selected: name === state.room })));
  }
  showRooms(server);
  showCloses();
}

const ROOM_COLUMNS = [
  ['Room', room => room.name], ['Clients', room => `${count(room.clients)} of ${count(room.capacity)}`, true],
  ['Paused clients', room => count(room.paused_clients), true],
  ['Entities', room => count(room.entities), true], ['Hz', room => room.tick_hz, true],
  ['ms per tick', room => (room.ticks ? (room.busy_micros / room.ticks / 1000).toFixed(2) : '–'), true],
  ['Late', room => count(room.late), true], ['Skipped', room => count(room.skipped), true], ['Sent', room => bytes(room.sent_bytes), true],
  ['State', room => (room.paused ? 'paused' : room.asleep ? 'asleep' : 'runs') + (room.overload === 'none' ? '' : `, overloaded: ${room.overload}`) + (room.private ? ', private' : '')],
];

function showRooms(server) {
  const { rooms, rooms_total: total } = server;
  $('rooms-words').textContent = total > rooms.length ? `the ${rooms.length} fullest of ${count(total)}` : count(total);
  const [head, body] = [$('rooms').querySelector('thead tr'), $('rooms').querySelector('tbody')];
  if (!head.children.length) head.append(...ROOM_COLUMNS.map(([name, , isNumber]) => make('th', { text: name, className: isNumber ? 'number' : '' })));
  const build = ({ name }) => {
    const row = make('tr', {}, ...ROOM_COLUMNS.map(([, , isNumber]) => make('td', { className: isNumber ? 'number' : '' })));
    row.addEventListener('click', () => look({ room: name }));
    return row;
  };
  fill(body, rooms, room => room.name, build, (row, room) => {
    row.className = room.name === state.room ? 'chosen' : '';
    ROOM_COLUMNS.forEach(([, cell], index) => setText(row.children[index], cell(room)));
  });
}

function showCloses() {
  const list = (title, closes) => {
    const items = closes.filter(close => close.count > 0).map(close => make('tr', {},
      make('td', { text: close.code }), make('td', { text: close.what, title: close.what }), make('td', { text: count(close.count), className: 'number' })));
    const body = items.length ? make('table', {}, make('tbody', {}, ...items)) : make('p', { className: 'none', text: 'none yet' });
    return [make('p', { className: 'caption', text: title }), body];
  };
  const parts = [...list('By this room', state.now?.closes ?? []), ...list('Connections of the whole server, however they ended', state.server?.closes ?? [])];
  $('close-list').replaceChildren(...parts);
}

// ---- the room

async function askRoom() {
  const room = state.room;
  const now = await get(roomPath('')).catch(error => {
    if (error.status === 404) {
      state.now = null;
      $('badges').replaceChildren(make('span', { className: 'badge bad', text: 'there is no such room' }));
    }
    throw error;
  });
  if (room !== state.room) return;
  const last = state.snapshots.at(-1);
  // It was ended and began anew.
  if (last && now.ticks < last.ticks) Object.assign(state, { points: [], snapshots: [] });
  state.now = now;
  state.snapshots.push(now);
  state.snapshots = state.snapshots.filter(old => old.now_ms > now.now_ms - HISTOGRAM_MS - 600);
  if (last && now.now_ms > last.now_ms && now.ticks >= last.ticks) {
    const seconds = (now.now_ms - last.now_ms) / 1000;
    const timed = stage => stage.buckets.reduce((sum, value) => sum + value, 0);
    const ticks = timed(now.stages[0]) - timed(last.stages[0]);
    state.points.push({
      at: now.now_ms,
      stages: now.stages.map((stage, index) => (ticks > 0 ? (stage.sum_micros - last.stages[index].sum_micros) / ticks / 1000 : 0)),
      sent: Math.max(0, now.sent_bytes - last.sent_bytes) / seconds / 1000,
      late: [(now.late - last.late) / seconds, (now.skipped - last.skipped) / seconds],
      answers: Math.max(0, now.answer_micros - last.answer_micros) / seconds,
      ticks: ticks / seconds,
    });
    state.points = state.points.filter(point => point.at > now.now_ms - SPAN_MS - 1000);
  }
  showRoom();
}

/** The mean of the last seconds. */
function lately(of, seconds = 3) {
  const points = state.points.filter(point => point.at > state.now.now_ms - seconds * 1000);
  return points.length ? points.reduce((sum, point) => sum + of(point), 0) / points.length : 0;
}

function showRoom() {
  const { now } = state;
  const badge = (text, kind = '') => make('span', { className: `badge ${kind}`, text });
  const badges = [badge(`${now.tick_hz} Hz`), badge(now.paused ? 'paused' : now.asleep ? 'asleep' : 'runs', now.paused ? 'warn' : now.asleep ? '' : 'good')];
  if (now.overload !== 'none') badges.push(badge(`overloaded: ${now.overload}`, 'warn'));
  if (now.private) badges.push(badge('private'));
  $('badges').replaceChildren(...badges);
  $('pause').textContent = now.paused ? 'Resume' : 'Pause';
  for (const id of ['pause', 'step', 'step10']) {
    $(id).disabled = !now.allow_pause;
    if (!now.allow_pause) $(id).title = 'Development servers only: start the server with --allow-pause';
  }
  const busy = lately(point => point.stages.reduce((sum, value) => sum + value, 0));
  const share = (busy * now.tick_hz) / 10;
  const inputs = now.counters;
  const figure = (value, words, kind = '') => make('div', { className: `figure ${kind}` }, make('b', { text: value }), make('span', { text: words }));
  $('figures').replaceChildren(
    figure(count(now.tick), `tick (${lately(point => point.ticks).toFixed(1)} per second)`),
    figure(`${busy.toFixed(2)} ms`, `per tick: ${share.toFixed(0)} % of a core`, share > 80 ? 'bad' : share > 50 ? 'warn' : ''),
    figure(count(now.clients), `clients of ${count(now.capacity)}`),
    figure(`${count(now.paused_clients)} / ${count(now.away)}`, 'paused / away', now.paused_clients > 0 ? 'warn' : ''),
    figure(count(now.entities), 'entities'),
    figure(`${bytes(lately(point => point.sent) * 1000)}/s`, 'sent'),
    figure(now.counters.updates ? (now.counters.update_bits / now.counters.updates).toFixed(1) : '–', 'bits per update'),
    figure(count(inputs.inputs_late), `inputs late of ${count(inputs.inputs_on_time + inputs.inputs_late)}`),
    figure(count(now.counters.state_mismatches), 'state mismatches', now.counters.state_mismatches > 0 ? 'bad' : ''),
    figure(`${(lately(point => point.answers) / 10_000).toFixed(2)} %`, 'of a core for looking'),
  );
  showPlots();
}

function showPlots() {
  const { points, snapshots, now } = state;
  const stages = [colour('--hear'), colour('--stepc'), colour('--pack'), colour('--send')];
  const names = now.stages.map(stage => stage.name);
  // As much as there is, from half a minute on.
  const span = Math.min(SPAN_MS, Math.max(30_000, (points.at(-1)?.at ?? 0) - (points[0]?.at ?? 0)));
  const plot = (id, of, options) => layers($(id), points.map(point => ({ at: point.at, values: of(point) })), { span, ...options });
  plot('stages', point => point.stages, { colours: stages, names, mark: { value: 1000 / now.tick_hz, colour: colour('--bad') } });
  plot('sent', point => [point.sent], { colours: [colour('--accent')] });
  plot('late', point => point.late, { colours: [colour('--warn'), colour('--bad')], names: ['late', 'skipped'] });
  const first = snapshots[0];
  const stacks = now.stages[0].buckets.map((_, bucket) =>
    now.stages.map((stage, index) => Math.max(0, stage.buckets[bucket] - first.stages[index].buckets[bucket])));
  const label = micros => (micros >= 1000 ? `${Number((micros / 1000).toPrecision(2))}` : `.${String(micros / 1000).slice(2)}`);
  const labels = [...now.bounds_micros.map(label), 'more'];
  bars($('histogram'), labels, stacks, { colours: stages, names });
  $('tick-words').textContent = `${count(now.late)} late, ${count(now.skipped)} skipped, at most ${(now.late_micros_max / 1000).toFixed(1)} ms late since the start`;
}

// ---- clients

async function askClients() {
  const room = state.room;
  let list = await get(roomPath('/clients'));
  const clients = list.clients;
  for (let page = 1; list.more && page < PAGES_MAX; page += 1) {
    list = await get(roomPath(`/clients/after/${clients.at(-1).client}`));
    clients.push(...list.clients);
  }
  if (room !== state.room) return;
  Object.assign(state, { clients, more: list.more });
  showClients();
  showEyes();
}

const paused = client => (client.away_ms !== null ? `away ${(client.away_ms / 1000).toFixed(0)} s` : client.paused_ms !== null ? `paused ${(client.paused_ms / 1000).toFixed(1)} s` : 'plays');
const seen = client => client.tiers.reduce((sum, value) => sum + value, 0) + client.parked + client.waiting;
const CLIENT_COLUMNS = [
  ['#', 'client', client => client.client], ['Name', 'name', client => client.name || 'anonymous'],
  ['RTT', 'rtt_ms', client => ms(client.rtt_ms)], ['Window', 'window_frames', client => client.window_frames],
  ['Sent /s', 'bytes_per_s', client => bytes(client.bytes_per_s)], ['Rate', 'bytes_per_s_max', client => bytes(client.bytes_per_s_max)],
  ['Budget', 'granted_bytes_per_s', client => bytes(client.granted_bytes_per_s)], ['Sees', null, seen, seen],
  ['Cadences', null, null], ['Reach', 'reach', client => `${(client.reach * 100).toFixed(0)} %`],
  ['Pauses', 'pauses', client => client.pauses], ['State', null, paused, paused], ['', null, null],
];
const isNumber = index => ![1, 8, 11, 12].includes(index);

function showClients() {
  const [head, body] = [$('people').querySelector('thead tr'), $('people').querySelector('tbody')];
  if (!head.children.length) {
    head.append(...CLIENT_COLUMNS.map(([name, key, , value], index) => {
      const cell = make('th', { className: isNumber(index) ? 'number' : '' });
      const sorts = key ?? value;
      const button = sorts ? make('button', { text: name, title: 'Sort' }) : make('span', { text: name });
      if (sorts) {
        button.addEventListener('click', () => {
          state.sort = { key: sorts, down: state.sort.key === sorts ? !state.sort.down : false };
          showClients();
        });
      }
      cell.append(button);
      return cell;
    }));
  }
  const wanted = $('find').value.trim().toLowerCase();
  const { key, down } = state.sort;
  const value = client => (typeof key === 'function' ? key(client) : client[key]) ?? -1;
  const found = state.clients.filter(client => !wanted || String(client.client) === wanted || client.name.toLowerCase().includes(wanted));
  found.sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : a.client - b.client) * (down ? -1 : 1));
  $('people-words').textContent = `${found.length > ROWS_MAX ? `${ROWS_MAX} of ` : ''}${count(found.length)} shown${state.more ? ', there are more' : ''} · click one to look with its eyes`;
  const most = Math.max(1, ...found.map(seen));
  fill(body, found.slice(0, ROWS_MAX), client => client.client, clientRow, (row, client) => showClient(row, client, most));
  if (found.length === 0) body.append(make('tr', {}, make('td', { colSpan: CLIENT_COLUMNS.length, className: 'none', text: 'nobody' })));
}

function clientRow({ client, name }) {
  const row = make('tr', {}, ...CLIENT_COLUMNS.map((_, index) => make('td', { className: isNumber(index) ? 'number' : '' })));
  const kick = make('button', { text: 'Kick', className: 'danger', title: 'Closes it with 4007' });
  kick.addEventListener('click', event => {
    event.stopPropagation();
    if (confirm(`Send ${name || 'anonymous'} (${client}) away?`)) act('DELETE', `/rooms/${encodeURIComponent(state.room)}/clients/${client}`);
  });
  row.lastChild.append(kick);
  row.addEventListener('click', () => look({ client: client === state.client ? null : client }));
  return row;
}

function showClient(row, client, most) {
  row.className = client.client === state.client ? 'chosen' : '';
  CLIENT_COLUMNS.forEach(([, , cell], index) => {
    if (cell) setText(row.children[index], cell(client));
  });
  const parts = [...client.tiers.map((value, tier) => [value, colour(`--tier${tier}`)]), [client.parked, colour('--parked')], [client.waiting, colour('--waits')]];
  const cell = row.children[8];
  cell.title = `${client.tiers.join(', ')} by cadence, ${client.parked} parked, ${client.waiting} waiting`;
  cell.replaceChildren(strip(parts, most));
}

function showEyes() {
  const select = $('eye');
  const wanted = state.client === null ? '' : String(state.client);
  const names = new Map(state.clients.slice(0, 500).map(client => [String(client.client), `${client.name || 'anonymous'} (${client.client})`]));
  if (wanted && !names.has(wanted)) names.set(wanted, `client ${wanted}`);
  const known = [...select.options].map(option => option.value).slice(1).join();
  if (known !== [...names.keys()].join() && document.activeElement !== select) {
    select.replaceChildren(make('option', { value: '', text: 'the server' }), ...[...names].map(([value, text]) => make('option', { value, text })));
  }
  if (document.activeElement !== select) select.value = wanted;
}

// ---- the map, and why

async function askMap() {
  const [room, client] = [state.room, state.client];
  const map = await get(roomPath(client === null ? '/map' : `/map/${client}`)).catch(error => {
    if (error.status === 404 && client !== null && client === state.client) $('where').textContent = 'this client is not there any more';
    throw error;
  });
  if (room !== state.room || client !== state.client) return;
  const isOther = state.map === null || state.map.room !== room;
  state.map = { ...map, room };
  worldMap.show(state.map, isOther);
  const ghosts = map.ghosts > 0 ? `, ${map.ghosts} gone that it still shows` : '';
  const left = map.left_out > 0 ? `, ${count(map.left_out)} farther ones left out` : '';
  $('where').textContent = `${count(map.entities.length)} entities at tick ${count(map.tick)}${left}${ghosts}`;
  showLegend();
}

function showLegend() {
  const { map } = state;
  const item = (style, words) => {
    const dot = make('i');
    Object.assign(dot.style, style);
    return make('span', {}, dot, words);
  };
  let items;
  if (map.eye) {
    const counts = new Map();
    for (const entity of map.entities) counts.set(standingOf(entity), (counts.get(standingOf(entity)) ?? 0) + 1);
    items = Object.entries(STANDINGS).filter(([key]) => counts.has(key)).map(([key, { name, fill, ring }]) =>
      item(fill ? { background: colour(fill) } : { borderColor: colour(ring) }, `${name}: ${count(counts.get(key))}`));
  } else {
    const counts = map.kinds.map((_, kind) => map.entities.filter(entity => entity.kind === kind).length);
    items = map.kinds.map((kind, index) => item({ background: kindColour(index) }, `${kind.name}: ${count(counts[index])}`));
  }
  $('legend').replaceChildren(...items);
}

async function askWhy() {
  const { room, client, entity } = state;
  if (client === null || entity === null) return;
  let why;
  try {
    why = await get(roomPath(`/why/${client}/${entity}`));
  } catch (error) {
    if (error.status !== 404) throw error;
    why = { missing: error.message };
  }
  if (room !== state.room || client !== state.client || entity !== state.entity) return;
  state.why = why;
  showWhy();
}

function showWhy() {
  const { client, entity, why, now } = state;
  const known = state.clients.find(other => other.client === client);
  const name = known?.name || `client ${client}`;
  $('whom').textContent = client !== null && entity !== null ? `${name} and entity ${entity}` : '';
  if (client === null || entity === null) {
    const hint = client === null ? 'Choose a client: in the list above the map, or below in the table.' : `Click an entity on the map to see why ${name} is told of it, or is not.`;
    $('because').replaceChildren(make('p', { className: 'hint', text: hint }));
    return;
  }
  if (why === null) return;
  $('because').replaceChildren(...explain(why, { make, name, hz: now?.tick_hz ?? 30, client: known }));
}

// ---- it begins

const worldMap = new WorldMap($('map'), entity => look({ entity }));
$('room').addEventListener('change', event => look({ room: event.target.value }));
$('eye').addEventListener('change', event => {
  const { value } = event.target;
  event.target.blur();
  look({ client: value === '' ? null : Number(value) });
});
$('fit').addEventListener('click', () => worldMap.fit());
$('find').addEventListener('input', showClients);
const actOnRoom = (action, body) => act('POST', `/rooms/${encodeURIComponent(state.room)}/${action}`, body);
$('pause').addEventListener('click', () => actOnRoom(state.now?.paused ? 'resume' : 'pause', {}).then(askRoom).catch(() => {}));
$('step').addEventListener('click', () => actOnRoom('step', { ticks: 1 }));
$('step10').addEventListener('click', () => actOnRoom('step', { ticks: 10 }));
$('close').addEventListener('click', () => {
  if (confirm(`End the room ${state.room}? Its ${state.now?.clients ?? ''} players are closed.`)) act('DELETE', `/rooms/${encodeURIComponent(state.room)}`);
});
globalThis.addEventListener('hashchange', readAddress);
readAddress();
poll('server', askServer);
poll('room', askRoom);
poll('clients', askClients);
poll('map', askMap);
poll('why', askWhy);

/** For tests, and for whoever is curious. */
globalThis.inspector = {
  stats: () => ({
    answers: state.answers, room: state.room, client: state.client, entity: state.entity, tick: state.now?.tick ?? null, paused: state.now?.paused ?? null,
    entities: state.map?.entities.length ?? 0, drawn: worldMap.drawn, map: state.map, why: state.why, clients: state.clients.length, points: state.points.length,
  }),
  /** Where an entity is on the map, in pixels of the canvas. */
  at: id => {
    const entity = state.map?.entities.find(other => other.id === id);
    return entity?.at ? worldMap.screen(worldMap.place(entity, worldMap.share())) : null;
  },
};
