/* SPDX-License-Identifier: MIT
 *
 * Parts of paths, for file.c, file_lock.c and temp_file.c.
 */
#ifndef TSR_DATA_FILE_NAME_H
#define TSR_DATA_FILE_NAME_H

#include "base/api.h"

/* The last component. View. */
TSR_API const char *tsr_path_name(const char *path);
/* The folder of the last component, "./" for none, with a slash at its end; free with free(). NULL:
 * no memory. */
TSR_API char *tsr_path_folder(const char *path);
/* 64 bits of a name (FNV-1a). */
TSR_API uint64_t tsr_name_hash(const char *name);

/* The descriptor that /dev/stdin, /dev/stdout, /dev/stderr, /dev/fd/N or /proc/self/fd/N stands
 * for; -1: it is none of them. */
TSR_API int tsr_path_descriptor(const char *path);

#endif
