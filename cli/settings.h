/* SPDX-License-Identifier: MIT
 *
 * The settings of a model as people and programs read them, by their visitor (image/model.h).
 */
#ifndef TSR_CLI_SETTINGS_H
#define TSR_CLI_SETTINGS_H

#include "cli/json.h"
#include "image/model.h"

/* One object for each group: "network": {"kind": ..., "width": ...}, "partition": ..., "inner". */
void cli_json_model(struct cli_json *j, const struct tsr_model_config *config);

/* One row for each group: "network", "siren, omega_first 15, omega_hidden 30, in_dim 2, ...", of
 * the model or of what an INR has too. A setting that says nothing (0, or 1, where that means
 * unknown or none) is left out. */
typedef void (*cli_row_fn)(void *user, const char *name, const char *text);
void cli_model_rows(const struct tsr_model_config *config, cli_row_fn row, void *user);
void cli_shape_rows(const struct tsr_model_config *config, cli_row_fn row, void *user);

/* Rows for a table on a stream, a FILE *: "  network            siren, ...". */
void cli_table_row(void *to, const char *name, const char *text);

#endif
