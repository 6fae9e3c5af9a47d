/*
 * standard_streams: descriptors 0, 1 and 2 are taken before any file is opened.
 *
 * A program may be started with some of them closed (`2>&-`). The next file
 * that it opens would get the number, and what is meant for standard error
 * would be written into a data file.
 *
 * Once, at the start of main.
 */
#ifndef ROCHEFORT_BASE_STANDARD_STREAMS_H
#define ROCHEFORT_BASE_STANDARD_STREAMS_H

/* Opens /dev/null for those that are closed, in the wrong direction: reading and writing go on
 * failing as they would on a closed one. 0 or -errno. */
int standard_streams_open(void);

#endif
