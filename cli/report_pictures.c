/* SPDX-License-Identifier: MIT */
#include "cli/report_pictures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/spread.h"
#include "cli/sheet.h"
#include "data/image.h"
#include "image/regions.h"

/* What is shown of one image. */
struct shown {
    uint32_t image;  /* in the survey */
    const char *why; /* NULL: not in the gallery */
};

struct crop {
    uint32_t image;
    size_t region;
};

struct pictures {
    struct cli_json *json;
    const struct cli_findings *found;
    const struct tsr_survey *survey; /* of the model */
    size_t drawn;                    /* subjects */
    size_t subject[CLI_REPORT_DRAWN];
    struct tsr_reconstructor *reconstructor[CLI_REPORT_DRAWN];
    size_t steps[CLI_REPORT_STATES], n_steps;
    struct shown shown[CLI_REPORT_GALLERY + CLI_REPORT_CROPS];
    size_t n_shown;
    struct crop crops[CLI_REPORT_CROPS];
    size_t n_crops;
    struct tsr_image image; /* at hand */
    uint8_t *states;        /* [most states, H, W, C] */
    uint16_t *map;
    uint32_t *labels;
};

/* ---- encoding -------------------------------------------------------------------------------- */

/* Clippings are many and only looked at; from whole pictures the page computes maps of the error.
 */
enum { EXACT = 0, CLIPPING = 95 };

/* A PNG, or a JPEG of this quality, as a data: URI; free with free(). */
static enum tsr_status data_uri(const struct tsr_image *picture, int quality, char **out,
                                struct tsr_error *err) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *head = quality ? "data:image/jpeg;base64," : "data:image/png;base64,";
    unsigned char *file;
    size_t size, room;
    TSR_TRY(quality ? tsr_image_jpeg(picture, quality, &file, &size, err)
                    : tsr_image_png(picture, &file, &size, err));
    room = strlen(head) + (size + 2) / 3 * 4 + 1;
    enum tsr_status status = TSR_ALLOC(out, room, "picture of the report", err);
    char *to = *out;
    if (status == TSR_OK) to += snprintf(to, room, "%s", head);
    for (size_t i = 0; i < size && status == TSR_OK; i += 3) {
        uint32_t bits = (uint32_t)file[i] << 16 | (i + 1 < size ? (uint32_t)file[i + 1] << 8 : 0) |
                        (i + 2 < size ? file[i + 2] : 0);
        *to++ = digits[bits >> 18];
        *to++ = digits[bits >> 12 & 63];
        *to++ = i + 1 < size ? digits[bits >> 6 & 63] : '=';
        *to++ = i + 2 < size ? digits[bits & 63] : '=';
    }
    free(file);
    return status;
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

/* A picture, made smaller if a side is above `most`. */
static enum tsr_status write_picture(struct cli_json *j, const char *key,
                                     const struct tsr_image *picture, size_t most, int quality,
                                     struct tsr_error *err) {
    size_t height = picture->height, width = picture->width;
    struct tsr_image small = {0};
    char *uri = NULL;
    enum tsr_status status;
    cli_sheet_fit(most, &height, &width);
    TSR_CHECK(tsr_image_create(&small, height, width, picture->channels, err));
    TSR_CHECK(tsr_fit_apply(picture, TSR_FIT_SQUASH, 0, height, width, small.pixels, err));
    TSR_CHECK(data_uri(&small, quality, &uri, err));
    cli_json_string(j, key, uri);
done:
    free(uri);
    tsr_image_clear(&small);
    return status;
}

static enum tsr_status write_labels(const struct pictures *p, const struct tsr_partition *partition,
                                    struct tsr_error *err) {
    size_t height = partition->height, width = partition->width;
    struct tsr_image map = {.height = height, .width = width};
    char *uri = NULL;
    enum tsr_status status;
    cli_sheet_fit(CLI_REPORT_SIDE, &map.height, &map.width);
    TSR_CHECK(tsr_image_create(&map, map.height, map.width, 3, err));
    for (size_t i = 0; i < map.height * map.width; i++) {
        size_t row = (2 * (i / map.width) + 1) * height / (2 * map.height),
               col = (2 * (i % map.width) + 1) * width / (2 * map.width),
               region = tsr_partition_region_at(partition, row, col);
        map.pixels[3 * i] = (uint8_t)(region & 255);
        map.pixels[3 * i + 1] = (uint8_t)(region >> 8 & 255);
        map.pixels[3 * i + 2] = (uint8_t)(region >> 16 & 255);
    }
    TSR_CHECK(data_uri(&map, EXACT, &uri, err));
    cli_json_string(p->json, "labels", uri);
done:
    free(uri);
    tsr_image_clear(&map);
    return status;
}

/* A region with half its size around it, as far as the image goes. */
static enum tsr_status write_crop(struct cli_json *j, const struct tsr_image *picture,
                                  const struct tsr_region *r, size_t region,
                                  struct tsr_error *err) {
    size_t margin = larger(r->height, r->width) / 2;
    size_t top = r->row > margin ? r->row - margin : 0,
           left = r->col > margin ? r->col - margin : 0;
    size_t bottom = r->row + r->height + margin, right = r->col + r->width + margin;
    struct tsr_image crop = {0};
    size_t c = picture->channels;
    if (bottom > picture->height) bottom = picture->height;
    if (right > picture->width) right = picture->width;
    TSR_TRY(tsr_image_create(&crop, bottom - top, right - left, c, err));
    for (size_t y = 0; y < crop.height; y++)
        memcpy(crop.pixels + y * crop.width * c,
               picture->pixels + ((top + y) * picture->width + left) * c, crop.width * c);
    cli_json_open(j, NULL, '{');
    cli_json_integer(j, "region", region);
    enum tsr_status status =
        write_picture(j, "picture", &crop, CLI_REPORT_CROP_SIDE, CLIPPING, err);
    cli_json_close(j, '}');
    tsr_image_clear(&crop);
    return status;
}

/* ---- which ----------------------------------------------------------------------------------- */

static struct shown *show(struct pictures *p, uint32_t image) {
    for (size_t i = 0; i < p->n_shown; i++)
        if (p->shown[i].image == image) return &p->shown[i];
    p->shown[p->n_shown] = (struct shown){.image = image};
    return &p->shown[p->n_shown++];
}

/* Best, median, worst, and others at random. */
static void choose_gallery(struct pictures *p, const uint32_t *order) {
    size_t n = p->survey->images;
    const struct shown fixed[] = {
        {order[n - 1], "best"}, {order[(n - 1) / 2], "median"}, {order[0], "worst"}};
    for (size_t i = 0; i < 3; i++) {
        struct shown *s = show(p, fixed[i].image);
        if (!s->why) s->why = fixed[i].why;
    }
    for (uint64_t i = 0; p->n_shown < CLI_REPORT_GALLERY && p->n_shown < n; i++) {
        struct shown *s =
            show(p, (uint32_t)tsr_random_below(p->found->seed, TSR_STREAM_USER, i, n));
        if (!s->why) s->why = "random";
    }
}

/* The worst images of each region; of many regions those with the lowest mean PSNR. */
static enum tsr_status choose_crops(struct pictures *p, uint32_t *order, struct tsr_error *err) {
    const struct tsr_evaluation *e = &p->found->subject[0].result;
    size_t last = p->survey->states - 1, n = p->survey->n_regions;
    size_t each = n * CLI_REPORT_CROPS_OF_REGION > CLI_REPORT_CROPS ? CLI_REPORT_CROPS / n
                                                                    : CLI_REPORT_CROPS_OF_REGION;
    if (each == 0) each = 1;
    double bound = -(double)INFINITY; /* regions below it have been taken */
    for (size_t taken = 0; taken < n && p->n_crops + each <= CLI_REPORT_CROPS; taken++) {
        size_t worst = n;
        for (size_t r = 0; r < n; r++) {
            double at = e->region_psnr_db[r * p->survey->states + last];
            if (at > bound &&
                (worst == n || at < e->region_psnr_db[worst * p->survey->states + last]))
                worst = r;
        }
        if (worst == n) break;
        bound = e->region_psnr_db[worst * p->survey->states + last];
        TSR_TRY(tsr_survey_order(p->survey, worst, last, order, err));
        for (size_t i = 0; i < each && i < p->survey->images; i++) {
            if (isnan(tsr_survey_psnr_db(p->survey, order[i], worst, last))) break;
            p->crops[p->n_crops++] = (struct crop){order[i], worst};
            (void)show(p, order[i]);
        }
    }
    return TSR_OK;
}

static enum tsr_status choose(struct pictures *p, struct tsr_error *err) {
    uint32_t *order;
    TSR_TRY(TSR_ALLOC(&order, p->survey->images, "order of the images", err));
    enum tsr_status status =
        tsr_survey_order(p->survey, p->survey->n_regions, p->survey->states - 1, order, err);
    if (status == TSR_OK) {
        choose_gallery(p, order);
        status = choose_crops(p, order, err);
    }
    free(order);
    return status;
}

/* All inner steps, or some that lie evenly. */
static void choose_steps(struct pictures *p) {
    p->n_steps = tsr_spread_count(p->survey->states, CLI_REPORT_STATES);
    for (size_t i = 0; i < p->n_steps; i++)
        p->steps[i] = p->n_steps > 1 ? tsr_spread_ends(i, p->survey->states, p->n_steps) : 0;
}

/* ---- drawing --------------------------------------------------------------------------------- */

static const struct tsr_model *model_of(const struct pictures *p, size_t i) {
    return p->found->subject[p->subject[i]].model;
}

static enum tsr_status read_image(struct pictures *p, size_t index, struct tsr_error *err) {
    TSR_TRY(tsr_dataset_read_bytes(p->found->dataset, index, p->image.pixels, err));
    for (size_t i = 0; i < p->drawn; i++) {
        const struct tsr_model *m = model_of(p, i);
        bool stored;
        if (!tsr_rule_follows_image(&m->config.partition)) continue;
        TSR_TRY(tsr_regions_stored(&m->config.partition, p->found->dataset, &stored, err));
        if (stored) TSR_TRY(tsr_dataset_read_labels(p->found->dataset, index, p->map, err));
        TSR_TRY(tsr_regions_of_image(m, TSR_BYTES(p->image.pixels), p->image.height, p->image.width,
                                     stored ? p->map : NULL, p->labels, err));
        TSR_TRY(tsr_reconstructor_follow(p->reconstructor[i], p->labels, err));
    }
    return TSR_OK;
}

static enum tsr_status write_crops(const struct pictures *p, const struct tsr_image *picture,
                                   uint32_t image, struct tsr_error *err) {
    const struct tsr_partition *partition = tsr_reconstructor_partition(p->reconstructor[0]);
    cli_json_open(p->json, "crops", '[');
    for (size_t i = 0; i < p->n_crops; i++)
        if (p->crops[i].image == image)
            TSR_TRY(write_crop(p->json, picture, &partition->regions[p->crops[i].region],
                               p->crops[i].region, err));
    cli_json_close(p->json, ']');
    return TSR_OK;
}

static enum tsr_status write_image(const struct pictures *p, const struct shown *s,
                                   struct tsr_error *err) {
    struct cli_json *j = p->json;
    cli_json_open(j, NULL, '{');
    cli_json_integer(j, "image", s->image);
    cli_json_string(j, "subject", NULL);
    if (s->why) {
        cli_json_string(j, "why", s->why);
        cli_json_open(j, "states", '[');
        TSR_TRY(write_picture(j, NULL, &p->image, CLI_REPORT_SIDE, EXACT, err));
        cli_json_close(j, ']');
        TSR_TRY(write_labels(p, tsr_reconstructor_partition(p->reconstructor[0]), err));
    }
    TSR_TRY(write_crops(p, &p->image, s->image, err));
    cli_json_close(j, '}');
    return TSR_OK;
}

static enum tsr_status write_subject(const struct pictures *p, size_t i, const struct shown *s,
                                     struct tsr_error *err) {
    struct cli_json *j = p->json;
    struct tsr_reconstruction out = {.pictures = p->states};
    struct tsr_image picture = p->image; /* a view */
    size_t last = p->found->subject[p->subject[i]].config.inner_steps,
           n = p->image.height * p->image.width * p->image.channels;
    tsr_reconstructor_draw(p->reconstructor[i], p->survey->index[s->image]);
    TSR_TRY(tsr_reconstruct(p->reconstructor[i], TSR_BYTES(p->image.pixels), &out, err));
    cli_json_open(j, NULL, '{');
    cli_json_integer(j, "image", s->image);
    cli_json_integer(j, "subject", p->subject[i]);
    cli_json_open(j, "states", '[');
    for (size_t k = 0; k < p->n_steps && s->why; k++) {
        picture.pixels = p->states + (p->steps[k] < last ? p->steps[k] : last) * n;
        TSR_TRY(write_picture(j, NULL, &picture, CLI_REPORT_SIDE, EXACT, err));
    }
    cli_json_close(j, ']');
    picture.pixels = p->states + last * n;
    TSR_TRY(write_crops(p, &picture, s->image, err));
    cli_json_close(j, '}');
    return TSR_OK;
}

static enum tsr_status write_shown(struct pictures *p, struct tsr_error *err) {
    cli_json_open(p->json, "pictures", '[');
    for (size_t i = 0; i < p->n_shown; i++) {
        TSR_TRY(read_image(p, p->survey->index[p->shown[i].image], err));
        TSR_TRY(write_image(p, &p->shown[i], err));
        for (size_t s = 0; s < p->drawn; s++)
            TSR_TRY(write_subject(p, s, &p->shown[i], err));
    }
    cli_json_close(p->json, ']');
    return TSR_OK;
}

static enum tsr_status prepare(struct pictures *p, struct tsr_error *err) {
    size_t states = 0, height = p->survey->height, width = p->survey->width;
    for (size_t s = 0; s < p->found->n && p->drawn < CLI_REPORT_DRAWN; s++) {
        const struct cli_subject *subject = &p->found->subject[s];
        if (!subject->model || !subject->survey->has_pictures) continue;
        struct tsr_reconstruct_config config = subject->config;
        config.ssim = config.seam = false;
        TSR_TRY(tsr_reconstructor_create(subject->model, &config, height, width,
                                         &p->reconstructor[p->drawn], err));
        p->subject[p->drawn++] = s;
        states = larger(states, subject->survey->states);
    }
    TSR_TRY(tsr_image_create(&p->image, height, width, p->survey->channels, err));
    TSR_TRY(
        tsr_alloc_to(&p->states, states, height * width * p->survey->channels, "pictures", err));
    TSR_TRY(TSR_ALLOC(&p->map, height * width, "label map", err));
    return TSR_ALLOC(&p->labels, height * width, "label map", err);
}

enum tsr_status cli_report_pictures(struct cli_json *j, const struct cli_findings *f,
                                    struct tsr_error *err) {
    struct pictures *p;
    enum tsr_status status;
    const struct tsr_survey *survey = f->subject[0].survey;
    if (!survey->has_pictures || (survey->channels != 1 && survey->channels != 3)) return TSR_OK;
    TSR_TRY(TSR_ALLOC(&p, 1, "pictures of the report", err));
    *p = (struct pictures){.json = j, .found = f, .survey = survey};
    TSR_CHECK(prepare(p, err));
    TSR_CHECK(choose(p, err));
    choose_steps(p);
    cli_json_open(j, "steps", '[');
    for (size_t i = 0; i < p->n_steps; i++)
        cli_json_integer(j, NULL, p->steps[i]);
    cli_json_close(j, ']');
    TSR_CHECK(write_shown(p, err));
done:
    for (size_t i = 0; i < p->drawn; i++)
        tsr_reconstructor_free(p->reconstructor[i]);
    tsr_image_clear(&p->image);
    free(p->states);
    free(p->map);
    free(p->labels);
    free(p);
    return status;
}
