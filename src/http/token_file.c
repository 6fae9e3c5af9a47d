#include "http/token_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_io.h"

#define MODE_REFUSED (S_IROTH | S_IWOTH | S_IWGRP)

/* NULL if tokens may be in it. */
static const char *check_status(const struct stat *status)
{
    if (!S_ISREG(status->st_mode))
        return "not a regular file";
    if (status->st_uid != geteuid() && status->st_uid != 0)
        return "it belongs to another user; it must belong to that of the server, or to root";
    if ((status->st_mode & MODE_REFUSED) != 0)
        return "others can read or write it; chmod 0600, or 0640 for a group that may read it";
    if (status->st_size > TOKEN_FILE_BYTES_MAX)
        return "it is over 512 KiB";
    return NULL;
}

static bool is_unchanged(const struct stat *before, const struct stat *after)
{
    return before->st_size == after->st_size && before->st_mtim.tv_sec == after->st_mtim.tv_sec &&
           before->st_mtim.tv_nsec == after->st_mtim.tv_nsec;
}

/* NULL if the whole file is in `text`, which has a byte more. */
static const char *read_whole(int fd, const struct stat *status, char *text)
{
    struct stat after;
    ssize_t bytes = file_read_at(fd, text, (size_t)status->st_size + 1, 0);
    if (bytes < 0)
        return strerror((int)-bytes);
    if (fstat(fd, &after) != 0)
        return strerror(errno);
    return bytes == status->st_size && is_unchanged(status, &after)
               ? NULL
               : "it changed while it was read";
}

static void say(char why[TOKEN_FILE_WHY_BYTES], const char *path, const char *what)
{
    (void)snprintf(why, TOKEN_FILE_WHY_BYTES, "%.*s: %s", PATH_MAX, path, what);
}

static struct tokens *parse(const char *path, const char *text, size_t bytes,
                            char why[TOKEN_FILE_WHY_BYTES])
{
    struct tokens_fault fault;
    struct tokens *tokens = tokens_parse(text, bytes, &fault);
    if (tokens == NULL && fault.line > 0)
        (void)snprintf(why, TOKEN_FILE_WHY_BYTES, "%.*s:%u: %s", PATH_MAX, path, fault.line,
                       fault.why);
    else if (tokens == NULL)
        say(why, path, fault.why);
    return tokens;
}

static struct tokens *read_open(const char *path, int fd, char why[TOKEN_FILE_WHY_BYTES])
{
    struct stat status;
    const char *wrong = fstat(fd, &status) == 0 ? check_status(&status) : strerror(errno);
    if (wrong != NULL) {
        say(why, path, wrong);
        return NULL;
    }
    size_t room = (size_t)status.st_size + 1;
    char *text = malloc(room);
    wrong = text == NULL ? "out of memory" : read_whole(fd, &status, text);
    struct tokens *tokens = NULL;
    if (wrong != NULL)
        say(why, path, wrong);
    else
        tokens = parse(path, text, room - 1, why);
    if (text != NULL)
        explicit_bzero(text, room);
    free(text);
    return tokens;
}

struct tokens *token_file_read(const char *path, char why[TOKEN_FILE_WHY_BYTES])
{
    /* not to wait for the other end of a FIFO */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        say(why, path, strerror(errno));
        return NULL;
    }
    struct tokens *tokens = read_open(path, fd, why);
    (void)close(fd); /* nothing was written */
    return tokens;
}
