/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "data/decoder.h"
#include "data/stb.h"

/* What it would fill with grey, or take for other colours than they are. */
static const char *beyond_it(const struct tsr_encoded *in) {
    const struct tsr_image_header *h = &in->header;
    if (in->kind != TSR_KIND_JPEG) return NULL;
    if (!h->ended) return "truncated JPEG (it has no end-of-image marker)";
    if (h->components == 4 && h->adobe != 0 && h->adobe != 2)
        return "a JPEG of four channels (CMYK) without Adobe's marker, which stb_image does not "
               "read";
    return NULL;
}

static enum tsr_status decode(const struct tsr_encoded *in, struct tsr_decoded *out,
                              struct tsr_error *err) {
    const char *wrong = beyond_it(in);
    if (wrong) return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s", in->name, wrong);
    struct tsr_stb_size size;
    out->samples =
        in->header.bits == 16
            ? (void *)tsr_stb_decode_wide(in->bytes, (int)in->size, (int)in->header.samples, &size)
            : (void *)tsr_stb_decode(in->bytes, (int)in->size, (int)in->header.samples, &size);
    if (out->samples && size.height == in->header.height && size.width == in->header.width)
        return TSR_OK;
    const char *reason = out->samples ? "another size than its header says" : tsr_stb_reason();
    free(out->samples);
    out->samples = NULL;
    if (strcmp(reason, "outofmem") == 0)
        return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: not enough memory to decode it", in->name);
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: damaged image (%s)", in->name, reason);
}

const struct tsr_decoder tsr_decoder_stb_image = {
    .object = {.name = "stb_image", .about = "JPEG, PNG and BMP"},
    .reads = {[TSR_KIND_JPEG] = true, [TSR_KIND_PNG] = true, [TSR_KIND_BMP] = true},
    .decode = decode,
};
