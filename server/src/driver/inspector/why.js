// What a room says of one client and one entity, as people read it: a verdict, the chain of rules up to the one that decides, and
// what its updates take. It knows what the server answers, and no request.
import { colour, strip } from './plots.js';

const NTH = ['first', 'second', 'third'];
const metres = value => (value >= 100 ? value.toFixed(0) : value.toFixed(1));

function often(period) {
  if (period === 1) return 'at every tick';
  return `at every ${period === 2 ? '2nd' : period === 3 ? '3rd' : `${period}th`} tick`;
}

/** The one sentence, how good it is, and what follows from it. */
function verdict(why, name) {
  const told = why.period_ticks === null ? '' : `${often(why.period_ticks)}, the ${NTH[why.tier]} cadence`;
  const slower = why.tier !== null && why.tier > why.natural_tier
    ? ` By its distance it would be told at the ${NTH[why.natural_tier]} cadence${why.strained ? '; the budget is not enough for that.' : ', and is at the next look.'}` : '';
  switch (why.standing) {
    case 'told': return ['Visible', slower ? 'warn' : 'good', `${name} is told of it ${told}.${slower}`];
    case 'parked': return ['Visible, and parked', 'warn', `The budget of ${name} is not enough for all that it sees: this one waits for its turn, and is shown as it was.`];
    case 'leaves': return ['About to disappear', 'warn', `${name} still holds it; the next look takes it away, or shows it with other fields.`];
    case 'waits': return ['Not yet visible: waits for bandwidth', 'warn', `${name} is to see it as soon as its budget has room for what enters.`];
    case 'enters': return ['About to appear', 'good', `${name} is to see it, and is told so at its next look, within a fifth of a second.`];
    default: break;
  }
  switch (why.rule) {
    case 'avatar': return ['Its own avatar', 'good', `${name} plays it, and is told of it as its private state, more exactly than of all others.`];
    case 'too_far': return ['Not visible: too far away', 'bad', `${metres(why.distance)} away, and ${name} is told of this kind within ${metres(why.radius)} only.`];
    case 'hidden': return ['Not visible: hidden by the game', 'bad', `The game's own rule (may_see) keeps it from ${name}: not even that it exists is told.`];
    case 'gone': return ['Gone', 'bad', 'It is not there any more.'];
    default: return ['Not visible', 'bad', ''];
  }
}

/** Every rule in order: `pass`, `fail`, `part` or `moot`, its name, and why. */
function chain(why, client) {
  const { rule, standing } = why;
  const failed = ['gone', 'avatar', 'too_far', 'hidden'].indexOf(rule);
  const state = place => (failed === -1 || place < failed ? 'pass' : place === failed ? 'fail' : 'moot');
  const reach = why.reach < 1 ? ` (radii are at ${(why.reach * 100).toFixed(0)} % for lack of bandwidth)` : '';
  const distance = why.distance === null ? 'seen from everywhere' : `${metres(why.distance)} away, ${why.tier === null ? 'enters' : 'leaves'} at ${metres(why.radius)}${reach}`;
  const fields = { public: 'only what all may know', team: 'fields for its team too', owner: 'all fields: it is the owner' };
  const held = ['told', 'parked', 'leaves'].includes(standing);
  const bandwidth = failed !== -1 ? 'moot' : standing === 'parked' || standing === 'waits' || (why.tier ?? 0) > why.natural_tier ? 'part' : 'pass';
  const words = {
    told: why.tier > why.natural_tier ? 'told of less often than by its distance' : 'enough',
    parked: 'not enough: parked', waits: 'waits until there is room', enters: 'enough, as far as known', leaves: held ? 'told of until then' : '',
  };
  return [
    [state(0), 'exists', rule === 'gone' ? 'it is gone' : 'it is there'],
    [state(1), 'avatar', rule === 'avatar' ? 'its own travels as private state' : 'it is not its own'],
    [state(2), 'radius', distance],
    [state(3), 'may_see', rule === 'hidden' ? "the game's rule says no" : "the game's rule says yes"],
    [failed === -1 ? 'pass' : 'moot', 'audience', fields[why.audience]],
    [bandwidth, 'budget', words[standing] ?? ''],
    link(client, failed),
  ];
}

/** Whether it can be told anything at all now. */
function link(client, failed) {
  if (failed !== -1 || !client) return ['moot', 'link', ''];
  if (client.away_ms !== null) return ['part', 'link', `away for ${(client.away_ms / 1000).toFixed(0)} s: it is told nothing until it comes back`];
  if (client.paused_ms !== null) return ['part', 'link', `paused for ${(client.paused_ms / 1000).toFixed(1)} s: it has not acknowledged what it was sent`];
  return ['pass', 'link', 'takes frames'];
}

const SIGNS = { pass: '✓', fail: '✗', part: '◐', moot: '·' };

/** The elements that say it. */
export function explain(why, { make, name, hz, client }) {
  if (why.missing) return [make('p', { className: 'verdict bad', text: 'Not there' }), make('p', { text: why.missing })];
  const [title, kind, words] = verdict(why, name);
  const elements = [make('p', { className: `verdict ${kind}`, text: title, id: 'verdict' }), make('p', { text: `${why.kind} ${why.entity}: ${words}` })];
  elements.push(make('ol', { className: 'chain' }, ...chain(why, client).map(([state, rule, text]) =>
    make('li', { className: state, title: state === 'moot' ? 'not asked any more' : '' },
      make('span', { text: SIGNS[state] }), make('b', { text: rule }), make('span', { text: state === 'moot' ? '' : text })))));
  if (why.state_of !== null) {
    const age = why.tick - why.state_of;
    elements.push(make('p', { text: `Last sent: its state of tick ${why.state_of}, ${age === 0 ? 'the newest' : `${age} tick${age === 1 ? '' : 's'} (${((age * 1000) / hz).toFixed(0)} ms) ago`}.` }));
  }
  elements.push(...bits(why, make, hz), fields(why, make));
  return elements;
}

function bits(why, make, hz) {
  const rows = [{ name: 'which changed', bits: why.mask_bits, fill: colour('--quiet') }, ...why.fields.filter(field => field.shown).map(field => ({ name: field.name, bits: field.bits, fill: colour('--accent') }))];
  const all = rows.reduce((sum, row) => sum + row.bits, 0);
  const seconds = why.bits_ticks / hz;
  const whose = why.tier === null ? 'What telling of it would take' : 'What telling of it took';
  const each = why.updates > 0 ? `${(all / why.updates).toFixed(1)} bits per update` : 'it rested, so nothing';
  const caption = `${whose}: ${each} (${why.updates} in ${why.samples} samples of the last ${seconds.toFixed(1)} s)`;
  const bars = make('div', { className: 'bits' });
  for (const row of rows) {
    const track = make('div', { className: 'track' });
    track.append(strip([[row.bits, row.fill]], Math.max(...rows.map(other => other.bits), 1), 220));
    bars.append(make('span', { text: row.name }), track, make('span', { text: why.updates > 0 ? `${(row.bits / why.updates).toFixed(1)}` : '0' }));
  }
  return [make('p', { className: 'caption', text: caption }), bars];
}

function fields(why, make) {
  const shown = value => value.map(part => Number(part.toFixed(3))).join(', ');
  const rows = why.fields.map(field => make('tr', {}, make('td', { text: field.name }), make('td', { text: shown(field.value) }),
    make('td', { text: field.audience === 'all' ? 'everybody' : field.audience }), make('td', { text: field.shown ? 'shown' : 'hidden' })));
  const head = make('tr', {}, ...['Field', 'Now', 'For', 'To this client'].map(text => make('th', { text })));
  return make('table', {}, make('thead', {}, head), make('tbody', {}, ...rows));
}
