/* SPDX-License-Identifier: MIT
 *
 * Paths of inputs and outputs. Returned strings are the caller's; NULL: no memory.
 */
#ifndef TSR_CLI_PATHS_H
#define TSR_CLI_PATHS_H

#include "cli/cli.h"

/* An input that is there and can be opened; TSR_ERR_IO otherwise. */
enum tsr_status cli_check_input(const char *path, struct tsr_error *err);

/* Is it "-", or /dev/stdout? False for NULL. */
bool cli_is_stdout(const char *path);

/* Do both lead to one file that is there? */
bool cli_is_same_file(const char *a, const char *b);

bool cli_is_folder(const char *path);
/* Makes one folder; fine if it is there. */
enum tsr_status cli_make_folder(const char *path, struct tsr_error *err);

/* The name of a file without folders and extension. */
char *cli_stem(const char *path);
/* folder/name + suffix; folder may be "". */
char *cli_join(const char *folder, const char *name, const char *suffix);
/* What is installed: in ../share/tessera from the program, or beside it, where it was built. NULL
 * also if it is not there. */
char *cli_installed(const char *name);
/* `path` with ".inr.h5" or else its extension replaced. */
char *cli_replace_suffix(const char *path, const char *suffix);

#endif
