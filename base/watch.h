/* SPDX-License-Identifier: MIT
 *
 * How the caller of a long computation sees how far it is, and ends it.
 */
#ifndef TSR_BASE_WATCH_H
#define TSR_BASE_WATCH_H

#include <stdbool.h>

#include "base/api.h"

/* Both are called on the thread that called the library, many times a second where the work is many
 * small pieces, and once a piece where they are large; either may be NULL. */
struct tsr_watch {
    int (*cancelled)(void *user);              /* nonzero ends the call: TSR_ERR_INTERRUPTED */
    void (*progress)(void *user, double done); /* the part of the work that is done, 0..1 */
    void *user;
};

/* Tells what is done, then asks: is the call to end? watch may be NULL. */
TSR_API bool tsr_watch_ends(const struct tsr_watch *watch, double done);

#endif
