// The arena that all peers play, and who sees whom in it: `../scene/src` in JavaScript. Integers only, so that both make
// the same world tick by tick; the measuring client compares what it is told with its own.

const TURN = 1024, FINE = 64, UNIT_BITS = 12, TURN_MAX = 24, PLAYER_SPEED = 1280, STICK_MAX = 127;
const ENTER = 10_000, LEAVE = 10_500, EVERY = 6;

class Dice {
  constructor(number) {
    this.value = (Math.imul(number + 1, 2654435761) | 1) >>> 0;
    for (let i = 0; i < 4; i++) this.next();
  }
  next() {
    let value = this.value;
    value ^= value << 13;
    value ^= value >>> 17;
    value ^= value << 5;
    return (this.value = value >>> 0);
  }
}

class Body {
  constructor(index, size) {
    const dice = (this.dice = new Dice(index));
    const place = () => Math.floor(((dice.next() >>> 8) * size) / 16777216);
    this.fineX = place();
    this.fineY = place();
    this.heading = dice.next() & 1023;
    this.hp = 100;
    this.state = 0;
    this.wanted = this.heading;
    this.speed = 320 + (index % 7) * 64;
    this.resting = false;
    this.tell();
  }
  tell() {
    this.x = (this.fineX / FINE) | 0;
    this.y = (this.fineY / FINE) | 0;
  }
  live(chance) {
    if ((chance >>> 16) % 150 === 0) {
      const hurt = 1 + (chance & 7);
      this.hp = this.hp <= hurt ? 100 : this.hp - hurt;
    }
    if ((chance >>> 20) % 60 === 0) this.state = chance & 15;
  }
  wander(size, cosines) {
    const chance = this.dice.next();
    if ((chance & 63) === 0) this.wanted = this.dice.next() & 1023;
    if ((chance >>> 6) % (this.resting ? 20 : 90) === 0) this.resting = !this.resting;
    this.live(chance);
    const off = ((this.wanted - this.heading + TURN / 2) & (TURN - 1)) - TURN / 2;
    this.heading = (this.heading + Math.min(Math.max(off, -TURN_MAX), TURN_MAX)) & (TURN - 1);
    if (this.resting) return;
    const x = this.fineX + ((cosines[this.heading] * this.speed) >> UNIT_BITS);
    const y = this.fineY + ((cosines[(this.heading - TURN / 4) & (TURN - 1)] * this.speed) >> UNIT_BITS);
    this.fineX = Math.min(Math.max(x, 0), size - 1);
    this.fineY = Math.min(Math.max(y, 0), size - 1);
    if (this.fineX !== x || this.fineY !== y) this.wanted = (this.heading + TURN / 2) & (TURN - 1);
    this.tell();
  }
  obey(input, size) {
    this.live(this.dice.next());
    this.state = (this.state & 7) | (input.fire ? 8 : 0);
    this.heading = input.aim & (TURN - 1);
    const along = (stick) => ((stick * PLAYER_SPEED) / STICK_MAX) | 0;
    this.fineX = Math.min(Math.max(this.fineX + along(input.walkX), 0), size - 1);
    this.fineY = Math.min(Math.max(this.fineY + along(input.walkY), 0), size - 1);
    this.tell();
  }
}

export class Scene {
  constructor(sizeM, drones, players) {
    this.size = sizeM * 100 * FINE;
    this.drones = drones;
    this.tick = 0;
    this.bodies = Array.from({ length: drones + players }, (_, index) => new Body(index, this.size));
    this.cosines = Int32Array.from({ length: TURN }, (_, step) =>
      Math.floor(Math.cos((step * 2 * Math.PI) / TURN) * (1 << UNIT_BITS) + 0.5));
    this.inputs = Array.from({ length: players }, () => ({ walkX: 0, walkY: 0, aim: 0, fire: false }));
  }
  step() {
    this.tick++;
    for (let i = 0; i < this.drones; i++) this.bodies[i].wander(this.size, this.cosines);
    for (let i = 0; i < this.inputs.length; i++) this.bodies[this.drones + i].obey(this.inputs[i], this.size);
  }
}

export class Interest {
  constructor(sizeM, entities, viewers) {
    this.side = Math.floor((sizeM * 100) / LEAVE) + 1;
    this.known = Array.from({ length: viewers }, () => new Set());
    this.cells = Array.from({ length: this.side * this.side }, () => []);
  }
  place(bodies) {
    for (const cell of this.cells) cell.length = 0;
    for (let i = 0; i < bodies.length; i++) {
      this.cells[((bodies[i].y / LEAVE) | 0) * this.side + ((bodies[i].x / LEAVE) | 0)].push(i);
    }
  }
  isDue(viewer, tick) {
    return (tick + viewer) % EVERY === 0 || this.known[viewer].size === 0;
  }
  look(viewer, eye, bodies, entered, left) {
    const known = this.known[viewer], at = bodies[eye];
    for (const entity of known) {
      const x = bodies[entity].x - at.x, y = bodies[entity].y - at.y;
      if (x * x + y * y > LEAVE * LEAVE) {
        known.delete(entity);
        left(entity);
      }
    }
    const column = (at.x / LEAVE) | 0, row = (at.y / LEAVE) | 0;
    for (let cellY = Math.max(row - 1, 0); cellY <= Math.min(row + 1, this.side - 1); cellY++) {
      for (let cellX = Math.max(column - 1, 0); cellX <= Math.min(column + 1, this.side - 1); cellX++) {
        for (const entity of this.cells[cellY * this.side + cellX]) {
          const x = bodies[entity].x - at.x, y = bodies[entity].y - at.y;
          if (x * x + y * y <= ENTER * ENTER && !known.has(entity)) {
            known.add(entity);
            entered(entity);
          }
        }
      }
    }
  }
  forget(viewer) {
    this.known[viewer].clear();
  }
}

// What the servers are told on their command line: PORT SIZE_M DRONES PLAYERS all|radius.
export function arguments_() {
  const [port, sizeM, drones, players, view] = process.argv.slice(2);
  return { port: +port, sizeM: +sizeM, drones: +drones, players: +players, radius: view === "radius" };
}

// Calls `tick` 30 times a second, without drift: what setInterval loses by whole milliseconds is made up for.
export function run(tick) {
  const start = performance.now();
  let ticks = 0;
  const next = () => {
    tick();
    ticks++;
    const due = start + (ticks * 1000) / 30;
    setTimeout(next, Math.max(due - performance.now(), 0));
  };
  next();
}

// Whoever says so may go: its parent ends it.
export function ready(name) {
  console.log(`ready ${name} node ${process.version}`);
}
