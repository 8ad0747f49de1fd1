/* SPDX-License-Identifier: MIT
 *
 * The kinds of sources. Internal to data/: for the registry and the kinds.
 */
#ifndef TSR_DATA_SOURCE_KINDS_H
#define TSR_DATA_SOURCE_KINDS_H

#include "data/source.h"

extern const struct tsr_source_kind tsr_h5_source, tsr_npy_source, tsr_npz_source;

#endif
