/*
 * Plays the arena on a running server: walks in a square, prints once a second what it sees, and comes back when the
 * connection breaks. The WebSocket is as much of RFC 6455 as a client needs, over a plain socket of POSIX; a real program uses
 * a library for it, and TLS.
 *
 *   cargo build --release -p tickwire-c
 *   cc -std=c99 -I shared/c/include shared/c/examples/play.c target/release/libtickwire.a -lpthread -ldl -lm -o play
 *   ./play 127.0.0.1 7777 10 shared/vectors/arena_schema.json shared/src/arena/arena.tables
 */
#define _POSIX_C_SOURCE 200809L
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tickwire.h"

enum { BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };
enum { FRAME_BYTES_MAX = 1 << 17, LOST = 0 };

static void die(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static tickwire_bytes load(const char *path) {
    FILE *file = fopen(path, "rb");
    size_t room = 1 << 20;
    uint8_t *data = malloc(room);
    tickwire_bytes whole;
    if (!file || !data) die(path, "cannot be read");
    whole.len = fread(data, 1, room, file);
    whole.data = data;
    fclose(file);
    return whole;
}

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* All of it, or 0. */
static int put(int fd, const uint8_t *data, size_t len) {
    while (len > 0) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
        if (sent <= 0) return 0;
        data += sent;
        len -= (size_t)sent;
    }
    return 1;
}

/* A connection after the upgrade; -1 where there is none. */
static int dial(const char *host, const char *port) {
    struct addrinfo hints, *found;
    char head[1024];
    size_t len;
    int fd;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(host, port, &hints, &found) != 0) return -1;
    fd = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    if (fd < 0) return -1;
    snprintf(head, sizeof head,
             "GET /ws HTTP/1.1\r\nHost: %s:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGlja3dpcmUgZnJvbSBDLg==\r\nSec-WebSocket-Protocol: tickwire.v1\r\n\r\n", host, port);
    put(fd, (const uint8_t *)head, strlen(head));
    /* Byte by byte, so that nothing of the first message is taken. */
    for (len = 0; len + 1 < sizeof head && recv(fd, head + len, 1, 0) == 1; len++) {
        if (len >= 3 && memcmp(head + len - 3, "\r\n\r\n", 4) == 0) {
            if (strncmp(head, "HTTP/1.1 101", 12) == 0) return fd;
            break;
        }
    }
    close(fd);
    return -1;
}

/* One frame, masked as a client must. */
static int put_frame(int fd, int opcode, const uint8_t *data, size_t len) {
    static uint8_t frame[8 + 4096];
    size_t i, at = 2;
    if (len > 4096) return 0; /* the server takes no longer ones */
    frame[0] = (uint8_t)(0x80 | opcode);
    frame[1] = (uint8_t)(0x80 | (len < 126 ? len : 126));
    if (len >= 126) {
        frame[at++] = (uint8_t)(len >> 8);
        frame[at++] = (uint8_t)len;
    }
    for (i = 0; i < 4; i++) frame[at + i] = (uint8_t)(rand() >> 7);
    for (i = 0; i < len; i++) frame[at + 4 + i] = data[i] ^ frame[at + i % 4];
    return put(fd, frame, at + 4 + len);
}

/* How long the whole frame in front is, and where its payload begins; 0 while it is not all there. */
static size_t frame_len(const uint8_t *bytes, size_t have, size_t *payload) {
    size_t i, len, size;
    if (have < 2) return 0;
    size = bytes[1] == 127 ? 8 : bytes[1] == 126 ? 2 : 0;
    if (have < 2 + size) return 0;
    for (len = size ? 0 : bytes[1], i = 0; i < size; i++) len = len << 8 | bytes[2 + i];
    if (len > FRAME_BYTES_MAX - 10) die("the server", "sends what is none of ours");
    *payload = 2 + size;
    return have < 2 + size + len ? 0 : 2 + size + len;
}

static void show(tickwire_session *session, uint64_t now) {
    static uint64_t shown_at;
    int position = tickwire_field(session, TICKWIRE_PRIVATE, "position");
    int count = tickwire_look(session, now, NULL, NULL);
    double at[2];
    /* A program with a window looks once per picture. */
    if (now - shown_at < 1000000 || tickwire_own_values(session, position, at, 2) != 2) return;
    shown_at = now;
    printf("%u at %.1f %.1f, %d in view\n", (unsigned)tickwire_tick(session), at[0], at[1], count);
    fflush(stdout);
}

/* Whether the server has said that it goes away, the first time that it is asked for after that. */
static int is_told_to_go(const tickwire_session *session, tickwire_draining *draining) {
    static int was_told;
    int told = tickwire_get_draining(session, draining) == 1, is_new = told && !was_told;
    was_told = told;
    return is_new;
}

/* Plays until the connection ends or the time is over. Says with which close code it ended, and why. */
static int play(tickwire_session *session, int fd, uint64_t until, char *why, size_t room) {
    static const uint8_t walks[4][4] = {{127, 0, 0, 0}, {0, 127, 0, 0}, {129, 0, 0, 0}, {0, 129, 0, 0}}; /* 129 is -127 */
    static uint8_t bytes[FRAME_BYTES_MAX];
    size_t have = 0, len, payload;
    tickwire_bytes message;
    tickwire_draining draining;
    uint64_t now;
    snprintf(why, room, "lost");
    while ((now = now_us()) < until) {
        struct pollfd ready;
        ssize_t got;
        tickwire_set_input(session, walks[now / 1000000 % 4], 4, 0, now);
        while (tickwire_transmit(session, now, &message) == 1)
            if (!put_frame(fd, BINARY, message.data, message.len)) return LOST;
        ready.fd = fd;
        ready.events = POLLIN;
        if (poll(&ready, 1, 5) > 0) {
            got = recv(fd, bytes + have, sizeof bytes - have, 0);
            if (got <= 0) return LOST;
            have += (size_t)got;
        }
        while ((len = frame_len(bytes, have, &payload)) > 0) {
            int opcode = bytes[0] & 15;
            if (opcode == BINARY && tickwire_receive(session, bytes + payload, len - payload, now_us()) != 0) {
                snprintf(why, room, "%s", tickwire_error(session));
                return 4000;
            }
            if (opcode == PING) put_frame(fd, PONG, bytes + payload, len - payload);
            if (opcode == CLOSE && len - payload >= 2) {
                snprintf(why, room, "%.*s", (int)(len - payload - 2), (const char *)bytes + payload + 2);
                return bytes[payload] << 8 | bytes[payload + 1];
            }
            have -= len;
            memmove(bytes, bytes + len, have);
        }
        if (is_told_to_go(session, &draining)) {
            printf("the server goes away in %u ms, come again %u ms later\n", (unsigned)draining.closes_in_ms,
                   (unsigned)draining.retry_after_ms);
            fflush(stdout);
        }
        show(session, now_us());
    }
    put_frame(fd, CLOSE, (const uint8_t *)"\x03\xe8", 2);
    return 1000;
}

int main(int argc, char **argv) {
    tickwire_options options;
    tickwire_session *session;
    tickwire_stats stats;
    char words[256];
    uint64_t until, due = 0;

    if (argc != 6) die("usage", "play HOST PORT SECONDS SCHEMA TABLES");
    memset(&options, 0, sizeof options);
    options.schema = load(argv[4]);
    options.tables = load(argv[5]);
    options.input.data = (const uint8_t *)"\0\0\0"; /* walk x, walk y, aim, fire: zeros, by bincode */
    options.input.len = 4;
    options.name.data = (const uint8_t *)"in C";
    options.name.len = 4;
    session = tickwire_new(&options, words, sizeof words);
    if (!session) die("tickwire_new", words);
    srand((unsigned)now_us());
    until = now_us() + strtoull(argv[3], NULL, 10) * 1000000u;
    while (now_us() < until) {
        int fd = dial(argv[1], argv[2]), code = LOST;
        snprintf(words, sizeof words, "no connection");
        if (fd >= 0) {
            code = play(session, fd, until, words, sizeof words);
            close(fd);
        }
        if (now_us() >= until) break;
        fprintf(stderr, "the connection ended: %d %s\n", code, words);
        if (tickwire_ended(session, code, words, (uint32_t)rand() << 1, now_us(), &due) != 1) die("it is over", words);
        while (now_us() < due && now_us() < until) poll(NULL, 0, 5);
        tickwire_resume(session);
    }
    if (tickwire_get_stats(session, &stats) != 0 || stats.frames == 0) die("the server", "sent no frame");
    printf("%u frames, %u checksums right, %u wrong\n", (unsigned)stats.frames, (unsigned)stats.checksums,
           (unsigned)stats.mismatches);
    tickwire_free(session);
    return stats.mismatches == 0 ? 0 : 1;
}
