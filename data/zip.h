/* SPDX-License-Identifier: MIT
 *
 * The members of a zip file, in any order: stored and deflated ones, of files of any size (zip64).
 * Only names come out of it, nothing is unpacked to disk. Internal to data/.
 *
 * A zip file is not trusted: sizes are compared with the size of the file before anything is
 * allocated, no more is inflated than a member is said to have, and its checksum is looked at.
 */
#ifndef TSR_DATA_ZIP_H
#define TSR_DATA_ZIP_H

#include <stdbool.h>

#include "base/status.h"

struct tsr_zip;

struct tsr_zip_member {
    const char *name; /* as it is written there */
    uint64_t size;    /* bytes */
    uint64_t stored;  /* bytes in the file */
    uint64_t at;      /* of its header in the file */
    uint32_t crc;
    uint16_t method; /* 0: stored, 8: deflated */
    bool encrypted;
};

/* Is it a zip file, by its first bytes [size]? */
bool tsr_zip_is(const unsigned char *bytes, size_t size);

/* Reads the directory. Errors: TSR_ERR_IO, TSR_ERR_FORMAT (damaged, in several volumes). */
enum tsr_status tsr_zip_open(const char *path, struct tsr_zip **out,
                             struct tsr_error *err) TSR_MUST_USE;
void tsr_zip_close(struct tsr_zip *zip); /* accepts NULL */

/* The members, in the order of the directory: a view [*n]. */
const struct tsr_zip_member *tsr_zip_members(const struct tsr_zip *zip, size_t *n);

/* NULL, or why a member cannot be read, as the end of a sentence ("is encrypted"). */
const char *tsr_zip_obstacle(const struct tsr_zip_member *member);

/* Reads a member of at most `limit` bytes; free with free(). Any thread. Errors: TSR_ERR_IO,
 * TSR_ERR_FORMAT (too large, damaged, an obstacle). */
enum tsr_status tsr_zip_read(const struct tsr_zip *zip, size_t member, size_t limit,
                             unsigned char **bytes, size_t *size,
                             struct tsr_error *err) TSR_MUST_USE;

#endif
