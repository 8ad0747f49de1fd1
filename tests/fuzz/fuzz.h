/* SPDX-License-Identifier: MIT
 *
 * What the fuzz targets share: a file of the bytes at hand, and HDF5 files built from bytes.
 *
 * A target is LLVMFuzzerTestOneInput(), which libFuzzer calls (`make fuzz`); replay.c calls it with
 * the contents of files, so that findings are tests for any compiler.
 */
#ifndef TSR_TESTS_FUZZ_H
#define TSR_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes the bytes to a file of this process, the same for each call. Ends the program when it
 * cannot. View. */
const char *fuzz_file(const void *data, size_t size);
/* The same with an ending to its name, ".zip". There is one file at a time. */
const char *fuzz_file_as(const void *data, size_t size, const char *ending);

/* The path of an HDF5 file made of `base` (a path) and the bytes. Bytes that are an HDF5 file of
 * the formats of 1.8 are that file; others are a program of changes to the base: objects deleted,
 * arrays, strings and attributes of the names that tessera reads put in their place, of any type,
 * layout, filter and size, links of all kinds. NULL: nothing that is of use, such as a file of the
 * older formats, whose structure has no checksums: HDF5 itself crashes on these. */
const char *fuzz_h5(const char *base, const uint8_t *data, size_t size);

#endif
