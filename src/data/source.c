#include "data/source.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* deflate's best: 258 bytes from two bits, 1032 from one byte */
#define DEFLATE_RATIO 1032

struct mica_source {
    gzFile file;
    const char *path;
    uint64_t most;
};

mica_status mica_source_open(const char *path, mica_source **out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return mica_open_failed(path);
    struct stat info;
    if (fstat(fd, &info) || !S_ISREG(info.st_mode)) {
        close(fd);
        return mica_fail(MICA_E_INVALID, "cannot read %s: it is not a regular file", path);
    }
    mica_source *source = mica_alloc(1, sizeof *source);
    gzFile file = source ? gzdopen(fd, "rb") : NULL;
    if (!file) {
        free(source);
        close(fd);
        return mica_fail(MICA_E_MEMORY, "out of host memory: reading %s", path);
    }
    gzbuffer(file, 1 << 17);
    uint64_t size = (uint64_t)info.st_size;
    source->file = file;
    source->path = path;
    source->most =
        gzdirect(file) || size > UINT64_MAX / DEFLATE_RATIO ? size : size * DEFLATE_RATIO;
    *out = source;
    return MICA_OK;
}

void mica_source_close(mica_source **source) {
    if (!*source)
        return;
    gzclose_r((*source)->file);
    free(*source);
    *source = NULL;
}

uint64_t mica_source_most(const mica_source *source) {
    return source->most;
}

static mica_status read_failed(const mica_source *source) {
    int code;
    const char *text = gzerror(source->file, &code);
    if (code == Z_ERRNO)
        return mica_fail(MICA_E_IO, "cannot read %s: %s", source->path, strerror(errno));
    if (code == Z_MEM_ERROR)
        return mica_fail(MICA_E_MEMORY, "out of host memory: reading %s", source->path);
    if (code == Z_BUF_ERROR)
        return mica_fail(MICA_E_FORMAT, "%s: the gzip file is cut off; get it again", source->path);
    return mica_fail(
        MICA_E_FORMAT, "%s: the gzip file is damaged (%s); get it again", source->path, text);
}

mica_status mica_source_read(mica_source *source, void *data, size_t size, size_t *got) {
    char *at = data;
    size_t used = 0;
    while (used < size) {
        size_t left = size - used;
        int n = gzread(source->file, at + used, left < 1 << 30 ? (unsigned)left : 1 << 30);
        int code;
        gzerror(source->file, &code);
        if (n < 0 || (code != Z_OK && code != Z_STREAM_END))
            return read_failed(source);
        if (n == 0)
            break;
        used += (size_t)n;
    }
    *got = used;
    return MICA_OK;
}
