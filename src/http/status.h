/*
 * status: HTTP status codes, their names, and which error becomes which.
 *
 * Constant tables; any thread.
 */
#ifndef ROCHEFORT_HTTP_STATUS_H
#define ROCHEFORT_HTTP_STATUS_H

/* All statuses that are answered, from 0 on; one more for any other. */
#define STATUS_INDEXES 21
unsigned status_index(int status);
int status_at(unsigned index); /* 0: another */

const char *status_reason(int status);

/* The status for the error of a job and, in a few words, what it means. */
int status_of_error(int error, const char **meaning);

#endif
