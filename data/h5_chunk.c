/* SPDX-License-Identifier: MIT
 *
 * Chunks without HDF5, which admits one thread at a time: what is slow about a chunk, its filters,
 * is done here by any thread. The filters are those of the HDF5 File Format Specification, version
 * 3.0, IV.A.2.l: deflate is zlib's format; shuffle puts the first bytes of all values first, then
 * the second ones; fletcher32 puts a checksum behind the bytes.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "data/h5_internal.h"

/* ---- fletcher32 ------------------------------------------------------------------------------ */

#define CHECKSUM_BYTES 4
#define WORDS_AT_A_TIME 360 /* whose sums cannot overflow */

/* Over words of 16 bits, the most significant byte first; an odd byte at the end is one, too. */
static uint32_t checksum(const unsigned char *bytes, size_t size) {
    uint32_t first = 0, second = 0;
    for (size_t words = size / 2; words > 0;) {
        size_t n = words < WORDS_AT_A_TIME ? words : WORDS_AT_A_TIME;
        words -= n;
        for (; n > 0; n--, bytes += 2) {
            first += (uint32_t)bytes[0] << 8 | bytes[1];
            second += first;
        }
        first = (first & 0xffff) + (first >> 16);
        second = (second & 0xffff) + (second >> 16);
    }
    if (size % 2) {
        first += (uint32_t)*bytes << 8;
        second += first;
        first = (first & 0xffff) + (first >> 16);
        second = (second & 0xffff) + (second >> 16);
    }
    first = (first & 0xffff) + (first >> 16);
    second = (second & 0xffff) + (second >> 16);
    return second << 16 | first;
}

static void put_checksum(uint32_t sum, unsigned char *out) {
    for (int i = 0; i < CHECKSUM_BYTES; i++)
        out[i] = (unsigned char)(sum >> 8 * i);
}

/* False: there is none, or it is of other bytes. */
static bool take_checksum(const unsigned char *bytes, size_t *size) {
    unsigned char sum[CHECKSUM_BYTES];
    if (*size < CHECKSUM_BYTES) return false;
    *size -= CHECKSUM_BYTES;
    put_checksum(checksum(bytes, *size), sum);
    return memcmp(sum, bytes + *size, CHECKSUM_BYTES) == 0;
}

/* ---- shuffle --------------------------------------------------------------------------------- */

/* What is left over when the values do not fill the bytes stays where it is. */
static void unshuffle(const unsigned char *in, size_t size, size_t width, unsigned char *out) {
    size_t n = size / width;
    for (size_t b = 0; b < width; b++)
        for (size_t i = 0; i < n; i++)
            out[i * width + b] = in[b * n + i];
    memcpy(out + n * width, in + n * width, size - n * width);
}

/* Values as a file holds them, the least significant byte first, in place or (`shuffled`) with the
 * first bytes of all of them first. */
static void put_values(const uint16_t *values, size_t n, bool shuffled, unsigned char *out) {
    size_t step = shuffled ? 1 : 2, second = shuffled ? n : 1;
    for (size_t i = 0; i < n; i++) {
        out[i * step] = (unsigned char)values[i];
        out[i * step + second] = (unsigned char)(values[i] >> 8);
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

static enum tsr_status reserve(struct tsr_h5_item *item, size_t room, struct tsr_error *err) {
    if (room <= item->room) return TSR_OK;
    tsr_h5_item_clear(item);
    TSR_TRY(TSR_ALLOC(&item->bytes, room, "an item of an array", err));
    item->room = room;
    return TSR_OK;
}

/* The bytes [size] of the values, deflated. What zlib has room for it makes. */
static enum tsr_status deflate_to(int level, const unsigned char *bytes, size_t size,
                                  struct tsr_h5_item *out, struct tsr_error *err) {
    uLongf length = (uLongf)out->room;
    if (compress2(out->bytes, &length, bytes, (uLong)size, level) != Z_OK)
        return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory to deflate %zu bytes", size);
    out->size = length;
    return TSR_OK;
}

enum tsr_status tsr_h5_item_make(enum tsr_h5_type type, int deflate, size_t n, const void *values,
                                 struct tsr_h5_item *out, struct tsr_error *err) {
    enum tsr_status status;
    unsigned char *shuffled = NULL;
    bool wide = type == TSR_H5_U16;
    size_t size = wide ? 2 * n : n;
    TSR_CHECK(reserve(out, (deflate ? compressBound((uLong)size) : size) + CHECKSUM_BYTES, err));
    if (deflate && wide) {
        TSR_CHECK(TSR_ALLOC(&shuffled, size, "an item of an array", err));
        put_values(values, n, true, shuffled);
    }
    if (deflate)
        TSR_CHECK(deflate_to(deflate, wide ? shuffled : values, size, out, err));
    else if (wide)
        put_values(values, n, false, out->bytes);
    else
        memcpy(out->bytes, values, size);
    if (!deflate) out->size = size;
    put_checksum(checksum(out->bytes, out->size), out->bytes + out->size);
    out->size += CHECKSUM_BYTES;
done:
    free(shuffled);
    return status;
}

void tsr_h5_item_clear(struct tsr_h5_item *item) {
    free(item->bytes);
    *item = (struct tsr_h5_item){0};
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Inflates to at most *size bytes, and says how many there are. */
static bool inflate_to(const unsigned char *bytes, size_t stored, unsigned char *out,
                       size_t *size) {
    z_stream stream = {.next_in = (unsigned char *)bytes,
                       .avail_in = (uInt)stored,
                       .next_out = out,
                       .avail_out = (uInt)*size};
    if (inflateInit(&stream) != Z_OK) return false;
    bool whole = inflate(&stream, Z_FINISH) == Z_STREAM_END;
    *size = stream.total_out;
    (void)inflateEnd(&stream);
    return whole;
}

/* Filters are undone from the last to the first; each step puts its result into the one of two
 * rooms that its input is not in. A chunk may be stored without one of them, by its mask. */
bool tsr_h5_unpack(const struct tsr_h5_storage *storage, uint32_t mask, const unsigned char *bytes,
                   size_t stored, unsigned char *out) {
    size_t size = stored, room = storage->chunk_bytes + CHECKSUM_BYTES;
    unsigned char *rooms = malloc(2 * room);
    const unsigned char *at = bytes;
    bool good = rooms != NULL;
    for (unsigned i = storage->n_filters; i-- > 0 && good;) {
        unsigned char *to = at == rooms ? rooms + room : rooms;
        if (mask & 1u << i) continue;
        if (storage->filter[i] == H5Z_FILTER_FLETCHER32) {
            good = take_checksum(at, &size);
        } else if (storage->filter[i] == H5Z_FILTER_DEFLATE) {
            size_t got = room;
            good = inflate_to(at, size, to, &got);
            size = got;
            at = to;
        } else if (storage->value_bytes > 1) {
            good = size <= room;
            if (good) unshuffle(at, size, storage->value_bytes, to);
            at = to;
        }
    }
    good = good && size == storage->chunk_bytes;
    if (good) memcpy(out, at, size);
    free(rooms);
    return good;
}
