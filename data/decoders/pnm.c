/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "data/decoder.h"

/* Of `max`, whatever it is, in the whole range of 8 or 16 bits. */
static size_t stretched(size_t value, size_t max, size_t full) {
    if (value > max) value = max;
    return (value * full + max / 2) / max;
}

static enum tsr_status decode(const struct tsr_encoded *in, struct tsr_decoded *out,
                              struct tsr_error *err) {
    struct tsr_pnm header;
    const size_t n = in->header.height * in->header.width * in->header.samples;
    (void)tsr_pnm_header(in->bytes, in->size, &header); /* it was found undamaged */
    const unsigned char *at = in->bytes + header.pixels;
    if (in->header.bits == 8) {
        uint8_t *samples;
        TSR_TRY(TSR_ALLOC(&samples, n, in->name, err));
        for (size_t i = 0; i < n; i++)
            samples[i] = (uint8_t)stretched(at[i], header.max, 255);
        out->samples = samples;
    } else {
        uint16_t *samples;
        TSR_TRY(TSR_ALLOC(&samples, n, in->name, err));
        for (size_t i = 0; i < n; i++, at += 2)
            samples[i] = (uint16_t)stretched((size_t)at[0] << 8 | at[1], header.max, 65535);
        out->samples = samples;
    }
    return TSR_OK;
}

const struct tsr_decoder tsr_decoder_pnm = {
    .object = {.name = "pnm", .about = "binary PGM and PPM, by tessera itself"},
    .reads = {[TSR_KIND_PNM] = true},
    .decode = decode,
};
