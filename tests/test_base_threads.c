/* SPDX-License-Identifier: MIT
 *
 * The number of threads: what the environment, a request and the control groups of a container say.
 * Control groups are trees of text files, and those of the tests stand in a folder of their own.
 */
#define _XOPEN_SOURCE 700
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include <cmocka.h>

#include "base/threads.h"

static char root[] = "/tmp/tessera-cgroup-XXXXXX";
static char groups[64];

static void write_file(const char *name, const char *text) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs(text, f);
    (void)fclose(f);
}

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *walk) {
    (void)s;
    (void)type;
    (void)walk;
    return remove(path);
}

static int begin(void **state) {
    (void)state;
    strcpy(root + sizeof root - 7, "XXXXXX");
    if (!mkdtemp(root)) return -1;
    (void)snprintf(groups, sizeof groups, "%s/self", root);
    return 0;
}

static int end(void **state) {
    (void)state;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void version_2(void **state) {
    (void)state;
    write_file("self", "0::/\n");
    assert_int_equal(tsr_processor_quota(groups, root), 0);
    write_file("cpu.max", "max 100000\n");
    assert_int_equal(tsr_processor_quota(groups, root), 0);
    write_file("cpu.max", "200000 100000\n");
    assert_int_equal(tsr_processor_quota(groups, root), 2);
    write_file("cpu.max", "250000 100000\n");
    assert_int_equal(tsr_processor_quota(groups, root), 3);
    write_file("cpu.max", "50000 100000\n");
    assert_int_equal(tsr_processor_quota(groups, root), 1);
}

/* A service without a limit of its own in a slice that has one. */
static void the_least_of_all_above(void **state) {
    (void)state;
    write_file("self", "0::/work.slice/job.scope/part\n");
    write_file("work.slice/job.scope/part/cpu.max", "800000 100000\n");
    write_file("work.slice/job.scope/cpu.max", "max 100000\n");
    assert_int_equal(tsr_processor_quota(groups, root), 8);
    write_file("work.slice/cpu.max", "350000 100000\n");
    assert_int_equal(tsr_processor_quota(groups, root), 4);
    write_file("other.slice/cpu.max", "100000 100000\n");
    assert_int_equal(tsr_processor_quota(groups, root), 4);
}

static void version_1(void **state) {
    (void)state;
    write_file("self", "12:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/x\n");
    write_file("cpu/cpu.cfs_quota_us", "-1\n");
    write_file("cpu/cpu.cfs_period_us", "100000\n");
    assert_int_equal(tsr_processor_quota(groups, root), 0);
    write_file("cpu/docker/abc/cpu.cfs_quota_us", "150000\n");
    write_file("cpu/docker/abc/cpu.cfs_period_us", "50000\n");
    assert_int_equal(tsr_processor_quota(groups, root), 3);
    /* Within the container its group is the root of what it sees. */
    write_file("cpu/cpu.cfs_quota_us", "200000\n");
    assert_int_equal(tsr_processor_quota(groups, root), 2);
}

static void text_that_makes_no_sense(void **state) {
    (void)state;
    assert_int_equal(tsr_processor_quota("/nowhere/at/all", root), 0);
    static const char *const lists[] = {
        "", "\n", "0:", "0::", "0::x\n", "cpuset,cpu", "3:cpuset:/\n"};
    write_file("cpu.max", "100000 100000\n");
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        write_file("self", lists[i]);
        assert_int_equal(tsr_processor_quota(groups, root), 0);
    }
    static const char *const limits[] = {"",      "100000",      "100000 0\n",
                                         "x y\n", "100000 -5\n", "0 9\n"};
    write_file("self", "0::/a/../b//c/\n");
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        write_file("cpu.max", limits[i]);
        assert_int_equal(tsr_processor_quota(groups, root), 0);
    }
}

static void requests(void **state) {
    (void)state;
#ifdef _OPENMP
    assert_int_equal(tsr_thread_count(1), 1);
    assert_int_equal(tsr_thread_count(7), 7);
    assert_int_equal(tsr_thread_count(SIZE_MAX), TSR_MAX_THREADS);
    size_t quota = tsr_processor_quota("/proc/self/cgroup", "/sys/fs/cgroup");
    int before = omp_get_max_threads();
    omp_set_num_threads(3); /* what OMP_NUM_THREADS=3 does at the start */
    assert_int_equal(tsr_thread_count(0), quota != 0 && quota < 3 ? quota : 3);
    omp_set_num_threads(1);
    assert_int_equal(tsr_thread_count(0), 1);
    omp_set_num_threads(before);
#else
    assert_int_equal(tsr_thread_count(0), 1);
    assert_int_equal(tsr_thread_count(7), 1);
#endif
    assert_int_equal(tsr_thread_number(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(version_2, begin, end),
        cmocka_unit_test_setup_teardown(the_least_of_all_above, begin, end),
        cmocka_unit_test_setup_teardown(version_1, begin, end),
        cmocka_unit_test_setup_teardown(text_that_makes_no_sense, begin, end),
        cmocka_unit_test(requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
