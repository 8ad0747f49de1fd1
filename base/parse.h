/* SPDX-License-Identifier: MIT
 *
 * Settings from text: the reverse of printing them. The decimal point is a point in any locale.
 */
#ifndef TSR_BASE_PARSE_H
#define TSR_BASE_PARSE_H

#include "base/setting.h"

/* A finite decimal number, the whole text. TSR_ERR_CONFIG names `what`. */
TSR_API enum tsr_status tsr_parse_number(const char *what, const char *text, double *value,
                                         struct tsr_error *err) TSR_MUST_USE;

/* A parameter: a number or one of its choices. Its range is not looked at. */
TSR_API enum tsr_status tsr_parse_param(const struct tsr_param *row, const char *text,
                                        double *value, struct tsr_error *err) TSR_MUST_USE;

/* An object by its name, then its positional parameters joined by 'x', then others by name:
 * "grid 8x8", "segment 9, merge color", "siren, omega_first 15". What is not given has its default.
 * Values are in range. TSR_ERR_NOT_FOUND, TSR_ERR_CONFIG. */
TSR_API enum tsr_status tsr_parse_choice(const struct tsr_registry *registry, const char *text,
                                         struct tsr_choice *choice,
                                         struct tsr_error *err) TSR_MUST_USE;

/* Sets a setting of any type. After an error it is as it was. */
TSR_API enum tsr_status tsr_parse_setting(const struct tsr_setting *setting, const char *text,
                                          struct tsr_error *err) TSR_MUST_USE;

#endif
