#include "optim/grid.h"

static uint64_t ceil_div(uint64_t a, uint64_t b) {
    return (a + b - 1) / b;
}

static uint64_t clamp(uint64_t n, uint64_t low, uint64_t high) {
    return n < low ? low : n > high ? high : n;
}

mica_grid mica_grid_over(const mica_traits *traits, uint64_t elements) {
    mica_grid grid = {.width = traits->vector_width, .local = 1};
    uint64_t items;
    grid.pieces = (uint32_t)ceil_div(elements, grid.width);
    if (grid.width > 1) {
        items = clamp(elements / 8192, 1, (uint64_t)traits->compute_units * 4);
    } else {
        grid.local = traits->max_group_size < 64 ? traits->max_group_size : 64;
        uint64_t most = clamp((uint64_t)traits->compute_units * 2048, 16384, 1u << 20);
        items = clamp(grid.pieces, 1, most);
    }
    grid.groups = (uint32_t)clamp(ceil_div(items, grid.local), 1, traits->max_groups[0]);
    grid.per_item = (uint32_t)ceil_div(grid.pieces, (uint64_t)grid.groups * grid.local);
    return grid;
}
