/* SPDX-License-Identifier: MIT
 *
 * The files of cli/report/, which scripts/embed puts into the program: zero-terminated.
 */
#ifndef TSR_CLI_REPORT_ASSETS_H
#define TSR_CLI_REPORT_ASSETS_H

extern const char cli_asset_page_html[], cli_asset_page_css[], cli_asset_page_js[],
    cli_asset_charts_js[], cli_asset_watch_html[], cli_asset_style_html[], cli_asset_charts_html[],
    cli_asset_watch_js[], cli_asset_hypothesis_html[], cli_asset_hypothesis_js[],
    cli_asset_uPlot_iife_min_js[], cli_asset_uPlot_min_css[], cli_asset_uPlot_LICENSE[];

#endif
