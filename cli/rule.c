/* SPDX-License-Identifier: MIT */
#include "cli/rule.h"

enum tsr_status cli_rule_take(const struct cli_call *call, const struct cli_rule *asked,
                              struct tsr_partition_rule *rule, bool *given,
                              struct tsr_error *err) {
    struct tsr_partition_rule new = {.overlap = rule->overlap};
    int n = asked->whole + (asked->grid[0] > 0) + (asked->cell[0] > 0) + (asked->segment > 0) +
            asked->labels;
    *given = n > 0;
    if (n > 1)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "--whole, --grid, --cell, --segment and --labels exclude each other");
    if (cli_given(call, "merge") && !asked->segment)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--merge is for --segment N, which is missing");
    if (asked->grid[0])
        new.kind = TSR_RULE_GRID, new.rows = asked->grid[0], new.cols = asked->grid[1];
    if (asked->cell[0])
        new.kind = TSR_RULE_CELL, new.cell_height = asked->cell[0],
        new.cell_width = asked->cell[1];
    if (asked->segment)
        new.kind = TSR_RULE_SEGMENT, new.n_regions = asked->segment, new.merge = asked->merge;
    if (asked->labels) new.kind = TSR_RULE_LABELS;
    if (*given) *rule = new;
    if (cli_given(call, "overlap")) rule->overlap = asked->overlap;
    return TSR_OK;
}
