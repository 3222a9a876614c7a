/* What both libraries of faults share: the count of calls, which of them fails, and the log.
 * Included by one source of a library. */
#ifndef MICA_TESTS_FAULT_LOG_H
#define MICA_TESTS_FAULT_LOG_H

#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long fault_count, fault_failed;
static long fault_at;
static bool fault_all;
static int fault_fd = -1;

static void fault_log(const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (fault_fd >= 0 && n > 0 && n < (int)sizeof text)
        syscall(SYS_write, fault_fd, text, (size_t)n);
}

/* KEY MODULE OFFSET, for addr2line */
static void fault_log_place(const char *key, const void *address) {
    Dl_info about;
    if (dladdr(address, &about) && about.dli_fname)
        fault_log("%s %s 0x%lx\n", key, about.dli_fname,
            (unsigned long)((const char *)address - (const char *)about.dli_fbase - 1));
}

/* Call this first: it also loads what backtrace needs. */
static void fault_log_open(void) {
    void *frames[4];
    backtrace(frames, 4);
    const char *at = getenv("FAULT_AT"), *path = getenv("FAULT_LOG");
    fault_at = at ? atol(at) : 0;
    fault_all = getenv("FAULT_ALL") != NULL;
    const int fd =
        path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;
    if (fd < 0)
        return;
    fault_fd = fcntl(fd, F_DUPFD_CLOEXEC, 400); /* out of the program's way */
    syscall(SYS_close, fd);
}

/* Counts a call of the function; true if it shall fail. */
static bool fault_log_call(const char *name) {
    const long n = ++fault_count;
    if (!fault_at || (fault_all ? n < fault_at : n != fault_at))
        return false;
    if (fault_failed++)
        return true;
    fault_log("fault %s\n", name);
    void *frames[24];
    const int count = backtrace(frames, 24);
    for (int i = 2; i < count; i++)
        fault_log_place("at", frames[i]);
    return true;
}

static void fault_log_end(void) {
    fault_log("total %ld\n", (long)fault_count);
}

#endif
