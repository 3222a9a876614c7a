/* The thread's last error. Knows only text. */
#ifndef MICA_BASE_ERROR_H
#define MICA_BASE_ERROR_H

#include <mica/status.h>
#include <stdarg.h>

#if defined(__GNUC__)
#define MICA_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define MICA_PRINTF(f, a)
#endif

/* Sets the last error's text (one line, no final newline or period) and returns status:
 *     return mica_fail(MICA_E_INVALID, "matmul: inner sizes differ: %lld and %lld", a, b); */
mica_status mica_fail(mica_status status, const char *format, ...) MICA_PRINTF(2, 3);

/* Puts "context: " before the text of the last error; returns status for use in a return. */
mica_status mica_fail_in(mica_status status, const char *format, ...) MICA_PRINTF(2, 3);

/* MICA_TRY(call) returns from the function with the call's status if it is not MICA_OK. */
#define MICA_TRY(call)                                                                             \
    do {                                                                                           \
        mica_status try_status_ = (call);                                                          \
        if (try_status_ != MICA_OK)                                                                \
            return try_status_;                                                                    \
    } while (0)

#endif
