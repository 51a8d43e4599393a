/** Bytes as a file has them, or a WebSocket with `binaryType = 'arraybuffer'`. */
export type Bytes = Uint8Array | ArrayBuffer;

export interface Options {
  /** The game's input of a player who does nothing, encoded. */
  input: Bytes;
  /** The coding tables that the game ships with; without, the generic ones. */
  tables?: Bytes;
  /** Display name. */
  name?: string;
  /** Room; without, the server's default. */
  room?: string;
  /** Access token, where the server asks for one. */
  token?: string;
  /** What the server may send at most; without, the server decides. */
  budgetBytesPerS?: number;
}

/** `stalled`: nothing has come for a while; `resuming`: the connection was lost; `refused`: over, `refusal` says why. */
export type State = 'connecting' | 'live' | 'stalled' | 'resuming' | 'refused';

export interface Welcome {
  client: number;
  /** The entity that this client plays, where it plays one. */
  avatar: number | undefined;
  tickHz: number;
  /** The game's setup, encoded. */
  setup: Uint8Array;
}

/** What the game says happened at a tick. */
export interface GameEvent {
  tick: number;
  /** Encoded. */
  bytes: Uint8Array;
}

export type Happening =
  /** A session has begun; if there was one before, that is over and everything is new. */
  | { type: 'welcomed' }
  /** The session goes on over another connection; events that were on their way may be lost. */
  | { type: 'resumed' }
  | ({ type: 'event' } & GameEvent)
  /** An input that was set so long ago has just been seen to take part. */
  | { type: 'inputSeen'; ms: number }
  /** A checksum differed; everything comes anew. */
  | { type: 'mismatch' }
  /** The server goes away: it closes this session soon, and says when to come again. */
  | { type: 'draining'; closesInMs: number; retryAfterMs: number };

/** Where a field's numbers are in the row of an entity. */
export interface Field {
  at: number;
  count: number;
}

export interface Kind {
  name: string;
  /** How many numbers of a row it uses. */
  width: number;
  fields: Record<string, Field>;
}

export interface Layout {
  /** How many numbers a row has. */
  stride: number;
  /** By the numbers in `kinds` of a view. */
  kinds: Kind[];
  /** Of what only the own client is told. */
  own: Kind;
}

/**
 * What to draw. The numbers of entity i are `values[i * stride]` and on, in the game's units: coordinates, radians (-pi to pi), a
 * quaternion (x, y, z, w), a number, bits as a number. Arrays may be longer than `count` entities need. The same object and, while
 * they are long enough, the same arrays each time, filled anew: copy what is to be kept.
 */
export interface View {
  /** The moment that is shown, in ticks, with a fraction. */
  tick: number;
  count: number;
  ids: Uint32Array;
  /** Indices into the layout's kinds. */
  kinds: Uint8Array;
  /** 0 between two states, 1 going on as it went, 2 held where it was. */
  freshness: Uint8Array;
  values: Float64Array;
  /** What only the own client is told. */
  own: Float64Array;
}

/** The newest state as it was told, in the form of `View`. */
export interface Told {
  tick: number;
  count: number;
  ids: Uint32Array;
  kinds: Uint8Array;
  /** 1 for what nothing is told of at the moment, for lack of bandwidth. */
  parked: Uint8Array;
  values: Float64Array;
  /** The same in quanta. */
  columns: Int32Array;
  own: Float64Array;
  ownColumns: Int32Array;
}

/** Counts since the session began, and rates of the last second. */
export interface Stats {
  rttMs: number | undefined;
  jitterMs: number;
  receivedBytesPerS: number;
  sentBytesPerS: number;
  snapshotsPerS: number;
  bitsPerUpdate: number;
  visible: number;
  parked: number;
  frames: number;
  receivedBytes: number;
  sentBytes: number;
  checksums: number;
  mismatches: number;
  resyncs: number;
  happeningsForgotten: number;
}
