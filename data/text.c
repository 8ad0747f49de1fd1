/* SPDX-License-Identifier: MIT */
#include "data/text.h"

#include <stdlib.h>
#include <string.h>

#include "data/source.h"

/* ---- encodings ------------------------------------------------------------------------------- */

static size_t put_utf8(uint32_t code, char *out) {
    unsigned char *o = (unsigned char *)out;
    if (code < 0x80) {
        o[0] = (unsigned char)code;
        return 1;
    }
    size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
    for (size_t i = more; i > 0; i--, code >>= 6)
        o[i] = (unsigned char)(0x80 | (code & 0x3f));
    o[0] = (unsigned char)(first[more] | code);
    return more + 1;
}

static uint32_t unit(const unsigned char *bytes, bool big) {
    return big ? (uint32_t)bytes[0] << 8 | bytes[1] : (uint32_t)bytes[1] << 8 | bytes[0];
}

/* Half of a surrogate pair alone becomes U+FFFD. A unit of two bytes gives at most three, a pair
 * four: out has room for 3 * size / 2. */
static size_t from_utf16(const unsigned char *in, size_t size, bool big, char *out) {
    size_t used = 0;
    for (size_t i = 0; i + 1 < size; i += 2) {
        uint32_t code = unit(in + i, big);
        if (code >= 0xd800 && code < 0xe000) {
            uint32_t low = i + 3 < size ? unit(in + i + 2, big) : 0;
            bool pair = code < 0xdc00 && low >= 0xdc00 && low < 0xe000;
            code = pair ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
            i += pair ? 2 : 0;
        }
        used += put_utf8(code, out + used);
    }
    return used;
}

/* How many bytes of a mark come first; *wide: UTF-16. */
static size_t find_encoding(const unsigned char *b, size_t size, bool *wide, bool *big) {
    *wide = *big = false;
    if (size >= 3 && memcmp(b, "\xef\xbb\xbf", 3) == 0) return 3;
    if (size < 2) return 0;
    bool mark = (b[0] == 0xff && b[1] == 0xfe) || (b[0] == 0xfe && b[1] == 0xff);
    *big = mark ? b[0] == 0xfe : b[0] == 0;
    *wide = mark || (b[0] == 0) != (b[1] == 0);
    return mark ? 2 : 0;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void end_lines(char *text, size_t size) {
    if (memchr(text, '\n', size)) return;
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\r') text[i] = '\n';
}

enum tsr_status tsr_text_read(const char *path, size_t limit, char **text, size_t *size,
                              struct tsr_error *err) {
    unsigned char *bytes;
    size_t length;
    bool wide, big;
    TSR_TRY(tsr_source_read_file(path, limit, &bytes, &length, err));
    size_t mark = find_encoding(bytes, length, &wide, &big);
    if (!wide) {
        length -= mark;
        memmove(bytes, bytes + mark, length + 1);
        *text = (char *)bytes;
    } else {
        *text = malloc(length / 2 * 3 + 1);
        if (*text) length = from_utf16(bytes + mark, length - mark, big, *text);
        free(bytes);
        if (!*text) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to read it", path);
        (*text)[length] = 0;
    }
    *size = length;
    end_lines(*text, length);
    return TSR_OK;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

char *tsr_trim(char *text) {
    while (is_blank(*text))
        text++;
    char *end = text + strlen(text);
    while (end > text && is_blank(end[-1]))
        end--;
    *end = 0;
    return text;
}

char *tsr_next_line(char **at, char *end, bool *is_text) {
    char *line = *at;
    if (line >= end) return NULL;
    char *stop = memchr(line, '\n', (size_t)(end - line));
    if (!stop) stop = end;
    *stop = 0;
    *is_text = strlen(line) == (size_t)(stop - line);
    *at = stop + 1;
    return tsr_trim(line);
}
