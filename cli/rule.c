/* SPDX-License-Identifier: MIT */
#include "cli/rule.h"

enum tsr_status cli_rule_take(const struct cli_rule *asked, struct tsr_partition_rule *rule,
                              bool *given, struct tsr_error *err) {
    int n = asked->whole + (asked->grid[0] > 0) + (asked->cell[0] > 0);
    *given = n > 0;
    if (n > 1)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--whole, --grid and --cell exclude each other");
    if (asked->whole) *rule = (struct tsr_partition_rule){.kind = TSR_RULE_WHOLE};
    if (asked->grid[0])
        *rule = (struct tsr_partition_rule){
            .kind = TSR_RULE_GRID, .rows = asked->grid[0], .cols = asked->grid[1]};
    if (asked->cell[0])
        *rule = (struct tsr_partition_rule){
            .kind = TSR_RULE_CELL, .cell_height = asked->cell[0], .cell_width = asked->cell[1]};
    return TSR_OK;
}
