#include "store/writeback.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND 1000000000
#define PAUSE 7 /* times what the last call took */

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

static int64_t whole_pages(const struct writeback *writeback, int64_t bytes)
{
    return bytes - bytes % writeback->page_bytes;
}

void writeback_start(struct writeback *writeback, int64_t every_bytes, int64_t tail,
                     int64_t *not_before_ns)
{
    long page_bytes = sysconf(_SC_PAGESIZE);
    writeback->every_bytes = every_bytes;
    writeback->page_bytes = page_bytes > 0 ? page_bytes : 1;
    writeback->told = whole_pages(writeback, tail);
    writeback->not_before_ns = not_before_ns;
}

void writeback_move(struct writeback *writeback, int fd, int64_t tail)
{
    if (writeback->every_bytes == 0)
        return;
    int64_t whole = whole_pages(writeback, tail);
    if (whole < writeback->told)
        writeback->told = whole;
    int64_t bytes = whole - writeback->told;
    if (bytes == 0 || bytes < writeback->every_bytes)
        return;
    int64_t begun_ns = now_ns();
    if (begun_ns < *writeback->not_before_ns)
        return;
    /*
     * An error here is no error of an append. The call only begins; what it may meet is that there
     * is no memory, or no room where the file system had promised some, and the kernel's own thread
     * would have met that seconds later with nobody to tell. That the disk could not write, the
     * kernel remembers with the file until it is asked. fsync asks, and so would a wait here
     * (SYNC_FILE_RANGE_WAIT_*), which must therefore not be made without passing its error on: the
     * fsync after it would be told that all is well. Without one this takes nothing away. It is
     * not tried again either: there is more to tell soon, and the kernel writes it in any case.
     */
    (void)sync_file_range(fd, writeback->told, bytes, SYNC_FILE_RANGE_WRITE);
    writeback->told = whole;
    int64_t ended_ns = now_ns();
    *writeback->not_before_ns = ended_ns + PAUSE * (ended_ns - begun_ns);
}
