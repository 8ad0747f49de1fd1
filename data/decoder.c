/* SPDX-License-Identifier: MIT */
#include "data/decoder.h"

#include "data/decoders/decoders_list.h"

#define DECLARE(NAME) extern const struct tsr_decoder tsr_decoder_##NAME;
#define OBJECT(NAME) &tsr_decoder_##NAME.object,
#define DECODER(NAME) &tsr_decoder_##NAME,

TSR_DECODERS(DECLARE)

static const struct tsr_object *const objects[] = {TSR_DECODERS(OBJECT)};
static const struct tsr_decoder *const decoders[] = {TSR_DECODERS(DECODER)};

const struct tsr_registry tsr_decoders = {"image decoder", objects,
                                          sizeof objects / sizeof *objects};

const struct tsr_decoder *tsr_decoder(size_t i) {
    return decoders[i];
}

const struct tsr_decoder *tsr_decoder_of(enum tsr_image_kind kind) {
    for (size_t i = 0; i < tsr_decoders.n; i++)
        if (decoders[i]->reads[kind]) return decoders[i];
    return NULL;
}
