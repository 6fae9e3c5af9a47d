#include "http/event_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer ones are cut off; so are lines of the log. */
#define LINE_BYTES_MAX 2048

static struct event_kind *find_kind(struct event_log *log, const char *text)
{
    for (unsigned i = 0; i < log->count; i++)
        if (strcmp(log->kinds[i].text, text) == 0)
            return &log->kinds[i];
    return NULL;
}

void event_log_note(struct event_log *log, const char *text)
{
    struct event_kind *kind = find_kind(log, text);
    if (kind != NULL) {
        kind->more++;
        return;
    }
    char *copy = log->count < EVENT_LOG_KINDS ? strdup(text) : NULL;
    if (copy == NULL) {
        log->others++;
        return;
    }
    log->kinds[log->count++] = (struct event_kind){.text = copy};
    log->write(text);
}

bool event_log_wants_report(const struct event_log *log)
{
    return log->count > 0 || log->others > 0;
}

static void report_kind(const struct event_log *log, const struct event_kind *kind)
{
    char line[LINE_BYTES_MAX];
    (void)snprintf(line, sizeof(line), "%" PRIu64 " more in the last minute: %s", kind->more,
                   kind->text);
    log->write(line);
}

static void report_others(struct event_log *log)
{
    char line[LINE_BYTES_MAX];
    if (log->others == 0)
        return;
    (void)snprintf(line, sizeof(line),
                   "%" PRIu64 " in the last minute of other files or reasons: only %d of them are "
                   "told apart",
                   log->others, EVENT_LOG_KINDS);
    log->write(line);
    log->others = 0;
}

void event_log_report(struct event_log *log)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < log->count; i++) {
        struct event_kind kind = log->kinds[i];
        if (kind.more == 0) {
            free(kind.text);
            continue;
        }
        report_kind(log, &kind);
        kind.more = 0;
        log->kinds[kept++] = kind;
    }
    log->count = kept;
    report_others(log);
}

void event_log_end(struct event_log *log)
{
    event_log_report(log); /* kinds that were counted are kept */
    for (unsigned i = 0; i < log->count; i++)
        free(log->kinds[i].text);
    log->count = 0;
}
