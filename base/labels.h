/* SPDX-License-Identifier: MIT
 *
 * Label maps in memory: 16 bits a pixel, the number of a class, or this.
 */
#ifndef TSR_BASE_LABELS_H
#define TSR_BASE_LABELS_H

/* The pixel belongs to no class. No class has this number. */
#define TSR_VOID_LABEL 65535

#endif
