/* SPDX-License-Identifier: MIT
 *
 * The registry of image decoders: one line each, the one that is preferred first. A decoder NAME is
 * the constant tsr_decoder_NAME. Those of libraries are there if their libraries are (make IMAGE=).
 */
#ifndef TSR_DATA_DECODERS_DECODERS_LIST_H
#define TSR_DATA_DECODERS_DECODERS_LIST_H

#ifdef TSR_HAVE_LIBJPEG
#define TSR_IF_LIBJPEG(line) line
#else
#define TSR_IF_LIBJPEG(line)
#endif
#ifdef TSR_HAVE_LIBSPNG
#define TSR_IF_LIBSPNG(line) line
#else
#define TSR_IF_LIBSPNG(line)
#endif

#define TSR_DECODERS(X)                                                                            \
    TSR_IF_LIBJPEG(X(libjpeg))                                                                     \
    TSR_IF_LIBSPNG(X(libspng))                                                                     \
    X(stb_image)                                                                                   \
    X(pnm)

#endif
