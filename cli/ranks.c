/* SPDX-License-Identifier: MIT */
#include "cli/ranks.h"

#include <stdlib.h>

/* Set by Open MPI's mpirun, by MPICH's and by srun --mpi=pmi2, and by whatever speaks PMIx, which
 * tells the rank alone. */
size_t cli_ranks_launched(void) {
    static const char *const of_all[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};
    for (size_t i = 0; i < sizeof of_all / sizeof *of_all; i++) {
        const char *text = getenv(of_all[i]);
        long n = text ? strtol(text, NULL, 10) : 0;
        if (n > 0) return (size_t)n;
    }
    return getenv("PMIX_RANK") || getenv("PMI_RANK") ? 1 : 0;
}
