/* SPDX-License-Identifier: MIT */
#include "base/watch.h"

bool tsr_watch_ends(const struct tsr_watch *watch, double done) {
    if (!watch) return false;
    if (watch->progress) watch->progress(watch->user, done);
    return watch->cancelled && watch->cancelled(watch->user);
}
