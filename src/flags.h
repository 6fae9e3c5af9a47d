/*
 * flags: the table of the flags, and the help that is made of it.
 *
 * A flag's name, form, default, limits and help are a row of it; command_line.h reads with it.
 * Constant; main thread. No errors.
 */
#ifndef ROCHEFORT_FLAGS_H
#define ROCHEFORT_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLAGS_DEFAULT_ADDRESS "127.0.0.1:8000"
#define FLAGS_PROXY_FORM "an address, address/bits or unix"
#define FLAGS_ADDRESS_FORM "host:port, :port, [v6]:port or unix:/path"

enum flag_kind {
    FLAG_TEXT,
    FLAG_ADDRESS, /* each one is added to those before it, the first replaces the default */
    FLAG_PROXY,   /* the same */
    FLAG_NUMBER,
    FLAG_BYTES,   /* a number, with a unit or without */
    FLAG_MEMORY,  /* the same; a quarter of the memory is the default if that is less */
    FLAG_IGNORED, /* the same; checked and not used */
    FLAG_SYNC,
    FLAG_MODE,        /* the bits of `most`, in octal, with those of `least` */
    FLAG_SOCKET_MODE, /* the same, of a socket */
    FLAG_SLOTS,
    FLAG_SWITCH /* has no value */
};

struct flag {
    const char *name, *value;
    const char *standard; /* the default, as it would be given; NULL if there is none */
    const char *help;
    enum flag_kind kind;
    size_t field;        /* of struct options */
    int64_t least, most; /* INT64_MAX: no limit */
};

/* The i-th flag; NULL after the last. */
const struct flag *flags_get(size_t i);

/* NULL if no flag has this name, of so many bytes. */
const struct flag *flags_find(const char *name, size_t bytes);

/* Whether KiB, MiB or GiB may follow its number. */
bool flag_takes_units(const struct flag *flag);

/* Of KiB, MiB, GiB, or nothing; 0 if it is no unit. */
int64_t flags_unit_bytes(const char *name);

/* To standard output. */
void flags_print_help(void);

#endif
