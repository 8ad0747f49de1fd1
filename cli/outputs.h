/* SPDX-License-Identifier: MIT
 *
 * The one guard over the files of a call. Before a command runs, all files that it reads and all
 * that it writes are known: those of its options and operands by the tables (enum cli_file),
 * derived ones by its own function `files`. Nothing is computed or touched unless
 *
 *     no output is an input, whatever its name: by device and inode, --force or not
 *     no two outputs are one file: by device and inode, or by folder and name where it is not there
 *     no output exists, unless --force is given or the run in it is resumed
 *     each can be written where it is to be: a folder that is there and takes files, no folder
 * itself no other process writes it (tsr_file_lock(), held to the end of the call)
 *
 * "-" is standard input or output; an HDF5 file can be neither a pipe nor a device.
 */
#ifndef TSR_CLI_OUTPUTS_H
#define TSR_CLI_OUTPUTS_H

#include "cli/cli.h"

/* Reads the tables, calls the command's `files`, checks, and catches signals from then on. Misuse
 * is TSR_ERR_CONFIG; what cannot be written is TSR_ERR_IO. cli_files_release() in any case. */
enum tsr_status cli_files_take(struct cli_call *call);
/* Folders that the call made are removed if nothing came into them. */
void cli_files_release(struct cli_call *call);

/* For `files`. Names are copied. */
enum tsr_status cli_files_reads(struct cli_call *call, const char *path);
enum tsr_status cli_files_writes(struct cli_call *call, const char *path, enum cli_file kind);
/* The file `path`, an input, is gone on with: it may be the output. */
enum tsr_status cli_files_resumes(struct cli_call *call, const char *path);
/* Outputs may exist: they are known to be the call's own. */
void cli_files_replaces(struct cli_call *call);
/* Makes a folder for outputs; fine if it is there. */
enum tsr_status cli_files_folder(struct cli_call *call, const char *path);

/* Does an output go to standard output? Then nothing else does. */
bool cli_stdout_taken(const struct cli_call *call);

#endif
