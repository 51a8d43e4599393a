// The rigid-body scene on Colyseus: the recorded motion, coordinates in 16 bits (1 cm), of a rotation the three smaller
// components in 16 bits each, and which is the largest; the patch is sent by hand at the end of the tick.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Server, Room, matchMaker } from "@colyseus/core";
import { Encoder, schema, t } from "@colyseus/schema";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { arguments_, ready, run } from "./scene.mjs";

const { port, drones } = arguments_();
Encoder.BUFFER_SIZE = 1 << 20;
const bytes = readFileSync(process.argv[7]);
const numbers = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
const ticks = numbers.length / 7 / drones;
const metres = () => t.quantized({ min: -327.67, max: 327.67, bits: 16 });
const component = () => t.quantized({ min: -1, max: 1, bits: 16 });
const Body = schema({
  x: metres(), y: metres(), z: metres(), a: component(), b: component(), c: component(), largest: t.uint8(),
}, "Body");
const State = schema({ tick: t.uint32(), bodies: t.map(Body) }, "State");

// The largest is told as positive: a rotation and its negative are the same.
function tellRotation(body, rotation) {
  let largest = 0;
  for (let i = 1; i < 4; i++) if (Math.abs(rotation[i]) > Math.abs(rotation[largest])) largest = i;
  const sign = rotation[largest] < 0 ? -1 : 1;
  body.largest = largest;
  body.a = sign * rotation[largest === 0 ? 1 : 0];
  body.b = sign * rotation[largest <= 1 ? 2 : 1];
  body.c = sign * rotation[largest <= 2 ? 3 : 2];
}

class Bodies extends Room {
  onCreate() {
    this.patchRate = null;
    this.autoDispose = false;
    this.state = new State();
    this.bodies = Array.from({ length: drones }, (_, id) => {
      const body = new Body();
      this.state.bodies.set(String(id), body);
      return body;
    });
    let tick = 0;
    run(() => {
      this.state.tick = ++tick;
      let at = (tick % ticks) * drones * 7;
      for (const body of this.bodies) {
        [body.x, body.y, body.z] = [numbers[at] / 100, numbers[at + 1] / 100, numbers[at + 2] / 100];
        tellRotation(body, numbers.subarray(at + 3, at + 7));
        at += 7;
      }
      this.broadcastPatch();
    });
  }
}

const server = new Server({
  greet: false,
  gracefullyShutdown: false,
  transport: new WebSocketTransport({ server: createServer(), pingInterval: 60_000 }),
});
server.define("arena", Bodies);
await server.listen(port, "127.0.0.1");
await matchMaker.createRoom("arena", {});
ready("colyseus 0.18 @colyseus/core 0.18.17 @colyseus/schema 5.0.34");
