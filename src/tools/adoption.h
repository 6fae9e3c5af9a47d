/*
 * adoption: gives one directory of bucket files the MANIFEST that it lacks.
 *
 * What the files cannot say, the hash of ids, the user says. All else is
 * checked before anything is written: that the numbers of the files have no
 * gap, that they are files of records, that nothing else is believed of them
 * already. New files are synced, and belong to the owner of the directory.
 *
 * One thread. The root must not be in use, see in_use_lock.
 */
#ifndef ROCHEFORT_TOOLS_ADOPTION_H
#define ROCHEFORT_TOOLS_ADOPTION_H

#include <stdbool.h>

#include "store/manifest.h"

/* What the command line says. */
struct adoption {
    bool has_hash;
    enum manifest_hash hash;
    bool make_missing;  /* makes lost files anew, empty */
    struct slots slots; /* none if their count is 0 */
    bool json;          /* prints lines of JSON */
};

/*
 * Adopts the directory and prints what was done; what is refused goes to standard error, and as
 * JSON to standard output too. TOOLS_WHOLE    it has a MANIFEST that says what was wanted
 *   TOOLS_DAMAGED  it was refused; or it was adopted, and damaged ranges are in its files
 *   TOOLS_USAGE    it could not be read or written
 */
int adoption_run(const struct adoption *adoption, const char *path);

#endif
