/*
 * error: what the store finds out by itself.
 *
 * Functions of store/ and work/ return 0 or a negative error. It is -errno if a call to the kernel
 * has failed, and one of these if the call has succeeded and what it showed is wrong. They lie
 * below -4095, where the kernel has no errno and never will, so an EUCLEAN of ext4's or an ESTALE
 * of NFS's is not taken for a finding of ours.
 *
 * Any thread.
 */
#ifndef ROCHEFORT_STORE_ERROR_H
#define ROCHEFORT_STORE_ERROR_H

enum store_error {
    STORE_NOT_FOUND = -5000,   /* no record starts there */
    STORE_TRUNCATED,           /* the record is cut short by the end of the file */
    STORE_WOULD_BLOCK,         /* not in the page cache, and the caller does not want to wait */
    STORE_BAD_HEADER,          /* 16 bytes are not a record's header */
    STORE_EMPTY_RECORD,        /* a record of another program, without a value */
    STORE_NO_PREFIX,           /* there is no such prefix */
    STORE_INCOMPLETE,          /* its creation was cut short, and no record is there */
    STORE_FILES_MISSING,       /* bucket files are missing */
    STORE_FILES_ADDITIONAL,    /* there are more bucket files than were made */
    STORE_NO_MANIFEST,         /* records without a MANIFEST */
    STORE_MANIFEST_TORN,       /* it is empty, or was cut short */
    STORE_MANIFEST_INVALID,    /* it is no MANIFEST */
    STORE_MANIFEST_LATER,      /* it is one of a later version */
    STORE_MANIFEST_UNREADABLE, /* it is not a regular file, or permission is denied */
    STORE_NO_FILE,           /* the file or its directory is gone, or its name is another file's */
    STORE_NOT_REGULAR,       /* something else than a file or directory has its name */
    STORE_CHANGED,           /* the file is not as the server left it */
    STORE_READ_ONLY,         /* append to a bucket that was opened for reading */
    STORE_BROKEN,            /* a failed append could not be cut off: no more are taken */
    STORE_SYNC_REFUSED,      /* an earlier sync has failed: none is tried any more */
    STORE_ROOT_LOST,         /* the lock file is gone or replaced: nothing is written any more */
    STORE_ROOT_READ_ONLY,    /* the root was opened for reading only */
    STORE_LOCK_UNSTABLE,     /* the lock file was replaced again and again */
    STORE_FOREIGN,           /* another user owns it, in a root that others may write to */
    STORE_SAME_DIRECTORY,    /* a directory is open under another name */
    STORE_NAME_REFUSED,      /* no prefix of that name is made */
    STORE_TOO_MANY_PREFIXES, /* as many exist as may */
    STORE_FEW_INODES,        /* a new prefix would take the last ones */
    STORE_OTHER_END,         /* the bucket does not end where the append expects it to */
    STORE_PAST_END,          /* an offset behind the end of the bucket */
    STORE_OTHER_RECORD,      /* a record is not what it was, or does not end where it did */
    STORE_NO_BUCKET,         /* the prefix has fewer buckets */
    STORE_OTHER_SLOT,        /* the id is in a slot that is not held here */
    STORE_NOT_SYNCED,        /* a sync was asked for and is not made */
    STORE_ERROR_END          /* their number; no error */
};

/* In a few words and one line, what an error means, also one of the kernel's. Constant, or valid
 * until the thread's next call. */
const char *store_error_text(int error);

#endif
