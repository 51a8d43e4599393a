// Colyseus as its own documentation would have it for this arena, shown at its best: integer fields as narrow as they can
// be, the patch sent by hand at the end of the tick (no second timer), inputs as raw bytes (no msgpack, no `defineInput`,
// which would give every client a frame of its own), views only where not everybody sees everything.
import { createServer } from "node:http";
import { Server, Room, matchMaker } from "@colyseus/core";
import { Encoder, schema, t, StateView } from "@colyseus/schema";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { arguments_, Interest, ready, run, Scene } from "./scene.mjs";

const { port, sizeM, drones, players, radius } = arguments_();
Encoder.BUFFER_SIZE = 1 << 20;
// A coordinate in 16 bits: exact up to 655 m. Above that a quantum is a little more than a centimetre (1.53 cm at 1 km),
// since the next width would be 32 bits.
const metres = () => t.quantized({ min: 0, max: sizeM, bits: 16 });
const position = sizeM > 655 ? metres : () => t.uint16();
const place = sizeM > 655 ? (cm) => cm / 100 : (cm) => cm;
const Entity = schema({
  x: position(), y: position(), heading: t.uint16(), hp: t.uint8(), state: t.uint8(),
}, "Entity");
const entities = t.map(Entity);
const State = schema({ tick: t.uint32(), entities: radius ? entities.view() : entities }, "State");

const scene = new Scene(sizeM, drones, players);
const interest = new Interest(sizeM, drones + players, players);

class Arena extends Room {
  onCreate() {
    this.patchRate = null;
    this.autoDispose = false;
    this.maxMessagesPerSecond = Infinity;
    this.seatReservationTimeout = 60;
    this.state = new State();
    this.seen = scene.bodies.map((body, id) => {
      const entity = new Entity();
      this.tell(entity, body);
      this.state.entities.set(String(id), entity);
      return entity;
    });
    this.viewers = new Map();
    this.onMessageBytes(1, (client, bytes) => {
      const input = scene.inputs[client.userData];
      input.walkX = (bytes[0] << 24) >> 24;
      input.walkY = (bytes[1] << 24) >> 24;
      input.aim = bytes[2] | ((bytes[3] & 3) << 8);
      input.fire = bytes[3] >= 128;
    });
    run(() => this.tick());
  }
  tell(entity, body) {
    entity.x = place(body.x);
    entity.y = place(body.y);
    entity.heading = body.heading;
    entity.hp = body.hp;
    entity.state = body.state;
  }
  tick() {
    scene.step();
    this.state.tick = scene.tick;
    for (let i = 0; i < this.seen.length; i++) this.tell(this.seen[i], scene.bodies[i]);
    if (radius) this.look();
    this.broadcastPatch();
  }
  look() {
    interest.place(scene.bodies);
    for (const client of this.clients) {
      const player = client.userData;
      if (client.view === undefined || !interest.isDue(player, scene.tick)) continue;
      interest.look(player, drones + player, scene.bodies,
        (entity) => client.view.add(this.seen[entity]),
        (entity) => client.view.remove(this.seen[entity]));
    }
  }
  onJoin(client, { player }) {
    client.userData = player;
    if (radius) client.view = new StateView();
  }
  onLeave(client) {
    interest.forget(client.userData);
  }
}

const server = new Server({
  greet: false,
  gracefullyShutdown: false,
  transport: new WebSocketTransport({ server: createServer(), pingInterval: 60_000 }),
});
server.define("arena", Arena);
await server.listen(port, "127.0.0.1");
await matchMaker.createRoom("arena", {});
ready("colyseus 0.18 @colyseus/core 0.18.17 @colyseus/schema 5.0.34");
