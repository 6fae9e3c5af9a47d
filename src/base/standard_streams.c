#include "base/standard_streams.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int standard_streams_open(void)
{
    for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++) {
        if (fcntl(stream, F_GETFD) >= 0) /* fails for nothing else */
            continue;
        /* The lowest number that is free, and all below it are taken. Not closed by exec. */
        int fd = open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        if (fd < 0)
            return -errno;
    }
    return 0;
}
