/* SPDX-License-Identifier: MIT */
#include "cli/page.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/report_assets.h"
#include "data/file.h"

/* A text that is longer than this is not written in one piece. */
struct page {
    char *text;
    size_t size, capacity;
};

static void put(struct page *p, const char *text, size_t n) {
    if (p->text) memcpy(p->text + p->size, text, n);
    p->size += n;
}

/* JSON inside of a script element: nothing in it ends the element. */
static void put_json(struct page *p, const char *json) {
    for (size_t n; *json; json += n) {
        n = strcspn(json, "<");
        put(p, json, n);
        if (json[n] != '<') continue;
        put(p, "\\u003c", 6);
        n++;
    }
}

/* The page with what stands for "@name@" in it, which may have such parts itself. Without a text it
 * only counts. */
static void put_page(struct page *p, const char *template, const char *json) {
    const struct {
        const char *name, *text;
        bool has_parts;
    } parts[] = {
        {"@style.html@", cli_asset_style_html, true},
        {"@charts.html@", cli_asset_charts_html, true},
        {"@uPlot.css@", cli_asset_uPlot_min_css, false},
        {"@uPlot.js@", cli_asset_uPlot_iife_min_js, false},
        {"@uPlot.LICENSE@", cli_asset_uPlot_LICENSE, false},
        {"@page.css@", cli_asset_page_css, false},
        {"@charts.js@", cli_asset_charts_js, false},
        {"@page.js@", cli_asset_page_js, false},
        {"@watch.js@", cli_asset_watch_js, false},
        {"@hypothesis.js@", cli_asset_hypothesis_js, false},
        {"@data@", NULL, false},
    };
    const char *at = template;
    while (*at) {
        size_t n = strcspn(at + 1, "@") + 1, i = 0, count = sizeof parts / sizeof *parts;
        while (i < count && strncmp(at, parts[i].name, strlen(parts[i].name)) != 0)
            i++;
        if (i == count) {
            put(p, at, n);
        } else {
            n = strlen(parts[i].name);
            if (!parts[i].text)
                put_json(p, json);
            else if (parts[i].has_parts)
                put_page(p, parts[i].text, json);
            else
                put(p, parts[i].text, strlen(parts[i].text));
        }
        at += n;
    }
}

enum tsr_status cli_page_write(const char *path, const char *template, const char *json,
                               struct tsr_error *err) {
    struct page page = {0};
    put_page(&page, template, json);
    TSR_TRY(TSR_ALLOC(&page.text, page.size, "page", err));
    page.size = 0;
    put_page(&page, template, json);
    enum tsr_status status = tsr_file_replace(path, page.text, page.size, err);
    free(page.text);
    return status;
}
