/* SPDX-License-Identifier: MIT
 *
 * Settings as attributes of files, by their visitors (base/setting.h): setting `name` of the group
 * `network` is the attribute `name` of /network. A choice is the attribute `name` with the name of
 * the object, and one attribute for each of its parameters. docs/formats.md. Internal.
 */
#ifndef TSR_IMAGE_ATTRIBUTES_H
#define TSR_IMAGE_ATTRIBUTES_H

#include "base/setting.h"
#include "data/h5.h"

/* The fn of a visitor; user: the struct tsr_h5 *. Reading: an optional attribute that is absent
 * leaves the value as it is (of a choice: the default). TSR_ERR_FORMAT names file, group and
 * attribute. Values are not checked for their range. */
enum tsr_status tsr_attribute_write(void *file, const struct tsr_setting *setting,
                                    struct tsr_error *err);
enum tsr_status tsr_attribute_read(void *file, const struct tsr_setting *setting,
                                   struct tsr_error *err);

/* Attributes of the root: format, its version, the version of the program and the command, which
 * may be NULL. */
enum tsr_status tsr_format_write(struct tsr_h5 *file, const char *format, const char *command,
                                 struct tsr_error *err) TSR_MUST_USE;
/* TSR_ERR_FORMAT for another format, TSR_ERR_VERSION for one that is newer. */
enum tsr_status tsr_format_check(struct tsr_h5 *file, const char *expected,
                                 struct tsr_error *err) TSR_MUST_USE;

#endif
