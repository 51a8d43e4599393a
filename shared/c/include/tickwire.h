/*
 * The Tickwire client for C: bytes and times in, the world and bytes out. No socket, no clock, no thread. Any game, by its
 * schema (what `tickwire-server schema --json` prints); inputs, commands, events and spawns are the game's own bytes.
 *
 * Link with libtickwire.a (`cargo build --release -p tickwire-c`). shared/c/examples/play.c is a whole program.
 *
 * A session belongs to one thread at a time. Times are microseconds of a clock of yours that only goes forward. Functions
 * that return int return TICKWIRE_* below 0 when they failed; tickwire_error() has the words. Nothing here aborts the
 * program: null pointers and indices that are none are answered with TICKWIRE_INVALID. Pointers that come out are valid until
 * the next call with the same session, unless said otherwise.
 */
#ifndef TICKWIRE_H
#define TICKWIRE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TICKWIRE_INVALID (-1) /* an argument is null, or no such thing */
#define TICKWIRE_ENDED (-2)   /* the message was refused: close the connection, the session cannot go on */
#define TICKWIRE_PANIC (-3)   /* a bug of ours: close the session, report it */

/* Where a kind is asked for: the private state, which only its own client is told. */
#define TICKWIRE_PRIVATE (-1)
/* Most columns of a kind, and so most values of a field or of an entity. */
#define TICKWIRE_COLUMNS_MAX 24

typedef struct tickwire_session tickwire_session;

typedef struct tickwire_bytes {
    const uint8_t *data; /* may be null where len is 0 */
    size_t len;
} tickwire_bytes;

typedef struct tickwire_options {
    tickwire_bytes schema; /* JSON */
    tickwire_bytes tables; /* the coding tables that the game ships with; empty for the generic ones */
    tickwire_bytes input;  /* the game's input of a player who does nothing, encoded */
    tickwire_bytes name;   /* UTF-8, as are room and token */
    tickwire_bytes room;   /* empty for the server's default */
    tickwire_bytes token;  /* empty for none */
    uint32_t budget_bytes_per_s; /* that the server may send at most; 0 leaves it to the server */
} tickwire_options;

/* A session that will say Hello first; null when the options make no sense. Then `error` (of `room` bytes, may be null) has
 * the words, cut to fit, with a zero at the end. To be freed with tickwire_free. */
tickwire_session *tickwire_new(const tickwire_options *options, char *error, size_t room);
void tickwire_free(tickwire_session *session); /* null is fine */
/* The words of the last failure, with a zero at the end; empty where there was none. */
const char *tickwire_error(const tickwire_session *session);

/* Another connection in place of one that has ended: Hello goes first again. 1 if it asks to go on with an earlier session. */
int tickwire_resume(tickwire_session *session);
/* A connection ended, or did not come about: with this close code (0 where there was none) and reason (may be null). `random`
 * is any number, another one each time. 1, and when to open another one and call tickwire_resume; 0 when there is no point: the
 * session is then refused. */
int tickwire_ended(tickwire_session *session, int code, const char *reason, uint32_t random, uint64_t now_us, uint64_t *due_us);
/* A binary message arrived. 0, or TICKWIRE_ENDED. */
int tickwire_receive(tickwire_session *session, const uint8_t *data, size_t len, uint64_t now_us);
/* The next message to send, one binary message each. 1 if there is one. To be called until it gives none. */
int tickwire_transmit(tickwire_session *session, uint64_t now_us, tickwire_bytes *message);
/* What the player wants from now on. `aims`: not 0 where the game says that such an input is aimed at what is seen. */
int tickwire_set_input(tickwire_session *session, const uint8_t *data, size_t len, int aims, uint64_t now_us);
/* A command. 1, or 0 when too many are waiting: it is not sent. */
int tickwire_send_command(tickwire_session *session, const uint8_t *data, size_t len);

/* How the session is doing. */
enum { TICKWIRE_CONNECTING, TICKWIRE_LIVE, TICKWIRE_STALLED, TICKWIRE_RESUMING, TICKWIRE_REFUSED };
int tickwire_state(const tickwire_session *session, uint64_t now_us);

typedef struct tickwire_welcome {
    uint32_t client;
    uint32_t tick_hz;
    int has_avatar;
    uint32_t avatar; /* the entity that this client plays, where it plays one */
    tickwire_bytes setup;
} tickwire_welcome;
/* 1 once Welcome has arrived. */
int tickwire_get_welcome(const tickwire_session *session, tickwire_welcome *welcome);

/* The server goes away. */
typedef struct tickwire_draining {
    uint32_t closes_in_ms;   /* how long this session had at most when that was said */
    uint32_t retry_after_ms; /* how long after the close it is worth while to come again; tickwire_ended knows it too */
} tickwire_draining;
/* 1 once the server has said so over the connection at hand: time to tell the player. */
int tickwire_get_draining(const tickwire_session *session, tickwire_draining *draining);

typedef struct tickwire_stats {
    uint64_t frames, received_bytes, sent_bytes, mismatches, checksums, resyncs;
    uint64_t rtt_us; /* 0 while it is not known */
} tickwire_stats;
int tickwire_get_stats(const tickwire_session *session, tickwire_stats *stats);

/* The next event as it arrives, with its tick. 1 if there is one. To be called until it gives none. */
int tickwire_next_event(tickwire_session *session, uint32_t *tick, tickwire_bytes *event);
/* The same, when what tickwire_look shows has reached it. */
int tickwire_next_shown_event(tickwire_session *session, uint32_t *tick, tickwire_bytes *event);

/* The schema: the number of a kind, or of a field of a kind; TICKWIRE_INVALID where there is none of that name. */
int tickwire_kind(const tickwire_session *session, const char *name);
int tickwire_field(const tickwire_session *session, int kind, const char *name);

/* The newest state, as it was told. */
typedef struct tickwire_entity {
    uint32_t id;
    int kind;
    tickwire_bytes spawn; /* told once, when it entered */
    int is_parked;        /* told nothing of at the moment, for lack of bandwidth */
    uint32_t cut;         /* tick of its last jump, or of its entering */
} tickwire_entity;
uint32_t tickwire_tick(const tickwire_session *session); /* of that state; 0 before Welcome */
int tickwire_count(const tickwire_session *session);
int tickwire_get(const tickwire_session *session, int index, tickwire_entity *entity);
/* Columns in quanta: how many there are, of which at most `room` are written. */
int tickwire_columns(const tickwire_session *session, int index, int32_t *columns, size_t room);
int tickwire_private_columns(const tickwire_session *session, int32_t *columns, size_t room);
/* One field in the game's units: coordinates, radians (-pi to pi), a quaternion (x, y, z, w), a number, bits as a number.
 * How many values there are; TICKWIRE_INVALID where `room` is too small. */
int tickwire_values(const tickwire_session *session, int index, int field, double *values, size_t room);
int tickwire_private_values(const tickwire_session *session, int field, double *values, size_t room);

/* What to draw, between two states: to be called once per picture. How many entities are shown; 0 before the first frame.
 * The tick that is shown is tick + fraction/256. */
typedef struct tickwire_shown {
    uint32_t id;
    int kind;
    int freshness; /* 0 between two states, 1 going on as it went, 2 held where it was */
} tickwire_shown;
int tickwire_look(tickwire_session *session, uint64_t now_us, uint32_t *tick, uint8_t *fraction);
int tickwire_get_shown(const tickwire_session *session, int index, tickwire_shown *shown);
int tickwire_shown_values(const tickwire_session *session, int index, int field, double *values, size_t room);
/* The private state as it is to be shown. */
int tickwire_own_values(const tickwire_session *session, int field, double *values, size_t room);

#ifdef __cplusplus
}
#endif
#endif
