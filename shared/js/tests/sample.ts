// What a strict compiler must take, and, where it is told to expect an error, what it must not.
import init, { Session, type Happening, type Layout, type Options, type State, type View } from '../pkg/tickwire.js';

const options: Options = { input: new Uint8Array(4), name: 'ann', budgetBytesPerS: 65536 };

export async function play(socket: WebSocket, schema: object, paper: CanvasRenderingContext2D): Promise<Session> {
  await init();
  const session = new Session(schema, options);
  const { kinds, stride }: Layout = session.layout;
  const player: number = kinds.findIndex(kind => kind.name === 'Player');
  const at: number = kinds[player]?.fields['position']?.at ?? 0;
  socket.binaryType = 'arraybuffer';
  socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => session.handleMessage(data, performance.now());
  socket.onclose = closed => {
    const due: number | undefined = session.ended(closed, Math.random(), performance.now());
    if (due === undefined) console.error(session.refusal?.toUpperCase());
  };
  const message = session.pollTransmit(performance.now());
  if (message) socket.send(message);
  session.setInput(Uint8Array.of(127, 0, 0, 0).buffer, performance.now());
  session.setInput(Uint8Array.of(127, 0, 0, 1), performance.now(), true);
  const view: View | undefined = session.view(performance.now());
  for (let i = 0; view && i < view.count; i++) {
    const x: number | undefined = view.values[i * stride + at];
    paper.fillText(String(view.ids[i]), x ?? 0, 0);
    const spawn: Uint8Array | undefined = session.spawn(i);
    console.log(spawn?.length);
  }
  return session;
}

export function say(happening: Happening, state: State): string {
  switch (happening.type) {
    case 'event': return `${happening.tick}: ${happening.bytes.length} bytes`;
    case 'inputSeen': return `${happening.ms} ms`;
    case 'draining': return `closes in ${happening.closesInMs} ms, come again ${happening.retryAfterMs} ms later`;
    case 'welcomed': case 'resumed': case 'mismatch': return state === 'live' ? happening.type : '';
    default: return happening satisfies never;
  }
}

// @ts-expect-error: a session needs an input
export const without: Options = { name: 'ann' };
// @ts-expect-error: text is no message
export const text = (session: Session) => session.handleMessage('text', 0);
// @ts-expect-error: there is no such state
export const state: State = 'playing';
// @ts-expect-error: before the first frame there is nothing to draw
export const count = (session: Session): number => session.view(0).count;
