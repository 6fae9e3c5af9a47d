/*
 * cgroup: how much memory the control groups of this process leave it.
 *
 * In a container sysconf tells of the machine; what the container may use is
 * the limit of its control group, or of one above it. Both versions of control
 * groups are looked at, as a machine may have both mounted.
 *
 * Any thread. No errors: what is not there or not understood is no limit.
 */
#ifndef ROCHEFORT_BASE_CGROUP_H
#define ROCHEFORT_BASE_CGROUP_H

#include <stdint.h>

#define CGROUP_NO_LIMIT INT64_MAX

/* The least limit in bytes. `root` is "" but in tests: a directory with the files of another
 * machine, proc/self/cgroup and those that it leads to. */
int64_t cgroup_memory_limit(const char *root);

#endif
