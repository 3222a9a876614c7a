#include "base/file.h"

#include "base/error.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

mica_status mica_file_read(const char *path, size_t limit, char **data, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file)
        return mica_open_failed(path);
    struct stat info;
    if (fstat(fileno(file), &info) || S_ISDIR(info.st_mode)) {
        fclose(file);
        return mica_fail(MICA_E_INVALID, "cannot read %s: it is not a file", path);
    }
    char *block = NULL;
    size_t used = 0, capacity = 0;
    mica_status status = MICA_OK;
    for (;;) {
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
        size_t n = fread(block + used, 1, capacity - used - 1, file);
        used += n;
        if (used > limit) {
            status =
                mica_fail(MICA_E_FORMAT, "%s: larger than the limit of %zu bytes", path, limit);
            break;
        }
        if (n == 0) {
            if (ferror(file))
                status = mica_fail(MICA_E_IO, "cannot read %s: %s", path, strerror(errno));
            break;
        }
    }
    fclose(file);
    if (status != MICA_OK) {
        free(block);
        return status;
    }
    block[used] = 0;
    *data = block;
    *size = used;
    return MICA_OK;
}

static void writer_free(mica_file_writer *writer) {
    if (writer->fd >= 0)
        close(writer->fd);
    free(writer->path);
    free(writer->temporary);
    free(writer);
}

mica_status mica_file_begin(const char *path, mica_file_writer **out) {
    mica_file_writer *writer = mica_alloc(1, sizeof *writer);
    if (!writer)
        return MICA_E_MEMORY;
    writer->fd = -1;
    writer->path = mica_strdup(path);
    writer->temporary = mica_format("%s.tmp%ld", path, (long)getpid());
    if (!writer->path || !writer->temporary) {
        writer_free(writer);
        return MICA_E_MEMORY;
    }
    writer->fd = open(writer->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (writer->fd < 0) {
        int code = errno;
        writer_free(writer);
        return mica_fail(MICA_E_IO, "cannot write %s: %s", path, strerror(code));
    }
    *out = writer;
    return MICA_OK;
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
        ssize_t n = write(writer->fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return writer_failed(writer);
        at += n;
        size -= (size_t)n;
    }
    return MICA_OK;
}

static mica_status folder_sync(const char *path) {
    char *folder = mica_strdup(path);
    if (!folder)
        return MICA_E_MEMORY;
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd < 0)
        return mica_fail(MICA_E_IO, "cannot open the folder of %s: %s", path, strerror(errno));
    int failed = fsync(fd) && errno != EINVAL; /* some file systems have no fsync for folders */
    close(fd);
    return failed ? mica_fail(MICA_E_IO, "cannot sync the folder of %s: %s", path, strerror(errno))
                  : MICA_OK;
}

mica_status mica_file_commit(mica_file_writer **owner) {
    mica_file_writer *writer = *owner;
    *owner = NULL;
    if (writer->status == MICA_OK && fsync(writer->fd))
        writer_failed(writer);
    if (close(writer->fd) && writer->status == MICA_OK)
        writer_failed(writer);
    writer->fd = -1;
    if (writer->status == MICA_OK && rename(writer->temporary, writer->path))
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

mica_status mica_folder_make(const char *path) {
    char *copy = mica_strdup(path);
    if (!copy)
        return MICA_E_MEMORY;
    int code = 0;
    for (char *at = copy + 1;; at++) {
        if (*at && *at != '/')
            continue;
        char end = *at;
        *at = 0;
        code = mkdir(copy, 0777) ? errno : 0;
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
