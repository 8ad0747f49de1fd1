/* SPDX-License-Identifier: MIT
 *
 * 64 bits of bytes, FNV-1a (Fowler, Noll, Vo): to tell whether two are the same, not against those
 * who make them so.
 */
#ifndef TSR_BASE_DIGEST_H
#define TSR_BASE_DIGEST_H

#include "base/api.h"

#define TSR_DIGEST_START 0xcbf29ce484222325u

/* The digest of what gave `digest`, and these bytes [n] behind it. */
static inline uint64_t tsr_digest(uint64_t digest, const void *bytes, size_t n) {
    const unsigned char *b = (const unsigned char *)bytes;
    for (size_t i = 0; i < n; i++)
        digest = (digest ^ b[i]) * 0x100000001b3u;
    return digest;
}

#endif
