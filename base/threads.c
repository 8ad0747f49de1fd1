/* SPDX-License-Identifier: MIT */
#include "base/threads.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* The first line of root/group/name; false if there is none. */
static bool first_line(const char *root, const char *group, const char *name, char *out,
                       size_t size) {
    char path[4096];
    int n = snprintf(path, sizeof path, "%s%s/%s", root, group, name);
    if (n < 0 || (size_t)n >= sizeof path) return false;
    FILE *f = fopen(path, "r");
    if (!f) return false;
    bool found = fgets(out, (int)size, f) != NULL;
    (void)fclose(f);
    return found;
}

/* Time per period, rounded up; 0 for what is no limit ("max", -1) or makes no sense. */
static size_t processors(const char *time, const char *period) {
    char *end;
    long long t = strtoll(time, &end, 10);
    if (end == time || t <= 0) return 0;
    long long p = strtoll(period, &end, 10);
    if (end == period || p <= 0) return 0;
    return (size_t)(t / p + (t % p != 0));
}

static size_t least(size_t a, size_t b) {
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* One group of version 2 ("200000 100000" in cpu.max) or 1 (two files). */
static size_t group_quota(const char *root, const char *group, bool version2) {
    char time[128], period[128];
    if (version2) {
        if (!first_line(root, group, "cpu.max", time, sizeof time)) return 0;
        const char *blank = strchr(time, ' ');
        return blank ? processors(time, blank) : 0;
    }
    if (!first_line(root, group, "cpu.cfs_quota_us", time, sizeof time) ||
        !first_line(root, group, "cpu.cfs_period_us", period, sizeof period))
        return 0;
    return processors(time, period);
}

/* The group and all above it. A container sees its own group as the root, whatever its path says.
 */
static size_t quota_up(const char *root, char *group, bool version2) {
    size_t quota = 0;
    while (*group) {
        quota = least(quota, group_quota(root, group, version2));
        *strrchr(group, '/') = '\0';
    }
    return least(quota, group_quota(root, "", version2));
}

/* Is "cpu" one of the controllers of "cpu,cpuacct"? */
static bool has_cpu(const char *controllers, size_t length) {
    for (size_t at = 0; at < length;) {
        size_t n = 0;
        while (at + n < length && controllers[at + n] != ',')
            n++;
        if (n == 3 && memcmp(controllers + at, "cpu", 3) == 0) return true;
        at += n + 1;
    }
    return false;
}

/* A line is "0::/path" (version 2) or "4:cpu,cpuacct:/path". */
static size_t line_quota(char *line, const char *root) {
    char *controllers = strchr(line, ':'),
         *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path || path[1] != '/') return 0;
    size_t length = (size_t)(path - controllers - 1);
    char *group = path + 1;
    group[strcspn(group, "\n")] = '\0';
    if (length == 0) return quota_up(root, group, true);
    if (!has_cpu(controllers + 1, length)) return 0;
    char mount[4096];
    int n = snprintf(mount, sizeof mount, "%s/cpu", root);
    return n > 0 && (size_t)n < sizeof mount ? quota_up(mount, group, false) : 0;
}

size_t tsr_processor_quota(const char *groups, const char *root) {
    FILE *f = fopen(groups, "r");
    if (!f) return 0;
    char line[4096];
    size_t quota = 0;
    while (fgets(line, sizeof line, f))
        quota = least(quota, line_quota(line, root));
    (void)fclose(f);
    return quota;
}

size_t tsr_thread_count(size_t requested) {
#ifdef _OPENMP
    if (requested > TSR_MAX_THREADS) return TSR_MAX_THREADS;
    if (requested > 0) return requested;
    int wanted = omp_get_max_threads();
    size_t n = wanted > 0 ? (size_t)wanted : 1;
    n = least(tsr_processor_quota("/proc/self/cgroup", "/sys/fs/cgroup"), n);
    return n < TSR_MAX_THREADS ? n : TSR_MAX_THREADS;
#else
    (void)requested;
    return 1;
#endif
}

size_t tsr_thread_number(void) {
#ifdef _OPENMP
    return (size_t)omp_get_thread_num();
#else
    return 0;
#endif
}
