/* SPDX-License-Identifier: MIT
 *
 * What sources that are arrays share: an image on its way from the array to pixels, and which split
 * the name of an array tells. Internal to data/.
 */
#ifndef TSR_DATA_ARRAY_ITEM_H
#define TSR_DATA_ARRAY_ITEM_H

#include "data/source.h"
#include "data/view.h"

/* Room for the values of an image that is seen through `view`; NULL: for an image file of `bytes`
 * bytes. *values is the place for them, in out->bytes. */
enum tsr_status tsr_array_item_create(const struct tsr_view *view, size_t bytes, const char *name,
                                      struct tsr_fetched *out, void **values,
                                      struct tsr_error *err) TSR_MUST_USE;
/* The decode() of such sources. */
enum tsr_status tsr_array_item_decode(const void *state, const struct tsr_listed *item,
                                      struct tsr_fetched *fetched, const struct tsr_image_as *as,
                                      struct tsr_image *out, struct tsr_error *err) TSR_MUST_USE;

/* The label map of an item that was seen as one, or that is a file of one (tsr_label_map_decode(),
 * by whom `by` says).
 * Does not free what was fetched. */
enum tsr_status tsr_array_item_label_map(const char *name, const struct tsr_fetched *fetched,
                                         const struct tsr_decoding *by, struct tsr_label_map *out,
                                         struct tsr_error *err) TSR_MUST_USE;

/* Is the last part of the name one that arrays of label maps have, or of other maps that are no
 * images? */
bool tsr_array_named_labels(const char *name);

/* Notes the name of an array that may be label maps. */
void tsr_array_note(struct tsr_source *source, const char *name);

/* "x_train" and "val/images" name a split, "images" does not: enum tsr_split, or TSR_UNDECIDED. */
uint8_t tsr_array_split(const char *name);

/* Cuts the next name off a list "a,b,c": where it ends, *rest is moved behind it; *rest NULL: it
 * was the last. */
size_t tsr_array_next_name(const char *list, const char **rest);

#endif
