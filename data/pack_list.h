/* SPDX-License-Identifier: MIT
 *
 * What is packed: which images, of which split, with which label maps. Internal to data/.
 */
#ifndef TSR_DATA_PACK_LIST_H
#define TSR_DATA_PACK_LIST_H

#include "data/label_reader.h"
#include "data/listing.h"
#include "data/pack.h"

/* Fills `listing`, and `labels` where label maps come from files; both to be cleared in any case.
 * The errors and the callbacks are those of tsr_pack(). */
enum tsr_status tsr_pack_list(const struct tsr_pack_config *config, const char *const *sources,
                              size_t n_sources, const struct tsr_pack_callbacks *callbacks,
                              struct tsr_listing *listing, struct tsr_label_reader *labels,
                              struct tsr_pack_report *report, struct tsr_error *err) TSR_MUST_USE;

#endif
