// The built package over the golden vectors in `shared/vectors`, and what it makes of nonsense. `cargo xtask js` builds it;
// `node --test shared/js/tests/` runs this, and needs nothing from npm.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Session, initSync } from '../pkg/tickwire.js';

const shared = new URL('../../', import.meta.url);
const load = path => readFileSync(new URL(path, shared));
const golden = load('vectors/arena_states.txt').toString();
const recorded = load('vectors/arena_messages.txt').toString().trim().split('\n').map(line => Buffer.from(line, 'hex'));
const schema = load('vectors/arena_schema.json').toString();
// Walk x, walk y, aim, fire: zeros, by bincode.
const HANDS_OFF = new Uint8Array(4);

initSync({ module: load('js/pkg/tickwire_bg.wasm') });

/** As the vectors were recorded. */
function open(more = {}) {
  const tables = load('src/arena/arena.tables');
  return new Session(schema, { tables, input: HANDS_OFF, name: 'ann', budgetBytesPerS: 1024, ...more });
}

/** Plays what was recorded; gives what the session then has told, in the form of the vectors. */
function play(session, messages = recorded, after = () => {}) {
  const [hello, ...frames] = messages;
  assert.deepEqual(Buffer.from(session.pollTransmit(0)), hello);
  const { kinds, own, stride } = session.layout;
  let text = '', nowMs = 0;
  for (const frame of frames) {
    session.handleMessage(frame, nowMs);
    const told = session.told();
    if (told.tick < 20 || told.tick % 8 === 0) {
      for (let i = 0; i < told.count; i++) {
        const columns = told.columns.subarray(i * stride, i * stride + kinds[told.kinds[i]].width);
        text += `${told.tick} slot ${i} id ${told.ids[i]} kind ${told.kinds[i]} : ${columns.join(' ')}\n`;
      }
      text += `${told.tick} private : ${told.ownColumns.subarray(0, own.width).join(' ')}\n`;
    }
    after(nowMs);
    nowMs += 33.333;
  }
  return text;
}

test('it holds the golden states', () => {
  const session = open();
  assert.equal(session.state(0), 'connecting');
  const states = play(session).split('\n');
  golden.split('\n').forEach((line, at) => assert.equal(states[at], line, `line ${at + 1}`));
  assert.equal(states.length, golden.split('\n').length);
  const { frames, mismatches, checksums, receivedBytes } = session.stats(0);
  assert.deepEqual([frames, mismatches, checksums > 0], [recorded.length - 2, 0, true]);
  assert.equal(receivedBytes, recorded.slice(1).reduce((sum, frame) => sum + frame.length, 0));
});

test('control: of a flipped byte something is seen', () => {
  // Not of all: what a frame says of acknowledged inputs is no state.
  const seen = recorded.slice(1).filter((frame, index) => {
    const flipped = recorded.with(index + 1, Buffer.from(frame));
    flipped[index + 1][Math.ceil(frame.length * 0.7)] ^= 0x10;
    try {
      const session = open();
      return play(session, flipped) !== golden || session.stats(0).mismatches > 0;
    } catch {
      return true;
    }
  });
  assert.ok(seen.length > (recorded.length - 1) * 0.75, `${seen.length} of ${recorded.length - 1} are seen`);
});

test('what is shown is in the units of the game, and goes on between the frames', () => {
  const session = open({ name: undefined, budgetBytesPerS: undefined });
  session.pollTransmit(0);
  const { kinds, own, stride } = session.layout;
  assert.deepEqual(kinds.map(kind => kind.name), ['Player', 'Drone', 'Pickup']);
  assert.deepEqual(kinds[0].fields.position, { at: 0, count: 2 });
  assert.deepEqual(own.fields.velocity, { at: 2, count: 2 });
  assert.equal(session.view(0), undefined);
  const walked = new Map();
  let last;
  recorded.slice(1).forEach((frame, index) => {
    session.handleMessage(frame, index * 100 / 3);
    for (const part of [0, 10, 20]) {
      const view = session.view(index * 100 / 3 + part);
      if (!view) continue;
      if (last?.values.length === view.values.length) assert.equal(last.values, view.values, 'the array is made once');
      last = view;
      for (let i = 0; i < view.count; i++) {
        const [x, y] = view.values.subarray(i * stride);
        assert.ok(Math.abs(x) <= 2048 && Math.abs(y) <= 2048);
        if (!walked.has(view.ids[i])) walked.set(view.ids[i], new Set());
        walked.get(view.ids[i]).add(x);
      }
    }
  });
  const told = session.told();
  for (let i = 0; i < told.count; i++) {
    assert.ok(Math.abs(told.values[i * stride] - told.columns[i * stride] / 100) < 1e-4);
  }
  assert.ok(Math.max(...[...walked.values()].map(places => places.size)) > told.tick, 'more places than frames');
  const name = session.spawn(Array.from(last.kinds.subarray(0, last.count)).indexOf(0));
  assert.match(new TextDecoder().decode(name.subarray(1, 1 + name[0])), /^\w+/);
  assert.equal(session.spawn(last.count), undefined);
});

test('what happened is told in order', () => {
  const session = open();
  play(session);
  const happenings = [];
  for (let one; (one = session.pollHappening());) happenings.push(one);
  assert.deepEqual(happenings[0], { type: 'welcomed' });
  const { client, avatar, tickHz, setup } = session.welcome;
  assert.equal(typeof client, 'number');
  assert.equal(typeof avatar, 'number');
  assert.equal(tickHz, 30);
  assert.ok(setup.length > 0);
  for (const happening of happenings) assert.ok(['welcomed', 'event', 'inputSeen'].includes(happening.type));
  const events = happenings.filter(happening => happening.type === 'event');
  assert.ok(events.length > 0 && events.every(event => event.tick > 0 && event.bytes instanceof Uint8Array));
  assert.ok(session.sendCommand(Uint8Array.of(0, 2, 104, 105)));
  assert.deepEqual([...session.pollTransmit(9000)], [2, 0, 2, 104, 105], 'chat "hi" as a command');
});

test('it says when to come back, asks for its session, and knows when there is no point', () => {
  const session = open();
  play(session);
  assert.equal(session.state(7000), 'live');
  assert.equal(session.state(9900), 'stalled');
  const due = session.ended({ code: 1006, reason: '' }, 0.5, 10000);
  assert.ok(due >= 10000 && due <= 11000, `${due}`);
  assert.ok(session.ended({ code: 1001, reason: 'server going away; retry_after_ms=5000' }, 0, 20000) >= 25000);
  assert.equal(session.resume(), true);
  assert.equal(session.state(20000), 'resuming');
  assert.ok(session.pollTransmit(20000).length >= recorded[0].length + 17, 'Hello with a token of 16 bytes and a tick');
  assert.equal(session.ended({ code: 4006, reason: 'replaced' }, 0.5, 30000), undefined);
  assert.equal(session.state(30000), 'refused');
  assert.equal(session.refusal, '4006 replaced');
  const other = open();
  other.giveUp('enough');
  assert.equal(other.refusal, 'enough');
});

test('nonsense is refused in words', () => {
  assert.throws(() => new Session('{}', { input: HANDS_OFF }), /^Error: schema: missing field/);
  assert.throws(() => new Session(7, { input: HANDS_OFF }), /^Error: schema: /);
  assert.throws(() => new Session(undefined, { input: HANDS_OFF }), /^Error: schema: .*schema --json/);
  assert.throws(() => new Session(schema, undefined), /^Error: options: an object/);
  assert.throws(() => new Session(schema, {}), /^Error: options.input: a Uint8Array/);
  assert.throws(() => open({ tables: [1, 2] }), /^Error: options.tables: a Uint8Array/);
  assert.throws(() => open({ tables: HANDS_OFF }), /^Error: tables: /);
  assert.throws(() => open({ name: 5 }), /^Error: options.name: a string/);
  assert.throws(() => open({ budgetBytesPerS: 'much' }), /^Error: options.budgetBytesPerS: a number/);
  const session = new Session(JSON.parse(schema), { input: HANDS_OFF.buffer });
  assert.throws(() => session.handleMessage('text', 0), /binaryType/);
  assert.equal(session.state(NaN), 'connecting');
  assert.throws(() => session.handleMessage(Uint8Array.of(9, 9), 0), Error);
  assert.equal(session.state(0), 'refused');
  assert.equal(session.ended({ code: 1006, reason: '' }, 0.5, 0), undefined);
});
