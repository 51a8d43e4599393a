/*
 * Plays a recorded session through the Tickwire client and prints every state that it then holds, in the form of
 * shared/vectors/arena_states.txt. A real program does the same with a WebSocket in place of the file.
 *
 *   cargo build --release -p tickwire-c
 *   cc -std=c99 -I shared/c/include shared/c/examples/vectors.c target/release/libtickwire.a -lpthread -ldl -lm -o vectors
 *   ./vectors shared/vectors/arena_schema.json shared/src/arena/arena.tables shared/vectors/arena_messages.txt
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tickwire.h"

static void die(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

/* A whole file, with a zero behind it. */
static tickwire_bytes load(const char *path) {
    FILE *file = fopen(path, "rb");
    size_t room = 1 << 20;
    uint8_t *data = malloc(room + 1);
    tickwire_bytes whole;
    if (!file || !data) die(path, "cannot be read");
    whole.len = fread(data, 1, room, file);
    if (whole.len == room) die(path, "is too long for this example");
    data[whole.len] = 0;
    whole.data = data;
    fclose(file);
    return whole;
}

static void print_columns(const int32_t *columns, int count) {
    int i;
    for (i = 0; i < count; i++) printf(" %d", (int)columns[i]);
    printf("\n");
}

static void print_states(const tickwire_session *session) {
    int32_t columns[TICKWIRE_COLUMNS_MAX];
    unsigned tick = tickwire_tick(session);
    int i, count = tickwire_count(session);
    for (i = 0; i < count; i++) {
        tickwire_entity entity;
        if (tickwire_get(session, i, &entity) != 0) die("tickwire_get", "no such entity");
        printf("%u slot %d id %u kind %d :", tick, i, (unsigned)entity.id, entity.kind);
        print_columns(columns, tickwire_columns(session, i, columns, TICKWIRE_COLUMNS_MAX));
    }
    printf("%u private :", tick);
    print_columns(columns, tickwire_private_columns(session, columns, TICKWIRE_COLUMNS_MAX));
}

/* The same in the game's units, by the names of the schema. */
static void print_players(const tickwire_session *session) {
    int player = tickwire_kind(session, "Player");
    int position = tickwire_field(session, player, "position");
    int aim = tickwire_field(session, player, "aim");
    int hp = tickwire_field(session, player, "hp");
    int i;
    for (i = 0; i < tickwire_count(session); i++) {
        tickwire_entity entity;
        double at[2], angle, points;
        if (tickwire_get(session, i, &entity) != 0 || entity.kind != player) continue;
        if (tickwire_values(session, i, position, at, 2) != 2 || tickwire_values(session, i, aim, &angle, 1) != 1 ||
            tickwire_values(session, i, hp, &points, 1) != 1)
            die("tickwire_values", "the schema is another one");
        fprintf(stderr, "player %u at %.2f %.2f looks %.3f has %.0f\n", (unsigned)entity.id, at[0], at[1], angle, points);
    }
}

int main(int argc, char **argv) {
    static const uint8_t hands_off[4] = {0, 0, 0, 0}; /* walk x, walk y, aim, fire: zeros, by bincode */
    static uint8_t message[1 << 16];
    tickwire_options options;
    tickwire_session *session;
    tickwire_bytes out, text;
    tickwire_stats stats;
    char words[256];
    const char *line;
    uint64_t now = 0;

    if (argc != 4) die("usage", "vectors SCHEMA TABLES MESSAGES");
    memset(&options, 0, sizeof options);
    options.schema = load(argv[1]);
    options.tables = load(argv[2]);
    options.input.data = hands_off;
    options.input.len = sizeof hands_off;
    options.name.data = (const uint8_t *)"ann";
    options.name.len = 3;
    options.budget_bytes_per_s = 1024;
    session = tickwire_new(&options, words, sizeof words);
    if (!session) die("tickwire_new", words);

    text = load(argv[3]);
    for (line = (const char *)text.data; *line; line += strcspn(line, "\n") + 1) {
        size_t i, len = strcspn(line, "\n") / 2;
        if (len > sizeof message) die(argv[3], "a message is too long");
        for (i = 0; i < len; i++) {
            unsigned byte = 0;
            if (sscanf(line + 2 * i, "%2x", &byte) != 1) die(argv[3], "is not hexadecimal");
            message[i] = (uint8_t)byte;
        }
        if (line == (const char *)text.data) { /* our own Hello */
            if (tickwire_transmit(session, now, &out) != 1 || out.len != len || memcmp(out.data, message, len) != 0)
                die("Hello", "differs from the recorded one");
            continue;
        }
        if (tickwire_receive(session, message, len, now) != 0) die("tickwire_receive", tickwire_error(session));
        if (tickwire_tick(session) < 20 || tickwire_tick(session) % 8 == 0) print_states(session);
        now += 33333;
    }
    print_players(session);
    if (tickwire_get_stats(session, &stats) != 0 || stats.mismatches != 0 || stats.checksums == 0)
        die("checksums", "differ");
    fprintf(stderr, "%u frames, %u checksums right\n", (unsigned)stats.frames, (unsigned)stats.checksums);
    tickwire_free(session);
    return 0;
}
