/*
 * Tests of base/cgroup: fake files of other machines, as kernels and container
 * engines write them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cgroup.h"
#include "lib/temporary.h"

#define FILES_MAX 6
#define NONE CGROUP_NO_LIMIT
#define V1_UNLIMITED "9223372036854771712\n"

#define MOUNTS_BEFORE                                                                              \
    "22 27 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n"                                      \
    "27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro\n"
#define V1(root, point)                                                                            \
    "35 30 0:31 " root " " point " rw,nosuid shared:11 - cgroup cgroup rw,memory\n"
#define V1_OTHER                                                                                   \
    "34 30 0:30 / /sys/fs/cgroup/cpu rw,nosuid shared:10 - cgroup cgroup rw,cpu,cpuacct\n"
#define V2(root, point) "30 22 0:26 " root " " point " rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
#define CG "/sys/fs/cgroup"

static const struct row {
    const char *name, *cgroup, *mounts;
    const char *files[FILES_MAX][2]; /* path, content */
    int64_t limit;
} rows[] = {
    {.name = "no files at all", .limit = NONE},
    {.name = "version 2, a limit",
     .cgroup = "0::/system.slice/rochefort.service\n",
     .mounts = MOUNTS_BEFORE V2("/", CG),
     .files = {{CG "/system.slice/rochefort.service/memory.max", "268435456\n"}},
     .limit = 268435456},
    {.name = "version 2, none",
     .cgroup = "0::/system.slice/rochefort.service\n",
     .mounts = MOUNTS_BEFORE V2("/", CG),
     .files = {{CG "/system.slice/rochefort.service/memory.max", "max\n"},
               {CG "/system.slice/memory.max", "max\n"}},
     .limit = NONE},
    {.name = "version 2, the limit is two groups up",
     .cgroup = "0::/a/b/c\n",
     .mounts = V2("/", CG),
     .files = {{CG "/a/b/c/memory.max", "max\n"},
               {CG "/a/b/memory.max", "max\n"},
               {CG "/a/memory.max", "1000000\n"}},
     .limit = 1000000},
    {.name = "version 2, the least of several",
     .cgroup = "0::/a/b/c\n",
     .mounts = V2("/", CG),
     .files = {{CG "/a/b/c/memory.max", "3000000\n"},
               {CG "/a/b/memory.max", "2000000\n"},
               {CG "/a/memory.max", "4000000\n"}},
     .limit = 2000000},
    {.name = "version 2, a group without the controller below one with it",
     .cgroup = "0::/a/b/c\n",
     .mounts = V2("/", CG),
     .files = {{CG "/a/b/c/cgroup.procs", "1\n"}, {CG "/a/memory.max", "5000000\n"}},
     .limit = 5000000},
    {.name = "version 2, a namespace of its own: the group is the mount point",
     .cgroup = "0::/\n",
     .mounts = V2("/", CG),
     .files = {{CG "/memory.max", "67108864\n"}},
     .limit = 67108864},
    {.name = "version 2, mounted from outside of the namespace",
     .cgroup = "0::/\n",
     .mounts = V2("/../..", CG),
     .files = {{CG "/memory.max", "67108864\n"}},
     .limit = 67108864},
    {.name = "version 2, a group beside the root of the namespace",
     .cgroup = "0::/../other\n",
     .mounts = V2("/", CG),
     .files = {{CG "/memory.max", "67108864\n"}},
     .limit = 67108864},
    {.name = "version 2, nothing above the mount point is looked at",
     .cgroup = "0::/a\n",
     .mounts = V2("/", CG),
     .files = {{CG "/a/memory.max", "max\n"}, {"/sys/fs/memory.max", "1\n"}},
     .limit = NONE},
    {.name = "version 1, a limit",
     .cgroup = "12:cpu,cpuacct:/\n9:pids,memory:/docker/4f3\n1:name=systemd:/docker/4f3\n",
     .mounts = V1_OTHER V1("/", CG "/memory"),
     .files = {{CG "/memory/docker/4f3/memory.limit_in_bytes", "268435456\n"},
               {CG "/memory/docker/memory.limit_in_bytes", V1_UNLIMITED},
               {CG "/memory/memory.limit_in_bytes", V1_UNLIMITED}},
     .limit = 268435456},
    {.name = "version 1, none: the machine's memory is less than what is there",
     .cgroup = "9:memory:/docker/4f3\n",
     .mounts = V1("/", CG "/memory"),
     .files = {{CG "/memory/docker/4f3/memory.limit_in_bytes", V1_UNLIMITED}},
     .limit = 9223372036854771712},
    {.name = "version 1, a parent's limit",
     .cgroup = "9:memory:/docker/4f3\n",
     .mounts = V1("/", CG "/memory"),
     .files = {{CG "/memory/docker/4f3/memory.limit_in_bytes", V1_UNLIMITED},
               {CG "/memory/docker/memory.limit_in_bytes", "123456789\n"}},
     .limit = 123456789},
    {.name = "version 1, a container sees its group as the mount point",
     .cgroup = "9:memory:/docker/4f3\n",
     .mounts = V1("/docker/4f3", CG "/memory"),
     .files = {{CG "/memory/memory.limit_in_bytes", "268435456\n"}},
     .limit = 268435456},
    {.name = "version 1, a group in the container's",
     .cgroup = "9:memory:/docker/4f3/mine\n",
     .mounts = V1("/docker/4f3", CG "/memory"),
     .files = {{CG "/memory/mine/memory.limit_in_bytes", "1048576\n"},
               {CG "/memory/memory.limit_in_bytes", "268435456\n"}},
     .limit = 1048576},
    {.name = "version 1, another container's group is mounted",
     .cgroup = "9:memory:/docker/4f3\n",
     .mounts = V1("/docker/4f", CG "/memory"),
     .files = {{CG "/memory/3/memory.limit_in_bytes", "1\n"},
               {CG "/memory/memory.limit_in_bytes", "268435456\n"}},
     .limit = 268435456},
    {.name = "version 1, not the hierarchy of another controller",
     .cgroup = "9:cpu,cpuacct:/docker/4f3\n8:memory:/\n",
     .mounts = V1_OTHER V1("/", CG "/memory"),
     .files = {{CG "/cpu/docker/4f3/memory.limit_in_bytes", "1\n"},
               {CG "/cpu/memory.limit_in_bytes", "2\n"},
               {CG "/memory/memory.limit_in_bytes", "268435456\n"}},
     .limit = 268435456},
    {.name = "hybrid: memory is in version 1, version 2 has no controllers",
     .cgroup = "9:memory:/box\n1:name=systemd:/box\n0::/box\n",
     .mounts = V1("/", CG "/memory") V2("/", CG "/unified"),
     .files = {{CG "/memory/box/memory.limit_in_bytes", "268435456\n"},
               {CG "/unified/box/cgroup.procs", "1\n"}},
     .limit = 268435456},
    {.name = "hybrid: memory is in version 2",
     .cgroup = "9:cpu:/box\n0::/box\n",
     .mounts = V1_OTHER V2("/", CG "/unified"),
     .files = {{CG "/unified/box/memory.max", "33554432\n"}},
     .limit = 33554432},
    {.name = "mounted twice: both are looked at",
     .cgroup = "0::/a\n",
     .mounts = V2("/b", "/mnt") V2("/", CG),
     .files = {{CG "/a/memory.max", "33554432\n"}},
     .limit = 33554432},
    {.name = "blanks and backslashes in a mount point, colons in a group",
     .cgroup = "0::/a:b c\n",
     .mounts = V2("/", "/my\\040cgroups\\134\\012\\\\x"),
     .files = {{"/my cgroups\\\n\\\\x/a:b c/memory.max", "33554432\n"}},
     .limit = 33554432},
    {.name = "garbage instead of a number",
     .cgroup = "0::/a/b\n",
     .mounts = V2("/", CG),
     .files = {{CG "/a/b/memory.max", "12 MB\n"}, {CG "/a/memory.max", "-1\n"}},
     .limit = NONE},
    {.name = "more digits than fit, an empty file, and no newline",
     .cgroup = "0::/a/b/c\n",
     .mounts = V2("/", CG),
     .files = {{CG "/a/b/c/memory.max", "99999999999999999999999999999999999999\n"},
               {CG "/a/b/memory.max", ""},
               {CG "/a/memory.max", "33554432"}},
     .limit = 33554432},
    {.name = "2^63 - 1",
     .cgroup = "0::/a\n",
     .mounts = V2("/", CG),
     .files = {{CG "/a/memory.max", "9223372036854775807\n"}},
     .limit = NONE},
    {.name = "0",
     .cgroup = "0::/a\n",
     .mounts = V2("/", CG),
     .files = {{CG "/a/memory.max", "0\n"}},
     .limit = 0},
    {.name = "garbage in proc/self/cgroup before the line",
     .cgroup = "\n:\n::\n0:\n0::\n0:memory\nx::/b\n0::a\n0::/a\n",
     .mounts = V2("/", CG),
     .files = {{CG "/a/memory.max", "33554432\n"}, {CG "/b/memory.max", "1\n"}},
     .limit = 33554432},
    {.name = "garbage in mountinfo before the line",
     .cgroup = "0::/a\n",
     .mounts = "\n - \n - cgroup2\n1 2 - cgroup2 x y\n1 2 3 / - cgroup2 x y\n1 2 3 / " CG
               " rw cgroup2\n" V2("/", CG),
     .files = {{CG "/a/memory.max", "33554432\n"}},
     .limit = 33554432},
    {.name = "no mountinfo", .cgroup = "0::/a\n", .limit = NONE},
    {.name = "a limit that is a directory",
     .cgroup = "0::/a\n",
     .mounts = V2("/", CG),
     .files = {{CG "/a/memory.max/x", "1\n"}},
     .limit = NONE},
};

/* Makes the directories too. */
static void put(const char *root, const char *path, const char *content)
{
    char name[TEMPORARY_PATH_BYTES];
    (void)snprintf(name, sizeof(name), "%s%s", root, path);
    for (char *at = name + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)mkdir(name, 0700);
        *at = '/';
    }
    FILE *file = fopen(name, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, strlen(content), file), strlen(content));
    assert_int_equal(fclose(file), 0);
}

static void limits_of_fake_machines(void **state)
{
    char root[TEMPORARY_PATH_BYTES];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        (void)snprintf(root, sizeof(root), "%s/%zu", (const char *)*state, i);
        assert_int_equal(mkdir(root, 0700), 0);
        if (row->cgroup != NULL)
            put(root, "/proc/self/cgroup", row->cgroup);
        if (row->mounts != NULL)
            put(root, "/proc/self/mountinfo", row->mounts);
        for (size_t f = 0; f < FILES_MAX && row->files[f][0] != NULL; f++)
            put(root, row->files[f][0], row->files[f][1]);
        int64_t limit = cgroup_memory_limit(root);
        if (limit != row->limit)
            fail_msg("%s: %lld", row->name, (long long)limit);
    }
}

/* Whatever it is here: it does not fail, and no more than the most. */
static void the_limit_of_this_machine(void **state)
{
    (void)state;
    assert_true(cgroup_memory_limit("") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(limits_of_fake_machines, temporary_make, temporary_remove),
        cmocka_unit_test(the_limit_of_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
