/*
 * root: the data directory, and the only way to open a name below it.
 *
 * Owns a descriptor of the directory, an exclusive lock (of a file whose name
 * starts with a dot, so no prefix can have it; see lock.h) and the list of the
 * directories in use (claims.h). Every file and directory below is opened
 * relative to that descriptor, one path component at a time, never through a
 * symbolic link.
 *
 * Threads: root_open and root_close belong to the main thread; between them
 * every function may be called from any thread. The object is constant then,
 * except for what root_sync_names and claims keep under locks of their own, and
 * that the lock is lost.
 *
 * Errors: 0 or a descriptor on success, otherwise -errno or one of store/error.h.
 */
#ifndef ROCHEFORT_STORE_ROOT_H
#define ROCHEFORT_STORE_ROOT_H

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The lock file, in the root itself. It stays when the lock is given up; see lock.h. */
#define ROOT_LOCK_NAME ".rochefort.lock"
/* Of the files that are made. A directory can be entered by those who may read its files: 0700. */
#define ROOT_FILE_MODE 0600

struct prefix_limit;
struct root;

/*
 * Creates `dir` and its parents where missing, opens and locks it. Errors: see lock_take. Free with
 * root_close. If users other than its owner may write to `dir`, what another user owns in it is
 * refused, here and below: STORE_FOREIGN.
 */
int root_open(const char *dir, struct root **out);
void root_close(struct root *root);

struct root_options {
    mode_t file_mode; /* of the files that are made; the umask can take from it */
    bool read_only;   /* somebody else writes: nothing is made or locked, root_check refuses */
    bool takes_over; /* another server may believe that the root is its own: see LOCK_MUST_BE_NEW */
};

/* The same with other options than ROOT_FILE_MODE and false. With `read_only` -ENOENT if it is
 * missing. */
int root_open_with(const char *dir, const struct root_options *options, struct root **out);
bool root_read_only(const struct root *root);
mode_t root_directory_mode(mode_t file_mode);

/*
 * Before each round of writes: 0 if the lock is still held, otherwise STORE_ROOT_LOST from then on,
 * and nothing may be written any more. One call to the kernel. STORE_ROOT_READ_ONLY: never.
 */
int root_check(const struct root *root);

/* So much must be free for appends: the longest value of a usual server, and the files of a prefix
 * that is made with the usual number of buckets. */
#define ROOT_ROOM_BYTES (16 * 1024 * 1024)
#define ROOT_ROOM_INODES 256

/* 0 if there is as much; -ENOSPC, STORE_FEW_INODES, or -errno if the file system does not say. One
 * call to the kernel, which may wait for the disk. */
struct root_room {
    uint64_t free_bytes, size_bytes; /* of its file system; 0 if that does not say */
};

int root_check_room(const struct root *root, struct root_room *room);

/* NULL, or in a few words why root_check has found the lock lost. */
const char *root_loss(const struct root *root);

/* How many prefixes may be in it; lives as long as `root`. */
struct prefix_limit *root_prefix_limit(const struct root *root);

/* Absolute path without a trailing slash ("" for the file system's root); lives as long as `root`.
 */
const char *root_path(const struct root *root);

/* Opens the root itself, to list what is in it; the caller closes it. 0 or -errno. */
int root_open_list(const struct root *root, DIR **out);

/*
 * Opens the directory of a prefix; the caller closes it. With `create` it is made if missing.
 * -ENOENT: missing. -ELOOP: a symbolic link has that name. -ENOTDIR: something else has it.
 * STORE_FOREIGN: see above. STORE_SAME_DIRECTORY: it is in use under another name; see claims.h.
 * From now on it is in use under this one, until root_release_directory.
 */
int root_open_directory(const struct root *root, const char *name, int create);
void root_release_directory(const struct root *root, const char *name);

/* Under which name the directory that has this name is in use; "" if under none. */
void root_find_holder(const struct root *root, const char *name, char out[NAME_MAX + 1]);

/*
 * Opens `file` in the directory of a prefix with `flags` of open(2); the caller closes it. Only
 * regular files: anything else is an error (-ELOOP for a symbolic link, -EISDIR for a directory,
 * STORE_NOT_REGULAR for the rest), and a named pipe is not waited for. STORE_NO_FILE: it or its
 * directory is missing.
 */
int root_open_file(const struct root *root, const char *name, const char *file, int flags);

/* For a file in the directory of a prefix that is not opened by root_open_file: 0, also if it is
 * missing, STORE_FOREIGN, see above, or -errno. */
int root_check_owner(const struct root *root, int directory_fd, const char *file);

/*
 * Whether `path`, "prefix/file", is the name of that very file, and how long it is; one call to the
 * kernel. Nothing is opened, so a symbolic link on the way does no harm.
 * STORE_NO_FILE: nothing has that name, or another file
 */
int root_find_file(const struct root *root, const char *path, dev_t device, ino_t inode,
                   int64_t *bytes);

/*
 * Which file `path`, "prefix/file", is, and since when it is as it is; all zero if nothing has that
 * name. Of two that are equal nothing has changed in between. One call to the kernel. 0 or -errno.
 */
struct root_stamp {
    dev_t device;
    ino_t inode;
    int64_t changed_s, changed_ns;
};

int root_stamp_file(const struct root *root, const char *path, struct root_stamp *out);
bool root_stamps_equal(const struct root_stamp *a, const struct root_stamp *b);

/*
 * Syncs the names of the prefixes in the root, and those of the directories that root_open has
 * made.
 *
 * An fsync that failed is never tried again: the kernel reports an error once, so the second call
 * could succeed with nothing written. Its error is returned once, by the first call that comes to
 * know of it; each call after it returns STORE_SYNC_REFUSED. Both set `*failed`. Other errors, for
 * instance too few descriptors (-EMFILE, -ENFILE), leave it false: another call may succeed.
 */
int root_sync_names(const struct root *root, bool *failed);

/* Whether one of its fsyncs has failed. */
bool root_sync_failed(const struct root *root);

#endif
