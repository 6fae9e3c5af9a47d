#include "net/stream.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* With libevent's chain header powers of two: the first read of a request, and the largest. */
#define READ_BYTES_MIN (4 * 1024 - 64)
#define READ_BYTES_MAX (256 * 1024 - 64)
#define DISCARD_BYTES (64 * 1024)
/* So many reads in a row, then it is the turn of other streams. */
#define DISCARD_READS 16

static void on_event(evutil_socket_t fd, short what, void *argument)
{
    struct stream *stream = argument;
    (void)fd;
    if (what & (EV_READ | EV_CLOSED)) {
        stream->readable = true;
        stream->drained = false;
    }
    if (what & EV_CLOSED)
        stream->hung_up = true;
    stream->changed(stream->context);
}

bool stream_open(struct stream *stream, struct event_base *base, int fd,
                 void (*changed)(void *context), void *context)
{
    *stream = (struct stream){.fd = fd, .changed = changed, .context = context};
    return event_assign(&stream->event, base, fd,
                        EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST, on_event,
                        stream) == 0 &&
           event_add(&stream->event, NULL) == 0;
}

void stream_close(struct stream *stream)
{
    if (stream->fd < 0)
        return;
    if (event_initialized(&stream->event))
        (void)event_del(&stream->event);
    (void)close(stream->fd);
    stream->fd = -1;
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

enum stream_result stream_receive(struct stream *stream, struct evbuffer *into, uint64_t wanted)
{
    struct evbuffer_iovec room[2];
    if (!stream->readable)
        return STREAM_BLOCKED;
    if (wanted > READ_BYTES_MAX)
        wanted = READ_BYTES_MAX;
    if (wanted < READ_BYTES_MIN)
        wanted = READ_BYTES_MIN;
    int rooms = evbuffer_reserve_space(into, (ev_ssize_t)wanted, room, 2);
    if (rooms <= 0)
        return STREAM_FAILED;
    size_t asked = room[0].iov_len + (rooms > 1 ? room[1].iov_len : 0);
    ssize_t got;
    do
        got = readv(stream->fd, room, rooms);
    while (got < 0 && errno == EINTR);
    if (got < 0 && !would_block())
        return STREAM_FAILED;
    if (got < 0) {
        stream->readable = false;
        return STREAM_BLOCKED;
    }
    if (got == 0)
        return STREAM_ENDED;
    stream->received_bytes += (uint64_t)got;
    stream->drained = (size_t)got < asked;
    if ((size_t)got < room[0].iov_len)
        room[0].iov_len = (size_t)got;
    if (rooms > 1)
        room[1].iov_len = (size_t)got - room[0].iov_len;
    return evbuffer_commit_space(into, room, rooms) == 0 ? STREAM_DONE : STREAM_FAILED;
}

void stream_request_received(struct stream *stream)
{
    /* what is there after the peer has hung up brings no further edge */
    if (stream->drained && !stream->hung_up)
        stream->readable = false;
    stream->drained = false; /* it says nothing about what comes while the request is served */
}

enum stream_result stream_write(struct stream *stream, struct evbuffer *from)
{
    while (evbuffer_get_length(from) > 0) {
        int written = evbuffer_write(from, stream->fd);
        if (written > 0)
            stream->written_bytes += (uint64_t)written;
        else if (written < 0 && errno != EINTR)
            return would_block() ? STREAM_BLOCKED : STREAM_FAILED;
    }
    return STREAM_DONE;
}

bool stream_send_whole(struct stream *stream, const void *bytes, size_t length)
{
    ssize_t sent;
    do
        sent = send(stream->fd, bytes, length, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    stream->written_bytes += sent > 0 ? (uint64_t)sent : 0;
    return sent == (ssize_t)length;
}

bool stream_send_part(struct stream *stream, const void *bytes, size_t length)
{
    uint64_t before = stream->written_bytes;
    return !stream_send_whole(stream, bytes, length) && stream->written_bytes != before;
}

enum stream_result stream_discard(struct stream *stream)
{
    static char scratch[DISCARD_BYTES]; /* of the loop thread; nobody reads it */
    for (unsigned reads = 0; reads < DISCARD_READS; reads++) {
        ssize_t got = recv(stream->fd, scratch, sizeof(scratch), 0);
        if (got == 0)
            return STREAM_ENDED;
        if (got > 0)
            stream->received_bytes += (uint64_t)got;
        else if (errno != EINTR)
            return would_block() ? STREAM_BLOCKED : STREAM_FAILED;
    }
    return STREAM_MORE;
}

void stream_end_writing(struct stream *stream)
{
    (void)shutdown(stream->fd, SHUT_WR); /* fails if the peer is gone; the next read tells */
}

void stream_reset(struct stream *stream)
{
    static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    (void)connect(stream->fd, &nobody, sizeof(nobody)); /* it is closed after this in any case */
}

uint64_t stream_unsent_bytes(const struct stream *stream)
{
    int bytes = 0;
    return ioctl(stream->fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? (uint64_t)bytes : 0;
}

/*
 * Of a TCP socket that the peer has reset SIOCOUTQ goes on counting and reads answer 0; poll's
 * POLLHUP also says that both sides have ended in good order. Only the state is plain.
 */
bool stream_is_gone(const struct stream *stream)
{
    struct tcp_info info;
    socklen_t bytes = sizeof(info);
    if (getsockopt(stream->fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) == 0)
        return info.tcpi_state == TCP_CLOSE;
    struct pollfd asked = {.fd = stream->fd};
    return poll(&asked, 1, 0) > 0 && (asked.revents & (POLLHUP | POLLERR)) != 0;
}
