/*
 * lock: the lock file of a data directory, and whether it is still there.
 *
 * An exclusive flock on a file. The lock belongs to the file and not to its
 * name, so another process could delete or replace the file, and a third one
 * lock the new one. Hence two rules: lock_take holds the lock of a file only
 * if the name still leads to it once it is locked, and who has taken a lock
 * calls lock_check before each round of writes. Once the name was found to be
 * missing, another file's, or unreadable, the lock is lost for good.
 *
 * A file system on a network can take a lock away from a process that it does
 * not hear from, and give it to another, and the first does not learn of it. So
 * who has got the lock puts a new file into its place, which is locked before it
 * has the name: lock_check of the first then finds another file.
 *
 * A write that is under way while the name changes is not stopped by that.
 *
 * lock_check and lock_loss: any thread; the others: one thread, before and after.
 * Errors: 0, -errno or one of store/error.h.
 */
#ifndef ROCHEFORT_STORE_LOCK_H
#define ROCHEFORT_STORE_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

struct lock;

enum lock_flags {
    LOCK_OWN_ONLY = 1,   /* the file must not be another user's */
    LOCK_MUST_BE_NEW = 2 /* an error if no new file can be made; see above */
};

/*
 * Locks the regular file `name` in a directory, makes it with the mode if it is missing, and puts a
 * new one of the same owner and mode into its place. Without LOCK_MUST_BE_NEW the old one stays,
 * locked, if there is no room for a new one or the directory may not be written to.
 * `directory_fd` stays the caller's and must outlive the lock. Free with lock_release.
 *   -EWOULDBLOCK          another process holds the lock
 *   STORE_FOREIGN         with LOCK_OWN_ONLY: another user owns the file
 *   STORE_LOCK_UNSTABLE   each file that was locked had lost its name by then
 */
int lock_take(int directory_fd, const char *name, mode_t mode, enum lock_flags flags,
              struct lock **out);

/* Gives the lock up; the file stays. NULL is ignored. */
void lock_release(struct lock *lock);

/* 0 if the name still is that of the locked file; one call to the kernel. Otherwise
 * STORE_ROOT_LOST, also at all later calls. */
int lock_check(struct lock *lock);

/* NULL, or in a few words why lock_check has found the lock lost. */
const char *lock_loss(const struct lock *lock);

#endif
