/* SPDX-License-Identifier: MIT
 *
 * Image files decoded by other processes that can do nothing else: they read what is sent to them,
 * compute, and answer, and the kernel (seccomp) ends one that asks for anything more, such as a
 * file or a connection, before it has seen the first byte of an image. Linux on x86-64 and arm64.
 *
 * A process that is started early, and never sees an image, starts them, one for each thread that
 * decodes at a time; where one has ended, the image it had is in error, and another takes its
 * place. What they answer is not trusted: sizes are checked, text is text.
 */
#ifndef TSR_CLI_ISOLATE_H
#define TSR_CLI_ISOLATE_H

#include "data/image.h"

struct cli_isolate;

/* What they are to do: tsr_image_decode() and tsr_label_map_decode(), but for tests. */
extern const struct tsr_decoding cli_decoders;

/* Starts, before any other thread is there; `work` is done by the other processes. To be ended in
 * any case. TSR_ERR_UNSUPPORTED: this system cannot do it. */
enum tsr_status cli_isolate_start(const struct tsr_decoding *work, struct cli_isolate **out,
                                  struct tsr_error *err);
/* Who decodes, as long as it lives; NULL: nobody else, of NULL. An image whose process ended is
 * TSR_ERR_FORMAT, "NAME: its decoder was ended by SIGSYS". */
const struct tsr_decoding *cli_isolate_decoding(const struct cli_isolate *isolate);
void cli_isolate_end(struct cli_isolate *isolate); /* accepts NULL */

#endif
