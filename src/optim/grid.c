#include "optim/grid.h"

static uint64_t ceil_div(uint64_t a, uint64_t b) {
    return (a + b - 1) / b;
}

static uint64_t clamp(uint64_t n, uint64_t low, uint64_t high) {
    return n < low ? low : n > high ? high : n;
}

/* `elements` are the work. */
static mica_grid spread(
    const mica_traits *traits, uint32_t width, uint32_t pieces, uint64_t elements) {
    mica_grid grid = {.width = width, .pieces = pieces, .local = 1};
    uint64_t items;
    if (traits->vector_width > 1) {
        items = clamp(elements / 8192, 1, (uint64_t)traits->compute_units * 4);
    } else {
        grid.local = traits->max_group_size < 64 ? traits->max_group_size : 64;
        uint64_t most = clamp((uint64_t)traits->compute_units * 2048, 16384, 1u << 20);
        most = clamp(most, ceil_div(pieces, traits->max_loop_steps), UINT32_MAX);
        items = clamp(grid.pieces, 1, most);
    }
    grid.groups = (uint32_t)clamp(ceil_div(items, grid.local), 1, traits->max_groups[0]);
    grid.per_item = (uint32_t)ceil_div(grid.pieces, (uint64_t)grid.groups * grid.local);
    return grid;
}

mica_grid mica_grid_over(const mica_traits *traits, uint64_t elements) {
    uint32_t width = traits->vector_width;
    return spread(traits, width, (uint32_t)ceil_div(elements, width), elements);
}

mica_grid mica_grid_over_rows(const mica_traits *traits, uint64_t rows, uint32_t size) {
    const bool vectors = traits->vector_width > 1;
    uint32_t width = size < traits->vector_width ? 1 : traits->vector_width;
    return spread(traits, width, (uint32_t)(vectors ? rows : rows * size), rows * size);
}
