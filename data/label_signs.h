/* SPDX-License-Identifier: MIT
 *
 * Files that are called like label maps, where nobody asks for any. Internal to data/.
 */
#ifndef TSR_DATA_LABEL_SIGNS_H
#define TSR_DATA_LABEL_SIGNS_H

#include "data/listing.h"
#include "data/notice.h"

/* Looks for what is called like another image of the list: x_mask.png beside x.jpg, masks/x.png
 * beside images/x.jpg, and for such a folder beside the source. Says how many there are, that they
 * are packed as images, or not, and which options take them for label maps. Changes nothing. */
enum tsr_status tsr_label_signs_tell(const struct tsr_listing *images,
                                     const struct tsr_notice *notice,
                                     struct tsr_error *err) TSR_MUST_USE;

#endif
