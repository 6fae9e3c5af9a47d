#include "store/error.h"

#include <string.h>

/* Indexed by error - STORE_NOT_FOUND. */
static const char *const texts[STORE_ERROR_END - STORE_NOT_FOUND] = {
    "no record starts there",
    "the record is cut short",
    "not in memory",
    "not the header of a record",
    "the record is empty",
    "no such prefix",
    "the creation of the prefix was cut short",
    "bucket files are missing",
    "there are more bucket files than were made",
    "there is no MANIFEST, so it is not known which file an id is in",
    "MANIFEST is empty or cut short, so it is not known which file an id is in",
    "MANIFEST is not valid, so it is not known which file an id is in",
    "MANIFEST is of a later version of rochefort",
    "MANIFEST cannot be read: it must be a regular file that the server's user may read",
    "no such file or directory",
    "not a regular file",
    "the file was changed behind the server's back; close its prefix to go on",
    "the file is open for reading only",
    ("the file takes no appends until its prefix is closed or the server restarts: a failed one "
     "could not be cut off"),
    ("an earlier sync of this file failed; until its prefix is closed or the server restarts it "
     "takes no more appends that are to be synced"),
    "the server has lost its lock of the root and writes nothing any more",
    "this server only reads (-read-only)",
    "the lock file was replaced again and again",
    "it belongs to another user, and the root may be written to by others",
    "its directory is open under the name of another storagePrefix",
    "no prefix is made whose name has control characters (U+0080 to U+009F) or is not UTF-8",
    "no more prefixes are made: as many exist as -max-prefixes allows",
    "no more prefixes are made: the file system has too few inodes left",
    "the file has another end than was expected",
    "behind the end",
    "the record before it is another one now",
    "no such bucket",
    "an id is in a slot of another node",
    "the file could not be synced now",
};

const char *store_error_text(int error)
{
    if (error >= STORE_NOT_FOUND && error < STORE_ERROR_END)
        return texts[error - STORE_NOT_FOUND];
    return strerror(-error);
}
