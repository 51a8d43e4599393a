// socket.io with what changed as JSON: one event per tick, encoded once where all see all, per client where not.
// WebSocket from the beginning (no polling), no compression.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { arguments_, Interest, ready, run, Scene } from "./scene.mjs";

const { port, sizeM, drones, players, radius } = arguments_();
const scene = new Scene(sizeM, drones, players);
const interest = new Interest(sizeM, drones + players, players);
const http = createServer();
const io = new Server(http, { transports: ["websocket"], serveClient: false });
const sockets = new Map();

const whole = (body, id) => ({ id, x: body.x, y: body.y, h: body.heading, hp: body.hp, s: body.state });
let told = scene.bodies.map(whole);

io.on("connection", (socket) => {
  const player = +socket.handshake.query.player;
  sockets.set(player, socket);
  socket.on("i", (input) => {
    const held = scene.inputs[player];
    [held.walkX, held.walkY, held.aim, held.fire] = [input.w[0], input.w[1], input.a, input.f];
  });
  socket.on("disconnect", () => {
    sockets.delete(player);
    interest.forget(player);
  });
  if (!radius) socket.emit("s", { t: scene.tick, e: told });
});

// What changed of an entity since the tick before, or undefined.
function change(before, now) {
  let changed;
  for (const key in now) if (key !== "id" && now[key] !== before[key]) (changed ??= { id: now.id })[key] = now[key];
  return changed;
}

run(() => {
  scene.step();
  const now = scene.bodies.map(whole);
  const changes = now.map((entity, i) => change(told[i], entity));
  told = now;
  if (!radius) {
    io.emit("s", { t: scene.tick, e: changes.filter((changed) => changed !== undefined) });
    return;
  }
  interest.place(scene.bodies);
  for (const [player, socket] of sockets) {
    const message = { t: scene.tick, e: [] };
    const news = new Set();
    if (interest.isDue(player, scene.tick)) {
      interest.look(player, drones + player, scene.bodies,
        (entity) => news.add(entity), (entity) => (message.gone ??= []).push(entity));
    }
    for (const entity of interest.known[player]) {
      const item = news.has(entity) ? now[entity] : changes[entity];
      if (item !== undefined) message.e.push(item);
    }
    socket.emit("s", message);
  }
});
http.listen(port, "127.0.0.1", () => ready("socket.io 4.8.4"));
