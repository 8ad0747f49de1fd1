/* SPDX-License-Identifier: MIT
 *
 * JPEG through libjpeg-turbo. What it calls a warning is an error here where pixels are wrong or
 * missing, and a remark where all of them are there.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#include "base/memory.h"
#include "data/decoder.h"

/* One file on its way. */
struct decoding {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    jmp_buf out;
    int code;                     /* of the message that ended it; 0: none */
    char reason[JMSG_LENGTH_MAX]; /* the same in words */
    bool stray;                   /* bytes that belong to nothing were passed over */
    uint8_t *pixels;
};

static void give_up(j_common_ptr jpeg) {
    struct decoding *d = jpeg->client_data;
    d->code = jpeg->err->msg_code;
    jpeg->err->format_message(jpeg, d->reason);
    longjmp(d->out, 1);
}

/* Warnings have the level -1, what is merely told 0 and more. */
static void weigh(j_common_ptr jpeg, int level) {
    struct decoding *d = jpeg->client_data;
    if (level >= 0) return;
    switch (jpeg->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
        d->stray = true;
        return;
    case JWRN_JPEG_EOF: /* whether pixels are missing is told by another */
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
        return;
    default:
        give_up(jpeg);
    }
}

static void say_nothing(j_common_ptr jpeg) {
    (void)jpeg;
}

static void start(struct decoding *d, const struct tsr_encoded *in) {
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    jpeg_create_decompress(jpeg);
    jpeg_mem_src(jpeg, in->bytes, (unsigned long)in->size);
    (void)jpeg_read_header(jpeg, TRUE);
    if (jpeg->image_height != in->header.height || jpeg->image_width != in->header.width ||
        (unsigned)jpeg->num_components != in->header.components)
        ERREXIT(jpeg, JERR_SOF_DUPLICATE);
    jpeg->out_color_space = jpeg->num_components == 1   ? JCS_GRAYSCALE
                            : jpeg->num_components == 3 ? JCS_RGB
                                                        : JCS_CMYK;
    (void)jpeg_start_decompress(jpeg);
}

/* The inks of a row, of which 255 is none, as Adobe stores them, and as all who read such files
 * take them, whether it is stated or not. */
static void mix_inks(const uint8_t *cmyk, size_t width, uint8_t *rgb) {
    for (size_t i = 0; i < width; i++, cmyk += 4, rgb += 3)
        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)((cmyk[c] * cmyk[3] + 127) / 255);
}

static void read_rows(struct decoding *d, const struct tsr_image_header *header) {
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    JSAMPROW inks = NULL;
    if (header->components == 4)
        inks = jpeg->mem->alloc_sarray((j_common_ptr)jpeg, JPOOL_IMAGE,
                                       (JDIMENSION)(4 * header->width), 1)[0];
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = d->pixels + jpeg->output_scanline * header->width * header->samples;
        JSAMPROW target = inks ? inks : row;
        (void)jpeg_read_scanlines(jpeg, &target, 1);
        if (inks) mix_inks(inks, header->width, row);
    }
}

/* Of a progressive JPEG that was cut between two scans nothing else tells that some are missing. */
static bool lacks_scans(const struct jpeg_decompress_struct *jpeg) {
    if (!jpeg->coef_bits) return false;
    for (int i = 0; i < jpeg->num_components; i++)
        for (int k = 0; k < DCTSIZE2; k++)
            if (jpeg->coef_bits[i][k] != 0) return true;
    return false;
}

/* False: d->code and d->reason say why. Nothing in here may own anything: it is jumped out of. */
static bool run(struct decoding *d, const struct tsr_encoded *in) {
    if (setjmp(d->out) != 0) return false;
    start(d, in);
    read_rows(d, &in->header);
    if (!in->header.ended && lacks_scans(&d->jpeg)) WARNMS(&d->jpeg, JWRN_HIT_MARKER);
    (void)jpeg_finish_decompress(&d->jpeg);
    return true;
}

static enum tsr_status failure(const struct decoding *d, const struct tsr_encoded *in,
                               struct tsr_error *err) {
    if (d->code == JERR_OUT_OF_MEMORY)
        return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: not enough memory to decode it", in->name);
    if (d->code == JWRN_HIT_MARKER)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: truncated JPEG (%s)", in->name,
                         in->header.ended ? "pixels are missing" : "it has no end-of-image marker");
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: damaged JPEG (%s)", in->name, d->reason);
}

static enum tsr_status decode(const struct tsr_encoded *in, struct tsr_decoded *out,
                              struct tsr_error *err) {
    const struct tsr_image_header *header = &in->header;
    struct decoding *d;
    TSR_TRY(TSR_ALLOC(&d, 1, in->name, err));
    enum tsr_status status =
        TSR_ALLOC(&d->pixels, header->height * header->width * header->samples, in->name, err);
    if (status == TSR_OK) {
        d->jpeg.err = jpeg_std_error(&d->errors);
        d->errors.error_exit = give_up;
        d->errors.emit_message = weigh;
        d->errors.output_message = say_nothing;
        d->jpeg.client_data = d;
        if (run(d, in)) {
            *out = (struct tsr_decoded){.samples = d->pixels};
            if (d->stray) out->remark = "bytes that belong to nothing were passed over";
            if (!in->header.ended) out->remark = "its end marker is missing, its pixels are there";
            d->pixels = NULL;
        } else {
            status = failure(d, in, err);
        }
        jpeg_destroy_decompress(&d->jpeg);
        free(d->pixels);
    }
    free(d);
    return status;
}

const struct tsr_decoder tsr_decoder_libjpeg = {
    .object = {.name = "libjpeg", .about = "JPEG, by libjpeg-turbo"},
    .reads = {[TSR_KIND_JPEG] = true},
    .decode = decode,
};
