/* Many small images in one picture, and a confusion matrix, as PNG. Takes plain arrays and knows no
 * models. Files are replaced whole. */
#ifndef MICA_IO_GRID_H
#define MICA_IO_GRID_H

#include <mica/io.h>

typedef struct mica_grid {
    const char *title; /* NULL: none */
    int64_t rows, columns;
    mica_shape tile;     /* (height, width, channels), channels 1 or 3 */
    const float *pixels; /* (count, height, width, channels), row by row */
    int64_t count;       /* of tiles; 0: rows * columns */
    float low, high;     /* what is shown as black and white */
    int64_t side;        /* pixels that a tile's larger side should have; 0: 64. It is enlarged by
                            whole numbers */
    const char *const *row_names; /* left of each row; NULL: none */
    const char *const
        *captions; /* below each tile; what follows a line feed is in red; NULL: none */
} mica_grid;

mica_status mica_grid_write(const char *path, const mica_grid *grid);

/* The same matrix as mica_svg_confusion's. */
mica_status mica_png_confusion(const char *path, const char *title, const int64_t *counts,
    int32_t classes, const char *const *names);

#endif
