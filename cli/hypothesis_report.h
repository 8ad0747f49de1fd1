/* SPDX-License-Identifier: MIT
 *
 * Results of `tessera hypothesis`: tables, CSV, JSON, page.
 */
#ifndef TSR_CLI_HYPOTHESIS_REPORT_H
#define TSR_CLI_HYPOTHESIS_REPORT_H

#include <stdio.h>

#include "study/growth.h"

struct hypothesis_report {
    struct tsr_growth growth;
    const char *kernel;
};

void hypothesis_print(const struct hypothesis_report *r, FILE *to);
enum tsr_status hypothesis_write_csv(const struct hypothesis_report *r, const char *path,
                                     struct tsr_error *err);
enum tsr_status hypothesis_write_json(const struct hypothesis_report *r, const char *path,
                                      struct tsr_error *err);
enum tsr_status hypothesis_write_page(const struct hypothesis_report *r, const char *path,
                                      struct tsr_error *err);

#endif
