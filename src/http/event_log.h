/*
 * event_log: lines for events that may come by the thousand.
 *
 * The first event of a kind is a line at once. Those that follow are counted, and
 * event_log_report, to be called once a minute, says how many there were. A kind
 * that had none since the last report is forgotten: the next of it is a first again.
 * So a healthy server logs nothing, and a disk that stays full two lines a minute at most.
 *
 * A kind is its text. At most EVENT_LOG_KINDS are told apart, all others are counted
 * together, since clients can bring about failures of as many files as there are.
 *
 * Loop thread. No errors: without memory for a kind its events are counted with the others.
 */
#ifndef ROCHEFORT_HTTP_EVENT_LOG_H
#define ROCHEFORT_HTTP_EVENT_LOG_H

#include <stdbool.h>
#include <stdint.h>

#define EVENT_LOG_KINDS 64

/* Zeroed, but for `write`, it is empty. The fields are for event_log.c. */
struct event_log {
    void (*write)(const char *line); /* may be called by each function below */
    struct event_kind {
        char *text;
        uint64_t more; /* since the first, or the last report */
    } kinds[EVENT_LOG_KINDS];
    unsigned count;
    uint64_t others;
};

/* An event of the kind `text`, which must be printable. */
void event_log_note(struct event_log *log, const char *text);

/* Something is counted or remembered, so event_log_report must be called in a minute. */
bool event_log_wants_report(const struct event_log *log);

void event_log_report(struct event_log *log);

/* Reports what is counted, and forgets all kinds. */
void event_log_end(struct event_log *log);

#endif
