/* SPDX-License-Identifier: MIT
 *
 * Status codes and error text.
 *
 * Every fallible function returns an enum tsr_status (TSR_OK is 0) and takes a struct tsr_error
 * last, which belongs to the caller and may be NULL. A message names the thing, the value found and
 * the rule. Nothing here is global, nothing is printed.
 *
 *     struct tsr_error err = {0};
 *     if (tsr_model_load("faces.h5", &model, &err)) fprintf(stderr, "%s\n", err.message);
 *
 * The types themselves are public: include/tessera.h.
 */
#ifndef TSR_BASE_STATUS_H
#define TSR_BASE_STATUS_H

#include "base/api.h"
#include "include/tessera.h" /* enum tsr_status, struct tsr_error, tsr_status_name() */

/* Fills `err` (if not NULL) and returns `status`. Use through TSR_ERROR, whose value a compiler and
 * an analyser see to be `status` itself, not what some function returns. */
TSR_API enum tsr_status tsr_error_set(struct tsr_error *err, enum tsr_status status,
                                      const char *file, int line, const char *format, ...)
    TSR_PRINTF(5, 6);

/* Puts "text: " before the message of an error on its way up: a path, an image, an outer step.
 * Where both do not fit, a text of up to half of TSR_ERROR_SIZE stays and the end of the message
 * goes; of a longer text the end goes ("...") as far as the message needs. */
TSR_API void tsr_error_prefix(struct tsr_error *err, const char *format, ...) TSR_PRINTF(2, 3);

/* Hands an error on, from a thread's own say; either may be NULL. */
TSR_API void tsr_error_copy(struct tsr_error *to, const struct tsr_error *from);

/* An expression of type enum tsr_status: fills the error and has the value of `status`. */
#define TSR_ERROR(err, status, ...)                                                                \
    ((void)tsr_error_set((err), (status), __FILE__, __LINE__, __VA_ARGS__), (status))

/* Returns from the calling function unless `expression` is TSR_OK. */
#define TSR_TRY(expression)                                                                        \
    do {                                                                                           \
        enum tsr_status tsr_try_status = (expression);                                             \
        if (tsr_try_status != TSR_OK) return tsr_try_status;                                       \
    } while (0)

/* Jumps to the label `done` of the calling function with the variable `status` set unless
 * `expression` is TSR_OK: for functions with something to clean up. */
#define TSR_CHECK(expression)                                                                      \
    do {                                                                                           \
        if ((status = (expression)) != TSR_OK) goto done;                                          \
    } while (0)

#endif
