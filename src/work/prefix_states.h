/*
 * prefix_states: how a prefix is opened and closed, and what its requests wait for.
 *
 * See enum prefix_state, and the drawing in DESIGN.md. The router's; loop thread.
 */
#ifndef ROCHEFORT_WORK_PREFIX_STATES_H
#define ROCHEFORT_WORK_PREFIX_STATES_H

#include "work/open_prefix.h"

/* Serves the parked jobs in order until one has to wait. The prefix is freed if nothing keeps it.
 */
void prefix_states_serve(struct open_prefix *prefix);

/* One less is in flight: what has waited for that goes on. */
void prefix_states_job_finished(struct open_prefix *prefix);

/* An append has found the directory deleted, and waits in `again`. The prefix is closed, so that
 * nothing goes on in deleted files, and opened again for it. */
void prefix_states_reopen(struct open_prefix *prefix);

#endif
