/* How a flat arena, or rows, are spread over a device. */
#ifndef MICA_OPTIM_GRID_H
#define MICA_OPTIM_GRID_H

#include "device/device.h"

/* The arena is cut into pieces of `width` elements; a work-item does `per_item` of them. Width is
 * the device's vector width: there, one work-item a group walks neighbouring pieces, few enough
 * groups that a launch costs little. Elsewhere work-items are lanes and stride over the arena. */
typedef struct mica_grid {
    uint32_t width, pieces, per_item, local, groups;
} mica_grid;

mica_grid mica_grid_over(const mica_traits *traits, uint64_t elements);

/* The same for rows of `size` elements. Where work-items walk, a piece is a row, and the width 1
 * for rows that are shorter than a vector. */
mica_grid mica_grid_over_rows(const mica_traits *traits, uint64_t rows, uint32_t size);

#endif
