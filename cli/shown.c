/* SPDX-License-Identifier: MIT */
#include "cli/shown.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define COPIES 16
#define LONGEST 4096

size_t cli_utf8_length(const char *text) {
    const unsigned char *s = (const unsigned char *)text;
    size_t n = s[0] < 0x80                   ? 1
               : s[0] >= 0xC2 && s[0] < 0xE0 ? 2
               : s[0] >= 0xE0 && s[0] < 0xF0 ? 3
               : s[0] >= 0xF0 && s[0] < 0xF5 ? 4
                                             : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
        (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return n;
}

unsigned cli_code_point(const char *s, size_t n) {
    static const unsigned char first[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    unsigned code = (unsigned char)s[0] & first[n];
    for (size_t i = 1; i < n; i++)
        code = code << 6 | ((unsigned char)s[i] & 0x3F);
    return code;
}

int cli_is_control(const char *s, size_t n) {
    unsigned c = cli_code_point(s, n);
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x061C || c == 0x200E || c == 0x200F ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

static int is_harmless(const char *s, int backslash) {
    for (size_t n; *s; s += n) {
        n = cli_utf8_length(s);
        if (n == 0 || cli_is_control(s, n) || (*s == '\\' && !backslash)) return 0;
    }
    return 1;
}

/* One character, or one byte that is none; returns how many bytes were read. */
static size_t put_shown(const char *s, char out[8]) {
    static const char from[] = "\\\t\n\r", names[] = "\\tnr";
    size_t n = cli_utf8_length(s);
    const char *at = strchr(from, *s);
    if (at)
        (void)snprintf(out, 8, "\\%c", names[at - from]);
    else if (n == 0 || (n == 1 && cli_is_control(s, n)))
        (void)snprintf(out, 8, "\\x%02x", (unsigned char)*s);
    else if (cli_is_control(s, n))
        (void)snprintf(out, 8, "\\u%04x", cli_code_point(s, n) & 0xFFFF);
    else
        (void)snprintf(out, 8, "%.*s", (int)n, s);
    return n ? n : 1;
}

static const char *shown(const char *text, int backslash) {
    static _Thread_local char copies[COPIES][LONGEST];
    static _Thread_local unsigned next;
    if (is_harmless(text, backslash)) return text;
    char *copy = copies[next++ % COPIES], piece[8];
    size_t used = 0;
    while (*text) {
        text += put_shown(text, piece);
        size_t n = strlen(piece);
        if (used + n + 4 > LONGEST) {
            (void)snprintf(copy + used, 4, "...");
            return copy;
        }
        memcpy(copy + used, piece, n);
        used += n;
    }
    copy[used] = '\0';
    return copy;
}

const char *cli_shown(const char *text) {
    return shown(text, 1);
}

const char *cli_field(const char *text) {
    return shown(text, 0);
}
