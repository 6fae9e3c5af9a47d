/*
 * exposition: metrics as text, for Prometheus or as one JSON object.
 *
 * A family is begun, gets its samples, and ends with the next one. In JSON a
 * family without labels is a number, one with labels an array of
 * {"labels":{},"value":}; a suffix makes a key of its own.
 * Names, labels and help are trusted: nothing is escaped. Any thread.
 */
#ifndef ROCHEFORT_HTTP_EXPOSITION_H
#define ROCHEFORT_HTTP_EXPOSITION_H

#include <stdbool.h>

struct evbuffer;

struct exposition {
    struct evbuffer *out;
    bool json;
    const char *name, *suffix; /* of the family at hand */
    unsigned keys, samples;
    bool has_key, is_array;
    bool out_of_memory; /* the text is not whole */
};

struct exposition_label {
    const char *name, *value; /* NULL: no more */
};

/* `type` is Prometheus's; `labelled`: its samples have labels. */
void exposition_family(struct exposition *exposition, const char *name, const char *type,
                       const char *help, bool labelled);

/* Of a histogram, the samples with this suffix follow; in the second they have no labels. */
void exposition_suffix(struct exposition *exposition, const char *suffix);
void exposition_plain_suffix(struct exposition *exposition, const char *suffix);

/* At most two labels; NULL: none. */
void exposition_sample(struct exposition *exposition, const struct exposition_label *labels,
                       double value);

void exposition_end(struct exposition *exposition);

#endif
