/* Preloaded, it counts the calls of chosen functions that a program makes, and makes one of them
 * fail, or that one and all later ones. Knows glibc and OpenCL, and nothing of Mica. Not for
 * programs under AddressSanitizer, which has a malloc of its own. The environment says:
 *
 *   FAULT_CALLS  functions or groups (memory, files, opencl), with commas between
 *   FAULT_FROM   parts of the names of modules whose calls count (default: the program itself)
 *   FAULT_PATH   of files, only calls whose path, or whose descriptor's path, has this part
 *   FAULT_AT     the call that fails, from 1 (default: none)
 *   FAULT_ALL    set: all later ones too
 *   FAULT_KILL   set: SIGKILL in the place of the call
 *   FAULT_LOG    the file to append to: "fault NAME", "at MODULE OFFSET" for each frame, and at the
 *                end "total CALLS" and "live KIND COUNT" of blocks and OpenCL objects not freed */
#undef _FILE_OFFSET_BITS /* open and open64 are two functions here */
#include "fault_log.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALLER __builtin_return_address(0)

static const char *const groups[][2] = {
    {"memory", "malloc,calloc,realloc,strdup,posix_memalign,pthread_create,"},
    {"files", "open,open64,fopen,fopen64,read,pread64,fread,write,fwrite,fflush,fsync,rename,close,"
              "fclose,unlink,mkdir,stat,stat64,fstat,fstat64,access,opendir,readdir64,mmap,mmap64,"
              "flock,ftruncate64,lseek64,"},
};

static char calls[1024];
static const char *from, *part;
static bool opencl, ready;
static pid_t owner;
static _Thread_local int inside; /* a call from here, or from below one that is passed on */

/* ---- whose call is it? ---- */

static struct {
    uintptr_t begin, end;
    bool wanted;
} modules[256];
static size_t n_modules;

static bool wanted_name(const char *name, bool program) {
    if (!from)
        return program;
    for (const char *word = from; *word;) {
        char text[64];
        size_t n = strcspn(word, ",");
        snprintf(text, sizeof text, "%.*s", (int)n, word);
        if (*text && strstr(name, text))
            return true;
        word += n + (word[n] == ',');
    }
    return false;
}

static int add_module(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size;
    (void)data;
    for (int i = 0; i < info->dlpi_phnum && n_modules < sizeof modules / sizeof *modules; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
            continue;
        modules[n_modules].begin = info->dlpi_addr + segment->p_vaddr;
        modules[n_modules].end = modules[n_modules].begin + segment->p_memsz;
        modules[n_modules].wanted = wanted_name(info->dlpi_name, n_modules == 0);
        n_modules++;
        break;
    }
    return 0;
}

/* Modules that are loaded later, drivers, are not wanted. */
static bool ours(const void *caller) {
    if (!ready || inside)
        return false;
    for (size_t i = 0; i < n_modules; i++)
        if ((uintptr_t)caller >= modules[i].begin && (uintptr_t)caller < modules[i].end)
            return modules[i].wanted;
    return false;
}

/* ---- does it fail? ---- */

static bool chosen(const char *name) {
    if (opencl && !strncmp(name, "cl", 2))
        return true;
    const size_t n = strlen(name);
    for (const char *found = calls; (found = strstr(found, name)); found += n)
        if ((found == calls || found[-1] == ',') && found[n] == ',')
            return true;
    return false;
}

static bool path_fits(const char *path, int fd) {
    char link[64], target[512];
    if (!part)
        return true;
    if (!path && fd >= 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, target, sizeof target - 1);
        target[n > 0 ? n : 0] = 0;
        path = target;
    }
    return path && strstr(path, part);
}

static bool fails(const char *name, const void *caller, const char *path, int fd) {
    if (!ours(caller) || !chosen(name))
        return false;
    inside++;
    bool result = path_fits(path, fd) && fault_log_call(name);
    if (result && getenv("FAULT_KILL"))
        kill(getpid(), SIGKILL);
    inside--;
    return result;
}

/* Fetches the function behind this library's own of the same name into `real`. */
#define REAL(type, name, ...)                                                                      \
    static type (*real)(__VA_ARGS__);                                                              \
    if (!real) {                                                                                   \
        inside++;                                                                                  \
        *(void **)&real = dlsym(RTLD_NEXT, name);                                                  \
        inside--;                                                                                  \
    }
#define FAIL_IF(name, path, fd, error, value)                                                      \
    if (fails(name, CALLER, path, fd)) {                                                           \
        errno = error;                                                                             \
        return value;                                                                              \
    }

/* ---- memory: blocks of the program that are never freed are counted ---- */

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

enum { SLOTS = 1 << 20 };
#define FREED ((void *)1)
static struct held {
    void *block;
    const void *caller;
} * held; /* a hash table; where it is full, blocks are forgotten */
static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;

static struct held *slot(const void *block, bool vacant) {
    size_t at = (size_t)(((uintptr_t)block >> 4) * 2654435761u) % SLOTS;
    for (size_t tried = 0; tried < 4096; tried++, at = (at + 1) % SLOTS) {
        if (held[at].block == block || (vacant && (uintptr_t)held[at].block <= 1))
            return &held[at];
        if (!held[at].block)
            break;
    }
    return NULL;
}

static void *hold(void *block, const void *caller) {
    if (block && held && ours(caller)) {
        pthread_mutex_lock(&held_lock);
        struct held *place = slot(block, true);
        if (place)
            *place = (struct held){block, caller};
        pthread_mutex_unlock(&held_lock);
    }
    return block;
}

static void let_go(void *block) {
    if (!block || !held)
        return;
    pthread_mutex_lock(&held_lock);
    struct held *place = slot(block, false);
    if (place)
        place->block = FREED;
    pthread_mutex_unlock(&held_lock);
}

void free(void *block) {
    let_go(block);
    __libc_free(block);
}

void *malloc(size_t size) {
    FAIL_IF("malloc", NULL, -1, ENOMEM, NULL)
    return hold(__libc_malloc(size), CALLER);
}

void *calloc(size_t count, size_t size) {
    FAIL_IF("calloc", NULL, -1, ENOMEM, NULL)
    return hold(__libc_calloc(count, size), CALLER);
}

void *realloc(void *block, size_t size) {
    FAIL_IF("realloc", NULL, -1, ENOMEM, NULL)
    let_go(block);
    void *moved = __libc_realloc(block, size);
    hold(moved ? moved : size ? block : NULL, CALLER);
    return moved;
}

char *strdup(const char *text) {
    FAIL_IF("strdup", NULL, -1, ENOMEM, NULL)
    char *copy = hold(__libc_malloc(strlen(text) + 1), CALLER);
    return copy ? strcpy(copy, text) : NULL;
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    if (fails("posix_memalign", CALLER, NULL, -1))
        return ENOMEM;
    void *made = hold(__libc_memalign(alignment, size), CALLER);
    if (!made)
        return ENOMEM;
    *block = made;
    return 0;
}

int pthread_create(
    pthread_t *thread, const pthread_attr_t *how, void *(*function)(void *), void *data) {
    if (fails("pthread_create", CALLER, NULL, -1))
        return EAGAIN;
    REAL(int, "pthread_create", pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)
    return real(thread, how, function, data);
}

/* ---- files: without the C library's own functions where a system call does the same ---- */

/* As the C library marks a stream that failed. */
static void mark_failed(FILE *file, int error) {
    file->_flags |= 0x20; /* _IO_ERR_SEEN */
    errno = error;
}

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...) {                                                   \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        int mode = va_arg(args, int);                                                              \
        va_end(args);                                                                              \
        FAIL_IF(#name, path, -1, flags &O_CREAT ? ENOSPC : EIO, -1)                                \
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);                              \
    }
OPEN(open)
OPEN(open64)

/* A function that is passed on with the same arguments. */
#define PASS(type, name, error, value, path, fd, parameters, arguments)                            \
    type name parameters {                                                                         \
        FAIL_IF(#name, path, fd, error, value)                                                     \
        REAL(type, #name, FAULT_UNPACK parameters)                                                 \
        return real arguments;                                                                     \
    }
#define FAULT_UNPACK(...) __VA_ARGS__
PASS(FILE *, fopen, EIO, NULL, p, -1, (const char *p, const char *mode), (p, mode))
PASS(FILE *, fopen64, EIO, NULL, p, -1, (const char *p, const char *mode), (p, mode))
PASS(int, fflush, ENOSPC, EOF, NULL, f ? fileno(f) : -1, (FILE * f), (f))
PASS(int, access, EACCES, -1, p, -1, (const char *p, int mode), (p, mode))
PASS(int, stat, EIO, -1, p, -1, (const char *p, struct stat *about), (p, about))
PASS(int, stat64, EIO, -1, p, -1, (const char *p, struct stat64 *about), (p, about))
PASS(int, fstat, EIO, -1, NULL, fd, (int fd, struct stat *about), (fd, about))
PASS(int, fstat64, EIO, -1, NULL, fd, (int fd, struct stat64 *about), (fd, about))
PASS(void *, opendir, EIO, NULL, p, -1, (const char *p), (p))
PASS(void *, readdir64, EIO, NULL, NULL, -1, (void *folder), (folder))

#define SYSTEM(type, name, number, error, path, fd, parameters, ...)                               \
    type name parameters {                                                                         \
        FAIL_IF(#name, path, fd, error, (type)-1)                                                  \
        return (type)syscall(number, __VA_ARGS__);                                                 \
    }
SYSTEM(ssize_t, read, SYS_read, EIO, NULL, fd, (int fd, void *data, size_t n), fd, data, n)
SYSTEM(ssize_t, pread64, SYS_pread64, EIO, NULL, fd, (int fd, void *data, size_t n, off64_t at), fd,
    data, n, at)
SYSTEM(
    ssize_t, write, SYS_write, ENOSPC, NULL, fd, (int fd, const void *data, size_t n), fd, data, n)
SYSTEM(int, fsync, SYS_fsync, EIO, NULL, fd, (int fd), fd)
SYSTEM(int, rename, SYS_rename, EIO, to, -1, (const char *is, const char *to), is, to)
SYSTEM(int, unlink, SYS_unlink, EIO, p, -1, (const char *p), p)
SYSTEM(int, mkdir, SYS_mkdir, ENOSPC, p, -1, (const char *p, mode_t mode), p, mode)
SYSTEM(int, ftruncate64, SYS_ftruncate, EIO, NULL, fd, (int fd, off64_t n), fd, n)
SYSTEM(off64_t, lseek64, SYS_lseek, EIO, NULL, fd, (int fd, off64_t n, int whence), fd, n, whence)
SYSTEM(int, flock, SYS_flock, ENOLCK, NULL, fd, (int fd, int what), fd, what)
SYSTEM(void *, mmap, SYS_mmap, ENOMEM, NULL, fd,
    (void *at, size_t n, int protection, int flags, int fd, off_t offset), at, n, protection, flags,
    fd, offset)
SYSTEM(void *, mmap64, SYS_mmap, ENOMEM, NULL, fd,
    (void *at, size_t n, int protection, int flags, int fd, off64_t offset), at, n, protection,
    flags, fd, offset)

/* A descriptor is closed even where closing tells of an error. */
int close(int fd) {
    const bool failed = fails("close", CALLER, NULL, fd);
    const int code = (int)syscall(SYS_close, fd);
    if (failed)
        errno = EIO;
    return failed ? -1 : code;
}

int fclose(FILE *file) {
    REAL(int, "fclose", FILE *)
    const bool failed = fails("fclose", CALLER, NULL, fileno(file));
    const int code = real(file);
    if (failed)
        errno = ENOSPC;
    return failed ? EOF : code;
}

size_t fread(void *data, size_t size, size_t count, FILE *file) {
    REAL(size_t, "fread", void *, size_t, size_t, FILE *)
    if (!fails("fread", CALLER, NULL, fileno(file)))
        return real(data, size, count, file);
    mark_failed(file, EIO);
    return 0;
}

size_t fwrite(const void *data, size_t size, size_t count, FILE *file) {
    REAL(size_t, "fwrite", const void *, size_t, size_t, FILE *)
    if (!fails("fwrite", CALLER, NULL, fileno(file)))
        return real(data, size, count, file);
    mark_failed(file, ENOSPC);
    return 0;
}

/* ---- OpenCL: integers and pointers only, so that one shape serves all ---- */

enum { CONTEXT, QUEUE, BUFFER, PROGRAM, KERNEL, EVENT, KINDS };
static const char *const kinds[] = {"context", "queue", "buffer", "program", "kernel", "event"};
static atomic_long live[KINDS];

#define PARAMETERS long a, long b, long c, long d, long e, long f, long g, long h, long i
#define ARGUMENTS  a, b, c, d, e, f, g, h, i
#define CODE(name, error, then)                                                                    \
    long name(PARAMETERS) {                                                                        \
        REAL(long, #name, PARAMETERS)                                                              \
        if (fails(#name, CALLER, NULL, -1))                                                        \
            return error;                                                                          \
        const long code = real(ARGUMENTS);                                                         \
        if (!(int)code && ours(CALLER)) {                                                          \
            then;                                                                                  \
        }                                                                                          \
        return code;                                                                               \
    }
/* `at` is the parameter that points to the code. */
#define MAKE(name, at, error, kind)                                                                \
    long name(PARAMETERS) {                                                                        \
        REAL(long, #name, PARAMETERS)                                                              \
        if (fails(#name, CALLER, NULL, -1)) {                                                      \
            if (at)                                                                                \
                *(int *)at = error;                                                                \
            return 0;                                                                              \
        }                                                                                          \
        const long object = real(ARGUMENTS);                                                       \
        if (object && ours(CALLER))                                                                \
            live[kind]++;                                                                          \
        return object;                                                                             \
    }
enum { GONE = -2, MEMORY = -4, RESOURCES = -5, HOST = -6, PROFILE = -7, BUILD = -11 };
MAKE(clCreateContext, f, HOST, CONTEXT)
MAKE(clCreateCommandQueue, d, HOST, QUEUE)
MAKE(clCreateBuffer, e, MEMORY, BUFFER)
MAKE(clCreateSubBuffer, e, MEMORY, BUFFER)
MAKE(clCreateProgramWithSource, e, HOST, PROGRAM)
MAKE(clCreateProgramWithBinary, g, HOST, PROGRAM)
MAKE(clCreateKernel, c, HOST, KERNEL)
CODE(clBuildProgram, BUILD, )
CODE(clSetKernelArg, HOST, )
CODE(clFinish, RESOURCES, )
CODE(clFlush, RESOURCES, )
CODE(clEnqueueNDRangeKernel, RESOURCES, live[EVENT] += i != 0)
CODE(clEnqueueReadBuffer, RESOURCES, live[EVENT] += i != 0)
CODE(clEnqueueWriteBuffer, RESOURCES, live[EVENT] += i != 0)
CODE(clEnqueueFillBuffer, MEMORY, )
CODE(clGetPlatformIDs, HOST, )
CODE(clGetDeviceIDs, HOST, )
CODE(clGetDeviceInfo, GONE, )
CODE(clGetPlatformInfo, HOST, )
CODE(clGetProgramInfo, HOST, )
CODE(clGetProgramBuildInfo, HOST, )
CODE(clGetKernelInfo, HOST, )
CODE(clGetKernelWorkGroupInfo, HOST, )
CODE(clGetEventProfilingInfo, PROFILE, )

/* Releasing never fails: what is not called here is counted as live. */
#define DROP(name, kind)                                                                           \
    long name(PARAMETERS) {                                                                        \
        REAL(long, #name, PARAMETERS)                                                              \
        if (ours(CALLER))                                                                          \
            live[kind]--;                                                                          \
        return real(ARGUMENTS);                                                                    \
    }
DROP(clReleaseContext, CONTEXT)
DROP(clReleaseCommandQueue, QUEUE)
DROP(clReleaseMemObject, BUFFER)
DROP(clReleaseProgram, PROGRAM)
DROP(clReleaseKernel, KERNEL)
DROP(clReleaseEvent, EVENT)

/* ---- begin and end ---- */

static void choose(void) {
    const char *word = getenv("FAULT_CALLS");
    while (word && *word) {
        const size_t n = strcspn(word, ","), end = strlen(calls);
        const char *group = NULL;
        for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
            if (strlen(groups[g][0]) == n && !strncmp(word, groups[g][0], n))
                group = groups[g][1];
        if (n == strlen("opencl") && !strncmp(word, "opencl", n))
            opencl = true;
        else if (group)
            snprintf(calls + end, sizeof calls - end, "%s", group);
        else
            snprintf(calls + end, sizeof calls - end, "%.*s,", (int)n, word);
        word += n + (word[n] == ',');
    }
}

__attribute__((constructor)) static void begin(void) {
    /* Programs that the program starts, PoCL's linker, are left alone. */
    if (getenv("FAULT_OWNER"))
        return;
    setenv("FAULT_OWNER", "1", 1);
    owner = getpid();
    choose();
    from = getenv("FAULT_FROM");
    part = getenv("FAULT_PATH");
    fault_log_open();
    dl_iterate_phdr(add_module, NULL);
    void *table = mmap(NULL, SLOTS * sizeof *held, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    held = table == MAP_FAILED ? NULL : table;
    ready = true;
}

__attribute__((destructor)) static void end(void) {
    if (getpid() != owner)
        return;
    inside++;
    long blocks = 0;
    for (size_t i = 0; held && i < SLOTS; i++)
        if ((uintptr_t)held[i].block > 1 && blocks++ < 5)
            fault_log_place("leak", held[i].caller);
    if (blocks)
        fault_log("live block %ld\n", blocks);
    for (size_t i = 0; i < KINDS; i++)
        if (live[i])
            fault_log("live %s %ld\n", kinds[i], (long)live[i]);
    fault_log_end();
    inside--;
}
