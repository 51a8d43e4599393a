// The world on a canvas: what is where, and how one client stands to it. It knows what the server answers to a map, and no request.
import { colour, sharp } from './plots.js';

const KINDS = ['#4cc9f0', '#f9a826', '#7ee093', '#ff7eb6', '#c297ff', '#ffd166', '#8ecae6', '#f28482'];
/** Between two answers things glide, for so long at most. */
const GLIDE_MS = 500;

/** How each standing is drawn. */
export const STANDINGS = {
  tier0: { name: 'told at the first cadence', fill: '--tier0' },
  tier1: { name: 'at the second', fill: '--tier1' },
  tier2: { name: 'at the third', fill: '--tier2' },
  parked: { name: 'parked: waits for its turn', ring: '--parked' },
  waits: { name: 'about to enter, or waits for bandwidth', ring: '--waits' },
  leaves: { name: 'about to leave', ring: '--leaves' },
  too_far: { name: 'too far', fill: '--unseen' },
  hidden: { name: 'hidden by the game', ring: '--hidden' },
  avatar: { name: 'own avatar', fill: '--text' },
};

/** Which of these an entity is, or `null` without a client that looks. */
export function standing(entity) {
  if (!entity.standing) return null;
  if (entity.standing === 'told') return `tier${entity.tier}`;
  if (entity.standing === 'enters') return 'waits';
  if (entity.standing === 'unseen') return entity.rule in STANDINGS ? entity.rule : 'too_far';
  return entity.standing;
}

export const kindColour = kind => KINDS[kind % KINDS.length];

export class WorldMap {
  constructor(canvas, onPick) {
    this.canvas = canvas;
    this.onPick = onPick;
    this.map = null;
    this.view = null;
    this.fitted = true;
    this.chosen = null;
    this.hover = null;
    this.drawn = 0;
    this.before = new Map();
    this.cameAt = 0;
    this.listen();
    const draw = () => {
      this.draw();
      requestAnimationFrame(draw);
    };
    requestAnimationFrame(draw);
  }

  /** Another answer, of the same world or of another one. */
  show(map, isOther) {
    this.before = new Map(isOther ? [] : (this.map?.entities ?? []).map(entity => [entity.id, entity]));
    this.map = map;
    this.cameAt = performance.now();
    if (isOther) this.fit();
    if (this.fitted) this.frame();
  }

  fit() {
    this.fitted = true;
    this.frame();
  }

  /** Brings all that has a place into view. */
  frame() {
    const places = (this.map?.entities ?? []).filter(entity => entity.at).map(entity => entity.at);
    if (this.map?.eye) places.push(this.map.eye.at);
    if (places.length === 0) return;
    let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const [x, y] of places) {
      left = Math.min(left, x);
      right = Math.max(right, x);
      low = Math.min(low, y);
      high = Math.max(high, y);
    }
    const span = Math.max(right - left, high - low, 1);
    // Not with every step of whoever is farthest out.
    const grid = span / 8;
    const snap = (value, way) => Math[way](value / grid) * grid;
    const aim = { x: (snap(left, 'floor') + snap(right, 'ceil')) / 2, y: (snap(low, 'floor') + snap(high, 'ceil')) / 2, span: { wide: snap(right - left, 'ceil') + grid, high: snap(high - low, 'ceil') + grid } };
    const { width, height } = this.canvas.getBoundingClientRect();
    const scale = Math.min(width / aim.span.wide, height / aim.span.high) * 0.97;
    if (!this.view || this.fitted) this.view = { x: aim.x, y: aim.y, scale: Number.isFinite(scale) && scale > 0 ? scale : 1 };
  }

  screen([x, y]) {
    const { width, height } = this.canvas.getBoundingClientRect();
    return [width / 2 + (x - this.view.x) * this.view.scale, height / 2 - (y - this.view.y) * this.view.scale];
  }

  /** Where an entity is drawn now. */
  place(entity, share) {
    const old = this.before.get(entity.id)?.at;
    if (!old || share >= 1 || Math.hypot(entity.at[0] - old[0], entity.at[1] - old[1]) > 60 / this.view.scale) return entity.at;
    return [old[0] + (entity.at[0] - old[0]) * share, old[1] + (entity.at[1] - old[1]) * share];
  }

  share() {
    return Math.min(1, (performance.now() - this.cameAt) / GLIDE_MS);
  }

  draw() {
    const drawing = sharp(this.canvas);
    if (!drawing || !this.map || !this.view) return;
    const { g, width, height } = drawing;
    this.grid(g, width, height);
    if (this.map.eye) this.rings(g);
    const share = this.share();
    this.drawn = 0;
    for (const entity of this.map.entities) {
      if (!entity.at) continue;
      const [x, y] = this.screen(this.place(entity, share));
      if (x < -10 || y < -10 || x > width + 10 || y > height + 10) continue;
      this.drawn += 1;
      this.mark(g, entity, x, y);
    }
    for (const id of [this.hover, this.chosen]) {
      const entity = this.map.entities.find(other => other.id === id);
      if (entity?.at) this.label(g, entity, this.screen(this.place(entity, share)), id === this.chosen, [width, height]);
    }
    if (this.map.entities.length === 0) {
      g.fillStyle = colour('--quiet');
      g.textAlign = 'center';
      g.fillText('nothing is there', width / 2, height / 2);
    }
  }

  grid(g, width, height) {
    const wanted = 80 / this.view.scale;
    const power = 10 ** Math.floor(Math.log10(wanted));
    const step = [1, 2, 5, 10].map(part => part * power).find(part => part >= wanted);
    const [left, top] = [this.view.x - width / 2 / this.view.scale, this.view.y + height / 2 / this.view.scale];
    g.font = '11px system-ui, sans-serif';
    g.textBaseline = 'alphabetic';
    g.textAlign = 'left';
    g.lineWidth = 1;
    for (let x = Math.ceil(left / step) * step; ; x += step) {
      const [at] = this.screen([x, 0]);
      if (at > width) break;
      g.strokeStyle = Math.abs(x) < step / 2 ? '#2b3543' : '#161d27';
      g.beginPath();
      g.moveTo(Math.round(at) + 0.5, 0);
      g.lineTo(Math.round(at) + 0.5, height);
      g.stroke();
      g.fillStyle = '#566274';
      g.fillText(Number(x.toFixed(6)), at + 3, height - 4);
    }
    for (let y = Math.floor(top / step) * step; ; y -= step) {
      const at = this.screen([0, y])[1];
      if (at > height) break;
      g.strokeStyle = Math.abs(y) < step / 2 ? '#2b3543' : '#161d27';
      g.beginPath();
      g.moveTo(0, Math.round(at) + 0.5);
      g.lineTo(width, Math.round(at) + 0.5);
      g.stroke();
      g.fillStyle = '#566274';
      if (at < height - 18) g.fillText(Number(y.toFixed(6)), 3, at - 3);
    }
  }

  /** How far the client sees, and how often it is told up to where. */
  rings(g) {
    const { eye, kinds } = this.map;
    const [x, y] = this.screen(eye.at);
    const seen = new Set();
    const ring = (radius, stroke, dash, words, isBelow = false) => {
      const key = `${radius} ${stroke}`;
      if (!radius || seen.has(key)) return;
      seen.add(key);
      const size = radius * this.view.scale;
      g.strokeStyle = stroke;
      g.setLineDash(dash);
      g.beginPath();
      g.arc(x, y, size, 0, 2 * Math.PI);
      g.stroke();
      g.setLineDash([]);
      g.fillStyle = stroke;
      g.textAlign = 'center';
      g.fillText(words, x, isBelow ? y + size + 12 : y - size - 4);
    };
    g.lineWidth = 1.2;
    for (const kind of kinds) {
      ring(kind.fast_within, colour('--tier0') + '90', [2, 5], 'every frame');
      ring(kind.medium_within, colour('--tier1') + '90', [2, 5], 'second cadence');
      if (kind.enter !== null) ring(kind.enter * eye.reach, '#e2e8f0a0', [], 'enters');
      if (kind.leave !== null && kind.leave !== kind.enter) ring(kind.leave * eye.reach, '#e2e8f050', [6, 4], 'leaves', true);
    }
    g.strokeStyle = colour('--text');
    g.beginPath();
    g.moveTo(x - 7, y);
    g.lineTo(x + 7, y);
    g.moveTo(x, y - 7);
    g.lineTo(x, y + 7);
    g.stroke();
  }

  mark(g, entity, x, y) {
    const how = standing(entity);
    const size = Math.max(2.5, Math.min(6, this.view.scale * 0.9));
    if (how === null) {
      g.fillStyle = kindColour(entity.kind);
      g.beginPath();
      g.arc(x, y, size, 0, 2 * Math.PI);
      g.fill();
      return;
    }
    // Where the client has it, if that is elsewhere.
    if (entity.held_at) {
      const [hx, hy] = this.screen(entity.held_at);
      if (Math.hypot(hx - x, hy - y) > 3) {
        g.strokeStyle = '#e2e8f060';
        g.lineWidth = 1;
        g.beginPath();
        g.moveTo(x, y);
        g.lineTo(hx, hy);
        g.stroke();
        g.beginPath();
        g.arc(hx, hy, size * 0.8, 0, 2 * Math.PI);
        g.stroke();
      }
    }
    const { fill, ring } = STANDINGS[how];
    g.beginPath();
    g.arc(x, y, how === 'avatar' ? size + 1.5 : size, 0, 2 * Math.PI);
    if (fill) {
      g.fillStyle = colours(fill);
      g.fill();
    } else {
      g.lineWidth = 1.8;
      g.strokeStyle = colours(ring);
      g.stroke();
      if (how === 'hidden') {
        g.beginPath();
        g.moveTo(x - size, y + size);
        g.lineTo(x + size, y - size);
        g.stroke();
      }
    }
  }

  label(g, entity, [x, y], isChosen, [width]) {
    g.lineWidth = isChosen ? 2 : 1;
    g.strokeStyle = isChosen ? '#ffffff' : '#ffffffa0';
    g.beginPath();
    g.arc(x, y, 11, 0, 2 * Math.PI);
    g.stroke();
    const name = `${this.map.kinds[entity.kind]?.name ?? '?'} ${entity.id}`;
    const how = standing(entity);
    const words = how ? `${name} · ${STANDINGS[how].name}` : name;
    g.font = '12px system-ui, sans-serif';
    const wide = g.measureText(words).width + 12;
    const left = Math.min(Math.max(4, x + 14), width - wide - 4);
    g.fillStyle = '#0d1117e0';
    g.fillRect(left, y - 24, wide, 19);
    g.fillStyle = '#ffffff';
    g.textAlign = 'left';
    g.textBaseline = 'alphabetic';
    g.fillText(words, left + 6, y - 10);
  }

  /** The entity nearest to a point of the canvas, within reach of a finger. */
  near(x, y) {
    let [best, found] = [16, null];
    for (const entity of this.map?.entities ?? []) {
      if (!entity.at) continue;
      const [ex, ey] = this.screen(this.place(entity, this.share()));
      const away = Math.hypot(ex - x, ey - y);
      if (away < best) [best, found] = [away, entity];
    }
    return found;
  }

  listen() {
    const { canvas } = this;
    let drag = null;
    const at = event => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener('pointerdown', event => {
      canvas.setPointerCapture(event.pointerId);
      drag = { from: at(event), view: { ...this.view }, moved: false };
    });
    canvas.addEventListener('pointermove', event => {
      const [x, y] = at(event);
      if (drag) {
        const [dx, dy] = [x - drag.from[0], y - drag.from[1]];
        drag.moved ||= Math.hypot(dx, dy) > 4;
        if (drag.moved) {
          this.fitted = false;
          this.view = { ...drag.view, x: drag.view.x - dx / drag.view.scale, y: drag.view.y + dy / drag.view.scale };
        }
      } else if (this.view) {
        this.hover = this.near(x, y)?.id ?? null;
      }
    });
    canvas.addEventListener('pointerup', event => {
      if (drag && !drag.moved) {
        const found = this.near(...at(event));
        if (found) this.onPick(found.id);
      }
      drag = null;
    });
    canvas.addEventListener('pointerleave', () => { this.hover = null; });
    canvas.addEventListener('wheel', event => {
      if (!this.view) return;
      event.preventDefault();
      this.fitted = false;
      const [x, y] = at(event);
      const { width, height } = canvas.getBoundingClientRect();
      const scale = Math.min(1e4, Math.max(1e-4, this.view.scale * Math.exp(-event.deltaY / 400)));
      const factor = 1 / this.view.scale - 1 / scale;
      this.view = { scale, x: this.view.x + (x - width / 2) * factor, y: this.view.y - (y - height / 2) * factor };
    }, { passive: false });
  }
}

/** Colours by name, looked up once: a style is asked for each of thousands of marks otherwise. */
const known = new Map();
function colours(name) {
  if (!known.has(name)) known.set(name, colour(name));
  return known.get(name);
}
