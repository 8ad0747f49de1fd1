/* SPDX-License-Identifier: MIT */
#include "data/notice.h"

#include <stdarg.h>
#include <stdio.h>

void tsr_notice(const struct tsr_notice *to, const char *format, ...) {
    char text[1024];
    va_list arguments;
    if (!to->say) return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    to->say(to->user, text);
}
