#include "data/lines.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "data/tar.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TEXT_LIMIT ((uint64_t)1 << 30) /* bytes; keeps a gzip bomb from filling the memory */

/* ---- reading ---- */

/* Reads all of the tar archive's member or, if tar is NULL, of the source. */
static mica_status text_read(mica_source *source, mica_tar *tar, mica_lines *lines) {
    uint64_t most = tar ? tar->size : mica_source_most(source);
    size_t limit = (size_t)(most < TEXT_LIMIT ? most : TEXT_LIMIT), capacity = 1 << 16, used = 0;
    char *data = NULL;
    for (;;) {
        char *moved = realloc(data, capacity + 1);
        if (!moved) {
            free(data);
            return mica_fail(MICA_E_MEMORY, "out of host memory: reading %s", lines->path);
        }
        data = moved;
        size_t got, wanted = capacity - used;
        mica_status status = tar ? mica_tar_read(tar, data + used, wanted, &got)
                                 : mica_source_read(source, data + used, wanted, &got);
        if (status == MICA_OK && used + got > limit)
            status = mica_fail(
                MICA_E_FORMAT, "%s: more than the limit of %zu bytes of text", lines->path, limit);
        if (status != MICA_OK) {
            free(data);
            return status;
        }
        used += got;
        if (got < wanted)
            break;
        capacity *= 2;
    }
    data[used] = 0;
    lines->text = data;
    lines->size = used;
    return MICA_OK;
}

static mica_status file_read(mica_lines *lines) {
    mica_source *source;
    MICA_TRY(mica_source_open(lines->path, &source));
    mica_status status = text_read(source, NULL, lines);
    mica_source_close(&source);
    return status;
}

static bool is_member(const char *member, const char *name) {
    size_t n = strlen(member), tail = strlen(name);
    return n >= tail && !strcmp(member + n - tail, name) &&
           (n == tail || member[n - tail - 1] == '/');
}

static mica_status member_read(const char *archive, const char *name, mica_lines *lines) {
    mica_tar tar = {.path = archive};
    MICA_TRY(mica_source_open(archive, &tar.source));
    mica_status status;
    do
        status = mica_tar_next(&tar);
    while (status == MICA_OK && tar.member && !is_member(tar.name, name));
    if (status == MICA_OK)
        status = tar.member
                     ? text_read(tar.source, &tar, lines)
                     : mica_fail(MICA_E_NOT_FOUND, "%s: there is no %s in it", archive, name);
    mica_source_close(&tar.source);
    return status;
}

/* The slash of ARCHIVE/NAME, in a copy of the path; NULL: it is no such path. */
static char *archive_end(char *path) {
    struct stat info;
    for (char *slash = strrchr(path, '/'); slash && slash > path; slash = strrchr(path, '/')) {
        *slash = 0;
        if (!stat(path, &info))
            return S_ISREG(info.st_mode) ? slash : NULL;
    }
    return NULL;
}

mica_status mica_lines_open(const char *path, mica_lines *out) {
    mica_lines lines = {.path = path};
    char *archive = mica_strdup(path);
    if (!archive)
        return MICA_E_MEMORY;
    struct stat info;
    char *slash = stat(path, &info) ? archive_end(archive) : NULL;
    mica_status status =
        slash ? member_read(archive, path + (slash - archive) + 1, &lines) : file_read(&lines);
    free(archive);
    if (status != MICA_OK)
        return status;
    if (lines.size >= 3 && !memcmp(lines.text, "\xef\xbb\xbf", 3))
        lines.at = 3;
    *out = lines;
    return MICA_OK;
}

void mica_lines_close(mica_lines *lines) {
    free(lines->text);
    *lines = (mica_lines){0};
}

/* ---- lines and fields ---- */

mica_status mica_lines_next(mica_lines *lines, char **out) {
    if (lines->at >= lines->size) {
        *out = NULL;
        return MICA_OK;
    }
    char *line = lines->text + lines->at, *last = lines->text + lines->size;
    char *end = memchr(line, '\n', (size_t)(last - line));
    if (!end)
        end = last;
    lines->at = (size_t)(end - lines->text) + 1;
    lines->number++;
    if (memchr(line, 0, (size_t)(end - line)))
        return mica_fail(MICA_E_FORMAT, "%s:%lld: a zero byte: this is not a text file",
            lines->path, lines->number);
    *end = 0;
    if (end > line && end[-1] == '\r')
        end[-1] = 0;
    if (strchr(line, '\r'))
        return mica_fail(MICA_E_FORMAT,
            "%s:%lld: a carriage return inside the line: lines must end with a newline",
            lines->path, lines->number);
    *out = line;
    return MICA_OK;
}

/* Takes the quotes off the field that begins with one at `field`; returns what follows, NULL if the
 * quote is not closed. */
static char *unquote(char *field) {
    char *to = field;
    for (char *from = field + 1; *from; from++) {
        if (*from == '"' && *++from != '"') {
            *to = 0;
            return from;
        }
        *to++ = *from;
    }
    return NULL;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t';
}

int mica_fields(char *line, const char *separator, bool quotes, char **fields, int most) {
    size_t width = strlen(separator);
    int count = 0;
    for (char *at = line;; count++) {
        while (is_space(*at) && strncmp(at, separator, width))
            at++;
        char *field = at;
        bool quoted = quotes && *at == '"';
        if (quoted && !(at = unquote(field)))
            return -1;
        char *end = strstr(at, separator), *next = end ? end + width : NULL;
        if (!end)
            end = at + strlen(at);
        while (end > at && is_space(end[-1]))
            end--;
        if (quoted && end > at)
            return -1;
        if (!quoted)
            *end = 0;
        if (count < most)
            fields[count] = field;
        if (!next)
            return count + 1;
        at = next;
    }
}

const char *mica_fields_hint(const char *line) {
    if (strchr(line, ';'))
        return strchr(line, ',') ? "; fields are separated by commas, numbers have a point; this "
                                   "line has semicolons"
                                 : "; fields are separated by commas, and this line has semicolons";
    return strchr(line, '\t') && !strchr(line, ',')
               ? "; fields are separated by commas, and this line has tabs"
               : "";
}

/* ---- encodings ---- */

bool mica_lines_utf8(const mica_lines *lines) {
    int32_t point;
    const char *why;
    for (size_t at = 0; at < lines->size;) {
        int size = mica_utf8_read(lines->text + at, lines->size - at, &point, &why);
        if (!size)
            return false;
        at += (size_t)size;
    }
    return true;
}

mica_status mica_lines_from_latin1(mica_lines *lines) {
    char *text = mica_alloc(2 * lines->size + 1, 1), *to = text;
    if (!text)
        return MICA_E_MEMORY;
    for (size_t i = 0; i < lines->size; i++) {
        unsigned char c = (unsigned char)lines->text[i];
        if (c >= 0x80)
            *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(c < 0x80 ? c : 0x80 | (c & 0x3f));
    }
    free(lines->text);
    lines->text = text;
    lines->size = (size_t)(to - text);
    lines->at = 0;
    return MICA_OK;
}
