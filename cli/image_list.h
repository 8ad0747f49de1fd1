/* SPDX-License-Identifier: MIT
 *
 * The images that a command is to work on, one after the other: files, folders, archives, as `pack`
 * finds them (data/listing.h); where what it makes of each is written; and how it goes on where one
 * is bad. Shared by adapt and fit.
 *
 * One image that is named as a file has the output that -o names. Else -o is a folder, below which
 * the tree of each source is kept: cats/1.jpg of a folder becomes cats/1.inr.h5, a file that was
 * named becomes NAME.inr.h5. Where two would have the same name, all are told apart by their
 * endings (1.jpg.inr.h5), or else by their paths below the deepest folder that all are in.
 */
#ifndef TSR_CLI_IMAGE_LIST_H
#define TSR_CLI_IMAGE_LIST_H

#include "cli/cli.h"
#include "data/listing.h"

struct cli_images {
    struct tsr_listing listing;
    char **stem; /* [n] of the outputs below the folder: "cats/1" */
    size_t n;
    bool one;                /* the output is named itself */
    size_t folders;          /* sources that are no file of one image */
    struct cli_ahead *ahead; /* the image that is decoded next, or NULL */
};

/* Lists operands [n]. An operand that is missing is an image that cannot be read. `output`: what -o
 * says; NULL: nothing is written, and there are no names of outputs. Two images that have one name
 * whatever is done are TSR_ERR_CONFIG. To be cleared in any case. */
enum tsr_status cli_images_list(const char *const *operands, size_t n, const char *output,
                                struct cli_images *out, struct tsr_error *err);
/* Leaves `limit` of them (0: all), evenly spread. */
void cli_images_limit(struct cli_images *images, size_t limit);
void cli_images_clear(struct cli_images *images);

/* A folder, or a file that begins as an image does: images, not a dataset. */
bool cli_holds_images(const char *path);

/* What messages and tables call the i-th; a view. */
const char *cli_images_path(const struct cli_images *images, size_t i);
/* The output of the i-th below `option`, the value of -o or another option that is a folder where
 * there are several: to be freed; NULL: no memory. */
char *cli_images_output(const struct cli_images *images, size_t i, const char *option,
                        const char *suffix);

/* For cli_command.files: the images are inputs, and the folders of the outputs are made. */
enum tsr_status cli_images_files(struct cli_call *call, const struct cli_images *images,
                                 const char *folder);

/* Decodes the i-th; within cli_images_each() the next one is decoded meanwhile. What is odd about
 * it is told on stderr. */
enum tsr_status cli_images_read(struct cli_call *call, const struct cli_images *images, size_t i,
                                const struct tsr_image_as *as, struct tsr_image *out);

/* Calls `one` for each, which leaves call->phase at CLI_READING as long as a failure is the
 * image's: it is then told and left out, and the names of all come at the end, with TSR_ERR_IO
 * (exit 1). A single image, strict, and failures of other kinds end it at once. */
enum tsr_status cli_images_each(struct cli_call *call, struct cli_images *images, bool strict,
                                enum tsr_status (*one)(void *user, size_t i), void *user);

#endif
