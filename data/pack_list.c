/* SPDX-License-Identifier: MIT */
#include "data/pack_list.h"

#include <stdio.h>
#include <string.h>

#include "base/spread.h"
#include "data/copies.h"
#include "data/label_signs.h"
#include "data/splits.h"

static enum tsr_status apply_split_files(const struct tsr_pack_config *c,
                                         struct tsr_listing *listing,
                                         const struct tsr_notice *notice,
                                         struct tsr_pack_report *report, struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    struct tsr_split_file file = {0};
    if (c->split_file) TSR_CHECK(tsr_split_file_add(&file, c->split_file, err));
    for (uint8_t split = 0; split < 3; split++)
        if (c->split_lists[split])
            TSR_CHECK(tsr_split_list_add(&file, c->split_lists[split], split, err));
    TSR_CHECK(tsr_split_file_sort(&file, err));
    TSR_CHECK(
        tsr_split_by_files(&file, listing, notice, &report->not_listed, &report->missing, err));
done:
    tsr_split_file_clear(&file);
    return status;
}

static void apply_limit(size_t limit, struct tsr_listing *listing) {
    size_t n = tsr_spread_count(listing->n, limit);
    for (size_t i = 0; i < n; i++)
        listing->items[i] = listing->items[tsr_spread(i, listing->n, n)];
    listing->n = n;
}

static enum tsr_status drop_other_names(struct tsr_listing *listing,
                                        const struct tsr_notice *notice, size_t *n,
                                        struct tsr_error *err) {
    struct tsr_copies_example example;
    TSR_TRY(tsr_copies_of_files(listing, n, &example, err));
    if (*n > 0)
        tsr_notice(notice,
                   "%zu images are other names of files that are listed, too, such as %s of %s; "
                   "each file is packed once",
                   *n, example.again, example.first);
    return TSR_OK;
}

static enum tsr_status say_unlisted(const struct tsr_pack_config *config,
                                    const struct tsr_listing *listing,
                                    const struct tsr_pack_callbacks *callbacks,
                                    struct tsr_error *err) {
    for (size_t i = 0; i < listing->n_unlisted; i++) {
        char why[128];
        const struct tsr_unlisted *folder = &listing->unlisted[i];
        (void)snprintf(why, sizeof why, "cannot be listed: %s", strerror(folder->number));
        if (config->strict) return TSR_ERROR(err, TSR_ERR_IO, "%s: %s", folder->path, why);
        if (callbacks && callbacks->skipped) callbacks->skipped(callbacks->user, folder->path, why);
    }
    return TSR_OK;
}

static enum tsr_status nothing_found(const char *const *sources, size_t n_sources,
                                     const struct tsr_pack_report *report, struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_NOT_FOUND,
                     "%s%s: no image found (.jpg .jpeg .png .bmp .ppm .pgm .pnm and the like)%s%s",
                     n_sources ? sources[0] : "no source", n_sources > 1 ? " and others" : "",
                     report->passed_over[0] ? "; passed over: " : "", report->passed_over);
}

static enum tsr_status list_sources(const struct tsr_pack_config *config,
                                    const char *const *sources, size_t n_sources,
                                    const struct tsr_pack_callbacks *callbacks,
                                    struct tsr_listing *listing,
                                    const struct tsr_label_reader *labels,
                                    struct tsr_pack_report *report, struct tsr_error *err) {
    const struct tsr_notice notice = {callbacks ? callbacks->note : NULL,
                                      callbacks ? callbacks->user : NULL};
    listing->view = config->view;
    for (size_t i = 0; i < n_sources; i++)
        TSR_TRY(tsr_listing_add(listing, sources[i], err));
    TSR_TRY(say_unlisted(config, listing, callbacks, err));
    report->unlisted = listing->n_unlisted;
    tsr_listing_passed_over(listing, report->passed_over, sizeof report->passed_over);
    if (listing->unended)
        tsr_notice(&notice,
                   "%s: ends without the mark of its end: it may have been cut off, and members be "
                   "missing",
                   listing->unended);
    if (labels->active && !labels->arrays)
        TSR_TRY(tsr_label_files_hide(&labels->rules, listing, err));
    return listing->n ? TSR_OK : nothing_found(sources, n_sources, report, err);
}

/* Where nobody asks for label maps. */
static enum tsr_status look_for_maps(const struct tsr_pack_config *config,
                                     struct tsr_label_reader *labels,
                                     const struct tsr_listing *listing,
                                     const struct tsr_notice *notice, struct tsr_error *err) {
    TSR_TRY(tsr_label_signs_tell(listing, notice, err));
    return tsr_label_reader_carry(labels, config, listing, notice, err);
}

enum tsr_status tsr_pack_list(const struct tsr_pack_config *config, const char *const *sources,
                              size_t n_sources, const struct tsr_pack_callbacks *callbacks,
                              struct tsr_listing *listing, struct tsr_label_reader *labels,
                              struct tsr_pack_report *report, struct tsr_error *err) {
    const struct tsr_notice notice = {callbacks ? callbacks->note : NULL,
                                      callbacks ? callbacks->user : NULL};
    const char *const *lists = config->split_lists;
    if (config->labels || config->label_array) TSR_TRY(tsr_label_reader_open(config, labels, err));
    TSR_TRY(list_sources(config, sources, n_sources, callbacks, listing, labels, report, err));
    if (labels->active && labels->arrays)
        TSR_TRY(tsr_label_reader_list(labels, listing, err));
    else if (!labels->active && !config->label_image)
        TSR_TRY(look_for_maps(config, labels, listing, &notice, err));
    if (config->split_file || lists[0] || lists[1] || lists[2])
        TSR_TRY(apply_split_files(config, listing, &notice, report, err));
    else
        tsr_split_by_folders(listing, &notice);
    if (!config->keep_copies)
        TSR_TRY(drop_other_names(listing, &notice, &report->listed_again, err));
    if (labels->active)
        TSR_TRY(tsr_label_reader_find(labels, listing, &notice, &report->no_map, err));
    apply_limit(config->limit, listing);
    report->sources = listing->n;
    if (labels->active) TSR_TRY(tsr_label_reader_count(labels, listing, err));
    return tsr_split_at_random(config->split, config->seed, listing, err);
}
