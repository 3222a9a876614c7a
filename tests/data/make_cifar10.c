/* Writes CIFAR-10's binary version from a tar archive of its images as JPEG, whose members are
 * named train/NNNNN_L.jpg and test/NNNNN_L.jpg: the image's place and its label. Usage:
 * make_cifar10 IMAGES.tar FOLDER */
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/image.h"
#include "data/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 32, PLANE = SIDE * SIDE, RECORD = 1 + 3 * PLANE, BATCH = 10000, TRAIN = 5 * BATCH };
enum { IMAGES = TRAIN + BATCH, BYTES_LIMIT = 1 << 16 };

static mica_status record_write(mica_tar *tar, uint8_t *records, int *count) {
    static uint8_t bytes[BYTES_LIMIT];
    const char *name = strrchr(tar->name, '/');
    int index, label;
    if (!name || sscanf(name, "/%5d_%1d.jpg", &index, &label) != 2)
        return MICA_OK;
    bool test = strstr(tar->name, "test/");
    if (index < 0 || index >= (test ? BATCH : TRAIN))
        return mica_fail(MICA_E_FORMAT, "%s: wanted a number up to 49999, or 9999", tar->name);
    size_t size;
    MICA_TRY(mica_tar_read(tar, bytes, sizeof bytes, &size));
    mica_image image;
    MICA_TRY(mica_image_decode(tar->name, bytes, size, 0, 0, &image));
    bool fits = image.height == SIDE && image.width == SIDE && image.channels == 3;
    uint8_t *record = records + (size_t)(test ? TRAIN + index : index) * RECORD;
    *record++ = (uint8_t)label;
    for (int c = 0; c < 3 && fits; c++)
        for (int i = 0; i < PLANE; i++)
            *record++ = image.pixels[3 * i + c];
    mica_image_free(&image);
    ++*count;
    return fits ? MICA_OK : mica_fail(MICA_E_FORMAT, "%s: wanted 32 x 32 colours", tar->name);
}

static mica_status archive_read(const char *path, uint8_t *records) {
    mica_tar tar = {.path = path};
    int count = 0;
    MICA_TRY(mica_source_open(path, &tar.source));
    mica_status status = mica_tar_next(&tar);
    while (status == MICA_OK && tar.member) {
        status = record_write(&tar, records, &count);
        if (status == MICA_OK)
            status = mica_tar_next(&tar);
    }
    mica_source_close(&tar.source);
    if (status == MICA_OK && count != IMAGES)
        status = mica_fail(MICA_E_FORMAT, "%s: %d images, wanted %d", path, count, IMAGES);
    return status;
}

static mica_status batches_write(const char *folder, const uint8_t *records) {
    static const char *const names[] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
        "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};
    static const char meta[] =
        "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";
    size_t size = (size_t)BATCH * RECORD;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = mica_path_join(folder, names[i]);
        mica_status status =
            path ? mica_file_replace(path, records + i * size, size) : MICA_E_MEMORY;
        free(path);
        MICA_TRY(status);
    }
    char *path = mica_path_join(folder, "batches.meta.txt");
    mica_status status = path ? mica_file_replace(path, meta, strlen(meta)) : MICA_E_MEMORY;
    free(path);
    return status;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: make_cifar10 IMAGES.tar FOLDER\n");
        return 2;
    }
    uint8_t *records = mica_alloc(IMAGES, RECORD);
    mica_status status = records ? archive_read(argv[1], records) : MICA_E_MEMORY;
    if (status == MICA_OK)
        status = batches_write(argv[2], records);
    free(records);
    if (status != MICA_OK)
        fprintf(stderr, "make_cifar10: %s\n", mica_last_error());
    return status != MICA_OK;
}
