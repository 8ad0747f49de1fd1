/* SPDX-License-Identifier: MIT
 *
 * Pages for a browser, whole in one file: a template of cli/report/ with style, scripts and data in
 * the places of their names, such as @page.css@.
 */
#ifndef TSR_CLI_PAGE_H
#define TSR_CLI_PAGE_H

#include "base/status.h"

/* `json` takes the place of @data@, such that nothing in it ends the element it stands in. */
enum tsr_status cli_page_write(const char *path, const char *template, const char *json,
                               struct tsr_error *err);

#endif
