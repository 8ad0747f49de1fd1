/* SPDX-License-Identifier: MIT
 *
 * The kinds of sources, and what archives among them share. Internal to data/: for the registry and
 * the kinds.
 */
#ifndef TSR_DATA_SOURCE_KINDS_H
#define TSR_DATA_SOURCE_KINDS_H

#include "data/source.h"

extern const struct tsr_source_kind tsr_h5_source, tsr_npy_source, tsr_npz_source;
extern const struct tsr_source_kind tsr_zip_source, tsr_archive_source;

/* Is this name in an archive that of the member? "./" before it does not count. */
bool tsr_is_member(const char *name, const char *member);
/* TSR_ERR_NOT_FOUND. */
enum tsr_status tsr_no_member(const char *archive, const char *member, struct tsr_error *err);

#endif
