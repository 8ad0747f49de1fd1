/* SPDX-License-Identifier: MIT
 *
 * OpenBLAS chooses its kernels when the process starts; the only way to correct the choice is to
 * start again.
 */
#ifndef TSR_CLI_BLAS_CORE_H
#define TSR_CLI_BLAS_CORE_H

/* When OpenBLAS has chosen kernels of an older processor than this one and the command will use
 * them (--kernel blas, or bench), says so, sets OPENBLAS_CORETYPE and executes the program again.
 * Returns otherwise. A value that the user has set is left alone. Before any work is done. */
void cli_correct_blas_core(int argc, char **argv);

#endif
