/* SPDX-License-Identifier: MIT
 *
 * Parameters of networks in files: vectors in memory, per layer one weight and one bias array in
 * the file. Internal.
 */
#ifndef TSR_IMAGE_LAYER_ARRAYS_H
#define TSR_IMAGE_LAYER_ARRAYS_H

#include "data/h5.h"
#include "inner/adaptations.h"

#ifdef TSR_REAL_DOUBLE
#define TSR_H5_REAL TSR_H5_F64
#else
#define TSR_H5_REAL TSR_H5_F32
#endif

/* Has the array this shape? Looked at before anything is allocated. TSR_ERR_FORMAT names both. */
enum tsr_status tsr_array_check(struct tsr_h5 *file, const char *path, size_t rank,
                                const size_t *dims, struct tsr_error *err) TSR_MUST_USE;
/* Is an array [n, out, in] for as many `what` ("slots") as /partition asks for? */
enum tsr_status tsr_array_check_extent(struct tsr_h5 *file, const char *path, size_t expected,
                                       const char *what, struct tsr_error *err) TSR_MUST_USE;

/* Writes or reads vectors [leading..., n_params] as PREFIX/layerL/weightSUFFIX [leading..., out,
 * in] and PREFIX/layerL/biasSUFFIX [leading..., out]; leading: the extents before, at most 2. With
 * vectors NULL it only checks that all arrays are there in their shapes. */
enum tsr_status tsr_layer_arrays(bool write, struct tsr_h5 *file, const char *prefix,
                                 const char *suffix, const struct tsr_net *net,
                                 const size_t *leading, size_t n_leading, tsr_real *vectors,
                                 struct tsr_error *err) TSR_MUST_USE;

/* Writes or reads /init/basis [slots, n_directions, n_params], or nothing where the space has no
 * directions; with basis NULL it only checks the shape. `deflate` 0..9 is for writing. */
enum tsr_status tsr_basis_transfer(bool write, struct tsr_h5 *file, size_t slots,
                                   const struct tsr_space *space, const struct tsr_net *net,
                                   tsr_real *basis, int deflate,
                                   struct tsr_error *err) TSR_MUST_USE;

#endif
