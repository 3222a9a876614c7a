#include "base/file.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

struct mica_file_writer {
    char *path;
    char *temporary;
    int fd;
    mica_status status;
};

mica_status mica_open_failed(const char *path) {
    const int code = errno;
    const bool nowhere = code == ENOENT || code == ENOTDIR || code == ELOOP || code == ENAMETOOLONG;
    return mica_fail(
        nowhere ? MICA_E_NOT_FOUND : MICA_E_IO, "cannot read %s: %s", path, strerror(code));
}

/* All of a file that is open, which is closed. */
static mica_status read_all(int fd, const char *path, size_t limit, char **data, size_t *size) {
    struct stat info;
    mica_status status = MICA_OK;
    if (fstat(fd, &info))
        status = mica_fail(MICA_E_IO, "cannot read %s: %s", path, strerror(errno));
    else if (S_ISDIR(info.st_mode))
        status = mica_fail(MICA_E_INVALID, "cannot read %s: it is not a file", path);
    char *block = NULL;
    size_t used = 0, capacity = 0;
    while (status == MICA_OK) {
        if (used + 1 >= capacity) {
            size_t guess = S_ISREG(info.st_mode) ? (size_t)info.st_size + 2 : 65536;
            capacity = capacity ? capacity * 2 : guess < limit + 2 ? guess : limit + 2;
            char *moved = realloc(block, capacity);
            if (!moved) {
                status = mica_fail(MICA_E_MEMORY, "out of host memory: reading %s", path);
                break;
            }
            block = moved;
        }
        ssize_t n = TEMP_FAILURE_RETRY(read(fd, block + used, capacity - used - 1));
        if (n < 0)
            status = mica_fail(MICA_E_IO, "cannot read %s: %s", path, strerror(errno));
        if (n <= 0)
            break;
        used += (size_t)n;
        if (used > limit)
            status =
                mica_fail(MICA_E_FORMAT, "%s: larger than the limit of %zu bytes", path, limit);
    }
    close(fd);
    if (status != MICA_OK) {
        free(block);
        return status;
    }
    block[used] = 0;
    *data = block;
    *size = used;
    return MICA_OK;
}

mica_status mica_file_read(const char *path, size_t limit, char **data, size_t *size) {
    int fd = (int)TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC));
    return fd < 0 ? mica_open_failed(path) : read_all(fd, path, limit, data, size);
}

mica_status mica_private_read(const char *path, size_t limit, char **data, size_t *size) {
    int fd = (int)TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (fd < 0)
        return mica_open_failed(path);
    struct stat info;
    if (fstat(fd, &info) || !S_ISREG(info.st_mode) ||
        (info.st_uid != geteuid() && info.st_uid != 0) || info.st_mode & (S_IWGRP | S_IWOTH)) {
        close(fd);
        return mica_fail(MICA_E_INVALID,
            "%s is not used: wanted a regular file of this user or of root that nobody else can "
            "write",
            path);
    }
    return read_all(fd, path, limit, data, size);
}

static void writer_free(mica_file_writer *writer) {
    if (writer->fd >= 0)
        close(writer->fd);
    free(writer->path);
    free(writer->temporary);
    free(writer);
}

/* ".mica-tmp-" and 16 hexadecimal digits, in the folder of the file to be. */
static const char temporary_name[] = ".mica-tmp-";

bool mica_file_is_temporary(const char *name) {
    const size_t length = sizeof temporary_name - 1;
    return !strncmp(name, temporary_name, length) && strlen(name) == length + 16 &&
           strspn(name + length, "0123456789abcdef") == 16;
}

/* Nobody can have put anything under a name that was drawn at random just now. */
static mica_status temporary_open(mica_file_writer *writer, mode_t mode) {
    const char *slash = strrchr(writer->path, '/');
    const int folder = slash ? (int)(slash + 1 - writer->path) : 0;
    uint64_t number;
    do {
        free(writer->temporary);
        writer->temporary = NULL;
        if (TEMP_FAILURE_RETRY(getrandom(&number, sizeof number, 0)) != sizeof number)
            return mica_fail(
                MICA_E_IO, "cannot write %s: no random numbers: %s", writer->path, strerror(errno));
        writer->temporary =
            mica_format("%.*s%s%016" PRIx64, folder, writer->path, temporary_name, number);
        if (!writer->temporary)
            return MICA_E_MEMORY;
        writer->fd = (int)TEMP_FAILURE_RETRY(
            open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    } while (writer->fd < 0 && errno == EEXIST);
    return writer->fd < 0
               ? mica_fail(MICA_E_IO, "cannot write %s: %s", writer->path, strerror(errno))
               : MICA_OK;
}

static mica_status begin(const char *path, mode_t mode, mica_file_writer **out) {
    struct stat info;
    if (!stat(path, &info) && !S_ISREG(info.st_mode))
        return mica_fail(MICA_E_IO, "cannot write %s: it is not a regular file", path);
    mica_file_writer *writer = mica_alloc(1, sizeof *writer);
    if (!writer)
        return MICA_E_MEMORY;
    writer->fd = -1;
    writer->path = mica_strdup(path);
    mica_status status = writer->path ? temporary_open(writer, mode) : MICA_E_MEMORY;
    if (status == MICA_OK)
        *out = writer;
    else
        writer_free(writer);
    return status;
}

mica_status mica_file_begin(const char *path, mica_file_writer **writer) {
    return begin(path, 0666, writer);
}

static mica_status writer_failed(mica_file_writer *writer) {
    writer->status =
        mica_fail(MICA_E_IO, "cannot write %s: %s (the former file, if any, is untouched)",
            writer->path, strerror(errno));
    return writer->status;
}

mica_status mica_file_write(mica_file_writer *writer, const void *data, size_t size) {
    if (writer->status != MICA_OK)
        return writer->status;
    const char *at = data;
    while (size) {
        ssize_t n = TEMP_FAILURE_RETRY(write(writer->fd, at, size));
        if (n < 0)
            return writer_failed(writer);
        at += n;
        size -= (size_t)n;
    }
    return MICA_OK;
}

mica_status mica_file_seek(mica_file_writer *writer, uint64_t offset) {
    if (writer->status == MICA_OK && lseek(writer->fd, (off_t)offset, SEEK_SET) < 0)
        return writer_failed(writer);
    return writer->status;
}

static mica_status folder_sync(const char *path) {
    char *folder = mica_strdup(path);
    if (!folder)
        return MICA_E_MEMORY;
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    int fd =
        (int)TEMP_FAILURE_RETRY(open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    free(folder);
    if (fd < 0)
        return mica_fail(MICA_E_IO, "cannot open the folder of %s: %s", path, strerror(errno));
    /* some file systems have no fsync for folders */
    int failed = TEMP_FAILURE_RETRY(fsync(fd)) && errno != EINVAL;
    close(fd);
    return failed ? mica_fail(MICA_E_IO, "cannot sync the folder of %s: %s", path, strerror(errno))
                  : MICA_OK;
}

mica_status mica_file_commit(mica_file_writer **owner) {
    mica_file_writer *writer = *owner;
    *owner = NULL;
    if (writer->status == MICA_OK && TEMP_FAILURE_RETRY(fsync(writer->fd)))
        writer_failed(writer);
    /* what was interrupted is closed all the same, and its data were synced */
    if (close(writer->fd) && errno != EINTR && writer->status == MICA_OK)
        writer_failed(writer);
    writer->fd = -1;
    if (writer->status == MICA_OK && TEMP_FAILURE_RETRY(rename(writer->temporary, writer->path)))
        writer_failed(writer);
    mica_status status = writer->status;
    if (status != MICA_OK)
        unlink(writer->temporary);
    else
        status = folder_sync(writer->path);
    writer_free(writer);
    return status;
}

void mica_file_abort(mica_file_writer **owner) {
    if (!*owner)
        return;
    unlink((*owner)->temporary);
    writer_free(*owner);
    *owner = NULL;
}

mica_status mica_file_replace(const char *path, const void *data, size_t size) {
    mica_file_writer *writer;
    MICA_TRY(mica_file_begin(path, &writer));
    mica_file_write(writer, data, size);
    return mica_file_commit(&writer);
}

static mica_status folder_make(const char *path, mode_t mode) {
    char *copy = mica_strdup(path);
    if (!copy)
        return MICA_E_MEMORY;
    int code = 0;
    for (char *at = copy + 1;; at++) {
        if (*at && *at != '/')
            continue;
        char end = *at;
        *at = 0;
        code = TEMP_FAILURE_RETRY(mkdir(copy, mode)) ? errno : 0;
        *at = end;
        if ((code && code != EEXIST) || !end)
            break;
    }
    struct stat info;
    if (code == EEXIST && !stat(copy, &info) && S_ISDIR(info.st_mode))
        code = 0;
    free(copy);
    return code ? mica_fail(MICA_E_IO, "cannot make the folder %s: %s", path, strerror(code))
                : MICA_OK;
}

mica_status mica_path_exists(const char *path, bool *exists) {
    struct stat info;
    *exists = !stat(path, &info);
    if (*exists)
        return MICA_OK;
    const int code = errno;
    if (code == ENOENT && lstat(path, &info) && errno == ENOENT)
        return MICA_OK;
    return mica_fail(MICA_E_IO, "cannot look at %s: %s", path,
        code == ENOENT ? "a link that leads nowhere" : strerror(code));
}

mica_status mica_file_hash(const char *path, uint64_t *size, uint64_t *hash) {
    unsigned char block[65536];
    FILE *file = fopen(path, "rb");
    if (!file)
        return mica_open_failed(path);
    *size = 0;
    *hash = MICA_HASH_START;
    for (size_t n; (n = fread(block, 1, sizeof block, file)); *size += n)
        *hash = mica_hash(*hash, block, n);
    mica_status status =
        ferror(file) ? mica_fail(MICA_E_IO, "cannot read %s: %s", path, strerror(errno)) : MICA_OK;
    fclose(file);
    return status;
}

mica_status mica_folder_make(const char *path) {
    return folder_make(path, 0777);
}

mica_status mica_private_folder(const char *path) {
    return folder_make(path, 0700);
}

mica_status mica_private_begin(const char *path, mica_file_writer **writer) {
    const char *slash = strrchr(path, '/');
    char *folder = mica_format("%.*s", slash ? (int)(slash - path) : 0, path);
    mica_status status = folder ? MICA_OK : MICA_E_MEMORY;
    if (status == MICA_OK && *folder)
        status = mica_private_folder(folder);
    free(folder);
    return status == MICA_OK ? begin(path, 0600, writer) : status;
}

char *mica_cache_path(const char *name) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    const char *tail = name ? name : "", *slash = name ? "/" : "";
    if (cache && *cache)
        return mica_format("%s/mica%s%s", cache, slash, tail);
    if (home && *home)
        return mica_format("%s/.cache/mica%s%s", home, slash, tail);
    mica_fail(MICA_E_NOT_FOUND, "no cache folder: neither XDG_CACHE_HOME nor HOME is set");
    return NULL;
}

char *mica_path_join(const char *folder, const char *name) {
    size_t n = strlen(folder);
    return mica_format("%s%s%s", folder, n && folder[n - 1] == '/' ? "" : "/", name);
}
