/* SPDX-License-Identifier: MIT
 *
 * The processes that a launcher of MPI (mpirun, srun) started together. A program built with MPI=1
 * has ranks_mpi.c, every other one ranks_one.c, where there is one process.
 */
#ifndef TSR_CLI_RANKS_H
#define TSR_CLI_RANKS_H

#include "base/comm.h"

/* Meets the others, if a launcher started this process; *out (static) says how many there are. */
enum tsr_status cli_ranks_start(const struct tsr_comm **out, struct tsr_error *err);

/* Parts from them. Where they could not be reached, the launcher is told to end them with `code`.
 */
void cli_ranks_end(int code);

/* How many processes a launcher says it started, this one too; 0: none did. */
size_t cli_ranks_launched(void);

#endif
