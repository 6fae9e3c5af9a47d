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

/*
 * Opens the regular file `name` in a directory, makes it if it is missing, and locks it.
 * `directory_fd` stays the caller's and must outlive the lock. Free with lock_release.
 *   -EWOULDBLOCK          another process holds the lock
 *   STORE_FOREIGN         with `own_only`: another user owns the file
 *   STORE_LOCK_UNSTABLE   each file that was locked had lost its name by then
 */
int lock_take(int directory_fd, const char *name, mode_t mode, bool own_only, struct lock **out);

/* Gives the lock up; the file stays. NULL is ignored. */
void lock_release(struct lock *lock);

/* 0 if the name still is that of the locked file; one call to the kernel. Otherwise
 * STORE_ROOT_LOST, also at all later calls. */
int lock_check(struct lock *lock);

/* NULL, or in a few words why lock_check has found the lock lost. */
const char *lock_loss(const struct lock *lock);

#endif
