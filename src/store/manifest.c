#include "store/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_io.h"
#include "store/error.h"
#include "store/names.h"

#define VERSION "1"
#define FIRST_WORD "rochefort "
#define SLOTS_WORD "slots "

/* Its name while it is written. The dot keeps it from being anything else; one that a kill has left
 * is written over. */
#define NEW_NAME "." MANIFEST_NAME ".new"

static const char *const hash_names[] = {[MANIFEST_XXH3] = "xxh3", [MANIFEST_FNV1A] = "fnv1a"};
#define HASHES (sizeof(hash_names) / sizeof(hash_names[0]))

/* What is left of the text. `ended`: it was right so far, and more was wanted. */
struct text {
    const char *at, *end;
    bool ended;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take_word(struct text *text, const char *word)
{
    size_t bytes = strlen(word), left = (size_t)(text->end - text->at);
    if (memcmp(text->at, word, left < bytes ? left : bytes) != 0)
        return false;
    text->ended = left < bytes;
    text->at += left < bytes ? left : bytes;
    return !text->ended;
}

/* A decimal number without leading zeros, at most `most`. */
static bool take_manifest_number(struct text *text, unsigned most, unsigned *number)
{
    const char *first = text->at;
    unsigned long value = 0;
    for (; text->at < text->end && is_digit(*text->at); text->at++) {
        value = value * 10 + (unsigned long)(*text->at - '0');
        if (value > most || (*first == '0' && text->at > first))
            return false;
    }
    text->ended = text->at == text->end;
    *number = (unsigned)value;
    return text->at > first;
}

static bool take_slots(struct text *text, struct slots *slots)
{
    return take_manifest_number(text, SLOTS_MAX, &slots->first) && take_word(text, "-") &&
           take_manifest_number(text, SLOTS_MAX, &slots->last) && take_word(text, "/") &&
           take_manifest_number(text, SLOTS_MAX, &slots->count) && slots->first <= slots->last &&
           slots->last < slots->count;
}

static bool take_hash(struct text *text, enum manifest_hash *hash)
{
    for (size_t i = 0; i < HASHES; i++) {
        struct text attempt = *text;
        bool taken = take_word(&attempt, hash_names[i]);
        if (taken || attempt.ended) {
            *text = attempt;
            *hash = (enum manifest_hash)i;
            return taken;
        }
    }
    return false;
}

static bool take_lines(struct text *text, struct manifest *manifest)
{
    if (!take_word(text, FIRST_WORD VERSION "\nbuckets ") ||
        !take_manifest_number(text, PREFIX_BUCKETS_MAX, &manifest->buckets) ||
        !take_word(text, "\nhash ") || !take_hash(text, &manifest->hash) || !take_word(text, "\n"))
        return false;
    if (text->at == text->end)
        return true;
    return take_word(text, SLOTS_WORD) && take_slots(text, &manifest->slots) &&
           take_word(text, "\n");
}

/* "rochefort N" with an N over 1, however large. */
static bool is_later(const char *bytes, size_t count)
{
    struct text text = {bytes, bytes + count, false};
    if (!take_word(&text, FIRST_WORD) || text.at == text.end || *text.at == '0')
        return false;
    const char *number = text.at;
    while (text.at < text.end && is_digit(*text.at))
        text.at++;
    size_t digits = (size_t)(text.at - number);
    bool first = digits == strlen(VERSION) && memcmp(number, VERSION, digits) == 0;
    return digits > 0 && !first && (text.at == text.end || *text.at == '\n');
}

static bool is_zeros(const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != '\0')
            return false;
    return true;
}

int manifest_parse(const char *bytes, size_t count, struct manifest *manifest)
{
    struct text text = {bytes, bytes + count, false};
    *manifest = (struct manifest){0};
    if (take_lines(&text, manifest))
        return text.at == text.end && manifest->buckets > 0 ? 0 : STORE_MANIFEST_INVALID;
    /* a power cut can leave zeros, or a length without a content */
    if (text.ended || is_zeros(bytes, count))
        return STORE_MANIFEST_TORN;
    return is_later(bytes, count) ? STORE_MANIFEST_LATER : STORE_MANIFEST_INVALID;
}

bool manifest_parse_slots(const char *bytes, struct slots *slots)
{
    struct text text = {bytes, bytes + strlen(bytes), false};
    return take_slots(&text, slots) && text.at == text.end;
}

void manifest_format_slots(const struct slots *slots, char out[SLOTS_TEXT_BYTES])
{
    (void)snprintf(out, SLOTS_TEXT_BYTES, "%u-%u/%u", slots->first, slots->last, slots->count);
}

bool manifest_parse_hash(const char *name, enum manifest_hash *hash)
{
    struct text text = {name, name + strlen(name), false};
    return take_hash(&text, hash) && text.at == text.end;
}

const char *manifest_hash_name(enum manifest_hash hash)
{
    return hash_names[hash];
}

size_t manifest_format(const struct manifest *manifest, char out[MANIFEST_BYTES_MAX])
{
    char slots[SLOTS_TEXT_BYTES] = "";
    bool has_slots = manifest->slots.count != 0;
    if (has_slots)
        manifest_format_slots(&manifest->slots, slots);
    int bytes =
        snprintf(out, MANIFEST_BYTES_MAX, FIRST_WORD VERSION "\nbuckets %u\nhash %s\n%s%s%s",
                 manifest->buckets, hash_names[manifest->hash], has_slots ? SLOTS_WORD : "", slots,
                 has_slots ? "\n" : "");
    return (size_t)bytes;
}

bool manifest_equal(const struct manifest *a, const struct manifest *b)
{
    return a->buckets == b->buckets && a->hash == b->hash && a->slots.count == b->slots.count &&
           a->slots.first == b->slots.first && a->slots.last == b->slots.last;
}

static int manifest_open_error(int error)
{
    switch (error) {
    case ENOENT:
        return STORE_NO_MANIFEST;
    case EACCES:
    case EPERM:
    case ELOOP: /* a symbolic link */
    case ENXIO: /* a socket */
        return STORE_MANIFEST_UNREADABLE;
    default:
        return -error;
    }
}

int manifest_read(int directory_fd, struct manifest *manifest)
{
    char text[MANIFEST_BYTES_MAX + 1] = {0}; /* one more than a valid one can have */
    struct stat status;
    /* O_NONBLOCK: a named pipe in its place must not hold the caller up */
    int fd = openat(directory_fd, MANIFEST_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return manifest_open_error(errno);
    ssize_t got;
    if (fstat(fd, &status) != 0)
        got = -errno;
    else if (S_ISREG(status.st_mode))
        got = file_read_at(fd, text, sizeof(text), 0);
    else
        got = STORE_MANIFEST_UNREADABLE;
    (void)close(fd);
    return got < 0 ? (int)got : manifest_parse(text, (size_t)got, manifest);
}

static int write_new(const struct root *root, const char *name, const struct manifest *manifest)
{
    char text[MANIFEST_BYTES_MAX];
    size_t bytes = manifest_format(manifest, text);
    int fd = root_open_file(root, name, NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0)
        return fd;
    int error = file_write_at(fd, text, bytes, 0);
    if (close(fd) != 0 && error == 0)
        error = -errno;
    return error;
}

int manifest_write(const struct root *root, const char *name, int directory_fd,
                   const struct manifest *manifest)
{
    int error = write_new(root, name, manifest);
    if (error == 0 && renameat(directory_fd, NEW_NAME, directory_fd, MANIFEST_NAME) != 0)
        error = -errno;
    if (error != 0)
        (void)unlinkat(directory_fd, NEW_NAME, 0);
    return error;
}

int manifest_remove(int directory_fd)
{
    return unlinkat(directory_fd, MANIFEST_NAME, 0) == 0 || errno == ENOENT ? 0 : -errno;
}

void manifest_path(const char *name, char out[MANIFEST_PATH_BYTES])
{
    (void)snprintf(out, MANIFEST_PATH_BYTES, "%s/%s", name, MANIFEST_NAME);
}
