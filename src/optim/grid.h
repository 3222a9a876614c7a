/* How a flat arena is spread over a device. */
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

#endif
