#include "data/tar.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

enum {
    BLOCK = 512,
    NAME = 0, /* where a header's fields lie */
    NAME_SIZE = 100,
    SIZE = 124,
    SIZE_SIZE = 12,
    SUM = 148,
    SUM_SIZE = 8,
    TYPE = 156,
    MAGIC = 257,
    PREFIX = 345,
    PREFIX_SIZE = 155
};

static mica_status cut_off(const mica_tar *tar) {
    return mica_fail(MICA_E_FORMAT, "%s: the tar archive is cut off; get it again", tar->path);
}

/* A field of octal digits between spaces, ended by a space, a 0 or its own end. */
static bool octal(const char *field, size_t size, uint64_t *number) {
    size_t at = 0;
    *number = 0;
    while (at < size && field[at] == ' ')
        at++;
    size_t first = at;
    for (; at < size && field[at] >= '0' && field[at] <= '7'; at++)
        *number = *number * 8 + (uint64_t)(field[at] - '0');
    return at > first && (at == size || field[at] == ' ' || !field[at]);
}

/* The sum of a header's bytes, with spaces in place of the sum itself. */
static uint64_t sum_of(const char *header) {
    uint64_t sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= SUM && i < SUM + SUM_SIZE ? ' ' : (unsigned char)header[i];
    return sum;
}

/* Reads the rest of the member and what fills its last block. */
static mica_status skip(mica_tar *tar) {
    uint64_t left = tar->left + (BLOCK - tar->size % BLOCK) % BLOCK;
    char block[1 << 14];
    while (left) {
        size_t wanted = left < sizeof block ? (size_t)left : sizeof block, got;
        MICA_TRY(mica_source_read(tar->source, block, wanted, &got));
        if (got < wanted)
            return cut_off(tar);
        left -= got;
    }
    tar->left = tar->size = 0;
    return MICA_OK;
}

/* Reads the next header, of whatever kind; *end where there is none. */
static mica_status header_read(mica_tar *tar, char header[BLOCK], bool *end) {
    static const char zeros[BLOCK];
    size_t got;
    MICA_TRY(mica_source_read(tar->source, header, BLOCK, &got));
    if (got < BLOCK)
        return cut_off(tar);
    *end = !memcmp(header, zeros, BLOCK);
    if (*end)
        return MICA_OK;
    uint64_t sum, size, most = mica_source_most(tar->source);
    if (memcmp(header + MAGIC, "ustar", 5) || !octal(header + SUM, SUM_SIZE, &sum) ||
        sum != sum_of(header) || !octal(header + SIZE, SIZE_SIZE, &size))
        return mica_fail(MICA_E_FORMAT,
            "%s: wanted a tar archive, came a header that is none: damaged, or another kind of "
            "file",
            tar->path);
    if (size > most)
        return mica_fail(MICA_E_FORMAT,
            "%s: a member of %llu bytes, but the archive has room for at most %llu; get it again",
            tar->path, (unsigned long long)size, (unsigned long long)most);
    bool empty = header[TYPE] >= '1' && header[TYPE] <= '6'; /* links, devices, folders */
    tar->size = tar->left = empty ? 0 : size;
    return MICA_OK;
}

mica_status mica_tar_next(mica_tar *tar) {
    char header[BLOCK];
    bool end;
    tar->member = false;
    do {
        MICA_TRY(skip(tar));
        MICA_TRY(header_read(tar, header, &end));
        if (end)
            return MICA_OK;
    } while (header[TYPE] && header[TYPE] != '0');
    bool posix = !header[MAGIC + 5]; /* GNU keeps other things where POSIX has the prefix */
    int prefix = posix ? (int)strnlen(header + PREFIX, PREFIX_SIZE) : 0;
    snprintf(tar->name, sizeof tar->name, "%.*s%s%.*s", prefix, header + PREFIX, prefix ? "/" : "",
        NAME_SIZE, header + NAME);
    tar->member = true;
    return MICA_OK;
}

mica_status mica_tar_read(mica_tar *tar, void *data, size_t size, size_t *got) {
    size_t wanted = size < tar->left ? size : (size_t)tar->left;
    MICA_TRY(mica_source_read(tar->source, data, wanted, got));
    if (*got < wanted)
        return cut_off(tar);
    tar->left -= wanted;
    return MICA_OK;
}
