/* SPDX-License-Identifier: MIT
 *
 * How HDF5 writes our files. When writing fails, on a full disk say, HDF5 frees objects that it
 * goes on using, and crashes when the program ends. So its file driver of ours always reports
 * success: it keeps the first error where we look after each call, and writes no more. Internal to
 * data/.
 */
#ifndef TSR_DATA_H5_DRIVER_H
#define TSR_DATA_H5_DRIVER_H

#include <hdf5.h>

/* Sets the driver in a list of file access properties. `*error`, to be 0, receives the errno of the
 * first failure; it must outlive the files opened. Negative: HDF5 failed. */
herr_t tsr_h5_driver_set(hid_t access, int *error);

#endif
