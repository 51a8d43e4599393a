// The plain thing: `ws`, and the whole state as JSON at each tick. Made once for all where all see all; with a radius the
// text of each entity is made once and joined per client.
import { WebSocketServer } from "ws";
import { arguments_, Interest, ready, run, Scene } from "./scene.mjs";

const { port, sizeM, drones, players, radius } = arguments_();
const scene = new Scene(sizeM, drones, players);
const interest = new Interest(sizeM, drones + players, players);
const server = new WebSocketServer({ port, host: "127.0.0.1", perMessageDeflate: false }, () => ready("ws 8.23.0"));
const sockets = new Map();

server.on("connection", (socket, request) => {
  const player = +new URL(request.url, "ws://server").searchParams.get("player");
  sockets.set(player, socket);
  socket.on("message", (text) => {
    const input = JSON.parse(text), held = scene.inputs[player];
    [held.walkX, held.walkY, held.aim, held.fire] = [input.w[0], input.w[1], input.a, input.f];
  });
  socket.on("close", () => {
    sockets.delete(player);
    interest.forget(player);
  });
});

run(() => {
  scene.step();
  const whole = (body, id) => ({ id, x: body.x, y: body.y, h: body.heading, hp: body.hp, s: body.state });
  const head = `{"t":${scene.tick},"e":[`;
  const texts = scene.bodies.map((body, id) => JSON.stringify(whole(body, id)));
  if (!radius) {
    const all = Buffer.from(head + texts.join(",") + "]}");
    for (const socket of sockets.values()) socket.send(all, { binary: false });
    return;
  }
  interest.place(scene.bodies);
  const nothing = () => {};
  for (const [player, socket] of sockets) {
    if (interest.isDue(player, scene.tick)) interest.look(player, drones + player, scene.bodies, nothing, nothing);
    const near = [];
    for (const entity of interest.known[player]) near.push(texts[entity]);
    socket.send(head + near.join(",") + "]}");
  }
});
