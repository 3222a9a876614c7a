/* JPEG files for tests. */
#ifndef MICA_TESTS_DATA_PICTURE_H
#define MICA_TESTS_DATA_PICTURE_H

#include "tests/io/temp.h"

#include <stdint.h>

/* A smooth picture of (height, width, channels 1, 3 or 4) whose brightness depends on `tone`, as a
 * JPEG file; four channels are inks. Returns its path as temp_path does. */
const char *jpeg_write(const char *name, int height, int width, int channels, int tone);

/* What the picture's channel c is at (y, x), before compression. */
uint8_t jpeg_stored(int y, int x, int c, int tone);

/* A whole file; free(). */
char *file_bytes(const char *path, size_t *size);

#endif
