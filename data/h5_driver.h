/* SPDX-License-Identifier: MIT
 *
 * How HDF5 writes our files, and reads all. When writing or closing fails, on a full disk say, HDF5
 * frees objects that it goes on using, and crashes when the program ends. So its file driver of
 * ours always reports success for these: it keeps the first error where we look after each call,
 * and writes no more. Reading fails as HDF5 expects, but the reason is kept likewise, since HDF5
 * makes of it that something is missing or damaged. Internal to data/.
 */
#ifndef TSR_DATA_H5_DRIVER_H
#define TSR_DATA_H5_DRIVER_H

#include <hdf5.h>

/* A file in memory. One being written grows; one being read is whole and borrowed. */
struct tsr_h5_memory {
    unsigned char *bytes;
    size_t size, capacity;
};

/* Sets the driver in a list of file access properties, for a file on disk, or, unless `memory` is
 * NULL, for one in memory, whose name then means nothing. `*error`, to be 0, receives the errno of
 * the first failure. Both must outlive the files opened; so must the driver, `*id`, which the
 * caller then gives to H5FDunregister: HDF5 drops a file's hold on its driver, and after that asks
 * the driver to close it. Negative: HDF5 failed; `*id` may be negative. */
herr_t tsr_h5_driver_set(hid_t access, hid_t *id, int *error, struct tsr_h5_memory *memory);

#endif
