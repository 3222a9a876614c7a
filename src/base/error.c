#include "base/error.h"

#include <stdio.h>
#include <string.h>

static _Thread_local char last_error[1024];

const char *mica_last_error(void) {
    return last_error;
}

const char *mica_status_name(mica_status status) {
    static const char *const names[] = {"ok", "invalid", "format", "not found", "unsupported",
        "memory", "io", "device", "lost", "numeric", "interrupted"};
    if ((size_t)status >= sizeof names / sizeof *names)
        return "unknown";
    return names[status];
}

mica_status mica_fail(mica_status status, const char *format, ...) {
    char text[sizeof last_error]; /* the arguments may point into last_error itself */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(last_error, text, sizeof text);
    return status;
}

mica_status mica_fail_in(mica_status status, const char *format, ...) {
    char context[sizeof last_error / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
    return mica_fail(status, "%s: %s", context, last_error);
}
