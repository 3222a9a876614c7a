/* CIFAR-10's binary version: records of a label and three planes of 32 x 32 bytes, in files or in
 * the archive that they are published in. */
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/dataset.h"
#include "data/folder.h"
#include "data/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARCHIVE "cifar-10-binary.tar.gz"
#define META    "batches.meta.txt"

enum {
    CLASSES = 10,
    SIDE = 32,
    CHANNELS = 3,
    PLANE = SIDE * SIDE,
    SAMPLE = PLANE * CHANNELS,
    RECORD = 1 + SAMPLE,
    BATCHES = 5,             /* of the training part; the test part has one */
    RECORDS_LIMIT = 1 << 19, /* of a file: keeps a gzip bomb from filling the memory */
    META_LIMIT = 1 << 12     /* bytes */
};

static const char *const published_names[CLASSES] = {
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};

typedef struct part {
    uint8_t *bytes; /* (count, 32, 32, 3) */
    int32_t *labels;
    int64_t count;
} part;

typedef struct reading {
    part parts[BATCHES];
    char meta[META_LIMIT + 1]; /* "": there is none */
} reading;

static void part_free(part *p) {
    free(p->bytes);
    free(p->labels);
    *p = (part){0};
}

static void batch_name(bool train, int index, char name[32]) {
    if (train)
        snprintf(name, 32, "data_batch_%d.bin", index + 1);
    else
        snprintf(name, 32, "test_batch.bin");
}

/* ---- records ---- */

static mica_status record_add(
    const char *name, const uint8_t record[RECORD], part *p, int64_t *capacity) {
    if (record[0] >= CLASSES)
        return mica_fail(MICA_E_FORMAT,
            "%s: record %lld has label %d, wanted 0 to %d: damaged, or not CIFAR-10's binary version",
            name, (long long)p->count, record[0], CLASSES - 1);
    if (p->count == RECORDS_LIMIT)
        return mica_fail(
            MICA_E_FORMAT, "%s: more than the limit of %d records", name, RECORDS_LIMIT);
    if (p->count == *capacity) {
        int64_t wanted = *capacity ? *capacity * 2 : 256;
        uint8_t *bytes = realloc(p->bytes, (size_t)wanted * SAMPLE);
        p->bytes = bytes ? bytes : p->bytes;
        int32_t *labels = bytes ? realloc(p->labels, (size_t)wanted * sizeof *labels) : NULL;
        if (!labels)
            return mica_fail(MICA_E_MEMORY, "out of host memory: reading %s", name);
        p->labels = labels;
        *capacity = wanted;
    }
    uint8_t *out = p->bytes + p->count * SAMPLE;
    for (int i = 0; i < PLANE; i++)
        for (int c = 0; c < CHANNELS; c++)
            *out++ = record[1 + c * PLANE + i];
    p->labels[p->count++] = record[0];
    return MICA_OK;
}

/* Reads records to the end of the tar archive's member or, if tar is NULL, of the source. */
static mica_status records_read(const char *name, mica_source *source, mica_tar *tar, part *out) {
    part p = {0};
    int64_t capacity = 0;
    uint8_t record[RECORD];
    size_t got;
    mica_status status;
    do {
        status = tar ? mica_tar_read(tar, record, RECORD, &got)
                     : mica_source_read(source, record, RECORD, &got);
        if (status == MICA_OK && got == RECORD)
            status = record_add(name, record, &p, &capacity);
    } while (status == MICA_OK && got == RECORD);
    if (status == MICA_OK && (got || !p.count))
        status = mica_fail(MICA_E_FORMAT,
            "%s: %lld records of %d bytes and then %zu bytes, wanted whole records: cut off, or not "
            "CIFAR-10's binary version",
            name, (long long)p.count, RECORD, got);
    if (status != MICA_OK) {
        part_free(&p);
        return status;
    }
    *out = p;
    return MICA_OK;
}

static mica_status file_read(const char *path, part *out) {
    mica_source *source;
    MICA_TRY(mica_source_open(path, &source));
    mica_status status = records_read(path, source, NULL, out);
    mica_source_close(&source);
    return status;
}

/* ---- the archive ---- */

static mica_status member_read(mica_tar *tar, bool train, reading *r) {
    const char *slash = strrchr(tar->name, '/'), *base = slash ? slash + 1 : tar->name;
    char where[600], wanted[32];
    snprintf(where, sizeof where, "%.300s: %s", tar->path, tar->name);
    for (int i = 0; i < (train ? BATCHES : 1); i++) {
        batch_name(train, i, wanted);
        if (strcmp(base, wanted))
            continue;
        if (r->parts[i].count)
            return mica_fail(MICA_E_FORMAT, "%s is there twice", where);
        return records_read(where, NULL, tar, &r->parts[i]);
    }
    size_t got;
    return strcmp(base, META) ? MICA_OK : mica_tar_read(tar, r->meta, META_LIMIT, &got);
}

static mica_status archive_read(const char *path, bool train, reading *r) {
    mica_tar tar = {.path = path};
    MICA_TRY(mica_source_open(path, &tar.source));
    mica_status status = mica_tar_next(&tar);
    while (status == MICA_OK && tar.member) {
        status = member_read(&tar, train, r);
        if (status == MICA_OK)
            status = mica_tar_next(&tar);
    }
    mica_source_close(&tar.source);
    for (int i = 0; i < (train ? BATCHES : 1) && status == MICA_OK; i++) {
        char name[32];
        batch_name(train, i, name);
        if (!r->parts[i].count)
            status = mica_fail(MICA_E_FORMAT, "%s: there is no %s in it", path, name);
    }
    return status;
}

/* ---- the folder ---- */

/* folder/file, or folder/file.gz; *found is NULL where neither is there. free() it. */
static mica_status file_find(const char *folder, const char *file, char **found) {
    for (int i = 0; i < 2; i++) {
        char *path = mica_format("%s/%s%s", folder, file, i ? ".gz" : "");
        bool there = false;
        mica_status status = path ? mica_path_exists(path, &there) : MICA_E_MEMORY;
        if (there) {
            *found = path;
            return MICA_OK;
        }
        free(path);
        MICA_TRY(status);
    }
    *found = NULL;
    return MICA_OK;
}

static mica_status meta_read(const char *folder, reading *r) {
    char *path = mica_path_join(folder, META), *text;
    size_t size;
    bool there = false;
    mica_status status = path ? mica_path_exists(path, &there) : MICA_E_MEMORY;
    if (there) {
        status = mica_file_read(path, META_LIMIT, &text, &size);
        if (status == MICA_OK) {
            snprintf(r->meta, sizeof r->meta, "%s", text);
            free(text);
        }
    }
    free(path);
    return status;
}

/* Reads the part from a folder if that has any of it; *found says so. */
static mica_status folder_read(const char *folder, bool train, reading *r, bool *found) {
    char name[32], *path = NULL;
    batch_name(train, 0, name);
    MICA_TRY(file_find(folder, name, &path));
    *found = path;
    if (!path) {
        path = mica_path_join(folder, ARCHIVE);
        mica_status status = path ? mica_path_exists(path, found) : MICA_E_MEMORY;
        if (status == MICA_OK && *found)
            status = archive_read(path, train, r);
        free(path);
        return status;
    }
    mica_status status = meta_read(folder, r);
    for (int i = 0; i < (train ? BATCHES : 1) && status == MICA_OK; i++) {
        batch_name(train, i, name);
        free(path);
        path = NULL;
        status = file_find(folder, name, &path);
        if (status == MICA_OK)
            status = path ? file_read(path, &r->parts[i])
                          : mica_fail(MICA_E_NOT_FOUND,
                                "%s has no %s, though other batches: get it again", folder, name);
    }
    free(path);
    return status;
}

static mica_status folders_read(const char *folder, bool train, reading *r) {
    static const char *const below[] = {
        "/cifar10", "/cifar10/cifar-10-batches-bin", "/cifar-10-batches-bin", ""};
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        char *path = mica_format("%s%s", folder, below[i]);
        bool found = false;
        mica_status status = path ? folder_read(path, train, r, &found) : MICA_E_MEMORY;
        free(path);
        if (status != MICA_OK || found)
            return status;
    }
    return mica_fail(MICA_E_NOT_FOUND,
        "cifar10: no %s and no " ARCHIVE
        " in %s/cifar10, %s/cifar-10-batches-bin or %s: `mica fetch cifar10` gets it, or name the "
        "folder that has it",
        train ? "data_batch_1.bin" : "test_batch.bin", folder, folder, folder);
}

/* ---- the set ---- */

/* Puts the parts one after the other. */
static mica_status join(reading *r, mica_samples *samples) {
    int64_t count = 0, at = 0;
    for (int i = 0; i < BATCHES; i++)
        count += r->parts[i].count;
    *samples = (mica_samples){.count = count, .sample = MICA_SHAPE(SIDE, SIDE, CHANNELS)};
    samples->bytes = malloc((size_t)count * SAMPLE);
    samples->labels = malloc((size_t)count * sizeof *samples->labels);
    if (!samples->bytes || !samples->labels) {
        mica_samples_free(samples);
        return mica_fail(
            MICA_E_MEMORY, "out of host memory: %lld records of cifar10", (long long)count);
    }
    for (int i = 0; i < BATCHES; i++) {
        part *p = &r->parts[i];
        if (!p->count)
            continue;
        memcpy(samples->bytes + at * SAMPLE, p->bytes, (size_t)p->count * SAMPLE);
        memcpy(samples->labels + at, p->labels, (size_t)p->count * sizeof *p->labels);
        at += p->count;
        part_free(p);
    }
    return MICA_OK;
}

/* The names in the meta file, cut up in place; the published ones where it does not have ten. */
static void names_find(char *meta, const char *names[CLASSES]) {
    int count = 0;
    for (char *rest = NULL, *line = strtok_r(meta, "\r\n", &rest); line && count < CLASSES;
         line = strtok_r(NULL, "\r\n", &rest))
        names[count++] = line;
    if (count < CLASSES)
        memcpy(names, published_names, sizeof published_names);
}

static mica_status make(reading *r, const mica_dataset_options *options, mica_dataset **dataset) {
    const char *names[CLASSES];
    mica_dataset_options filled = options ? *options : (mica_dataset_options){0};
    names_find(r->meta, names);
    if (!filled.classes) {
        filled.classes = CLASSES;
        filled.class_names = names;
    }
    mica_samples samples;
    MICA_TRY(join(r, &samples));
    mica_status status = mica_dataset_adopt(&samples, &filled, dataset);
    if (status != MICA_OK)
        mica_samples_free(&samples);
    return status;
}

static bool ends(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

static mica_status read_any(const char *path, bool train, reading *r) {
    struct stat info;
    if (stat(path, &info) || S_ISDIR(info.st_mode))
        return folders_read(path, train, r);
    if (ends(path, ".tar.gz") || ends(path, ".tgz") || ends(path, ".tar"))
        return archive_read(path, train, r);
    return file_read(path, &r->parts[0]);
}

mica_status mica_dataset_from_cifar10(
    const char *path, bool train, const mica_dataset_options *options, mica_dataset **dataset) {
    char *standard = path ? NULL : mica_data_folder("cifar10");
    if (!path && !standard)
        return MICA_E_NOT_FOUND;
    reading *r = mica_alloc(1, sizeof *r);
    mica_status status = r ? read_any(path ? path : standard, train, r) : MICA_E_MEMORY;
    if (status == MICA_OK)
        status = make(r, options, dataset);
    for (int i = 0; i < BATCHES && r; i++)
        part_free(&r->parts[i]);
    free(r);
    free(standard);
    return status;
}
