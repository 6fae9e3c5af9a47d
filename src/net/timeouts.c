#include "net/timeouts.h"

#include "net/connection.h"
#include "net/farewell.h"

static unsigned phase_of(const struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_READING:
        if (connection->waiting != NULL)
            return PATIENCE_WITH_US;
        if (!framing_midway(&connection->framing, connection->inbox))
            return PATIENCE_IDLE;
        return connection->framing.state == FRAMING_HEAD ? PATIENCE_HEAD : PATIENCE_BODY;
    case CONNECTION_WRITING:
        return PATIENCE_REPLY;
    case CONNECTION_LINGERING:
        return PATIENCE_LINGER;
    case CONNECTION_SERVING:
    case CONNECTION_DEAD:
        break;
    }
    return PATIENCE_WITH_US;
}

/* All that came in, and all that the client's machine has taken. */
static uint64_t moved_bytes(const struct connection *connection)
{
    uint64_t unsent_bytes = 0;
    if (connection->state == CONNECTION_WRITING || connection->state == CONNECTION_LINGERING)
        unsent_bytes = farewell_unsent_bytes(connection);
    return connection->received_bytes + connection->written_bytes - unsent_bytes;
}

/* A window of the body or the reply is over. False if too little has moved in it. */
static bool fast_enough(const struct patience *patience, struct connection *connection,
                        time_t elapsed_s)
{
    struct patience_seen *seen = &connection->seen;
    uint64_t moved = moved_bytes(connection);
    bool good = moved - seen->moved_bytes >= patience->bytes_a_second_min * (uint64_t)elapsed_s;
    seen->since_s += elapsed_s;
    seen->moved_bytes = moved;
    return good;
}

static void judge(const struct patience *patience, struct connection *connection, time_t elapsed_s)
{
    const time_t idle_s = patience->idle_seconds, head_s = patience->head_seconds,
                 window_s = patience->window_seconds;
    switch (connection->seen.phase) {
    case PATIENCE_IDLE:
        if (idle_s > 0 && elapsed_s >= idle_s)
            farewell_leave(connection);
        break;
    case PATIENCE_HEAD:
        if (head_s > 0 && elapsed_s >= head_s)
            farewell_refuse(connection, 408, "the head of the request took too long");
        break;
    case PATIENCE_BODY:
        if (elapsed_s >= window_s && !fast_enough(patience, connection, elapsed_s))
            farewell_refuse(connection, 408, "the body came too slowly");
        break;
    case PATIENCE_REPLY:
        if (elapsed_s >= window_s && !fast_enough(patience, connection, elapsed_s))
            connection_abort(connection);
        break;
    case PATIENCE_LINGER:
        /* closed now, what is left would stay in the kernel, and nobody would look after it */
        if (elapsed_s >= FAREWELL_SECONDS && farewell_unsent_bytes(connection) == 0)
            connection_end(connection);
        else if (elapsed_s >= window_s && !fast_enough(patience, connection, elapsed_s))
            connection_abort(connection);
        break;
    case PATIENCE_WITH_US:
        break;
    }
}

void patience_begin(struct connection *connection, time_t now_s)
{
    connection->seen = (struct patience_seen){.phase = PATIENCE_IDLE, .since_s = now_s};
}

void patience_look(const struct patience *patience, struct connection *connection, time_t now_s)
{
    struct patience_seen *seen = &connection->seen;
    unsigned phase = phase_of(connection);
    if (phase == seen->phase && connection->requests == seen->requests) {
        judge(patience, connection, now_s - seen->since_s);
        return;
    }
    seen->phase = phase;
    seen->requests = connection->requests;
    seen->since_s = now_s;
    seen->moved_bytes = moved_bytes(connection);
}
