/* transpose_fwd: y[b][j][i] = x[b][i][j] for a batch of matrices of `rows` x `columns` words of any
 * type. Bindings: 0 x, 1 y. Groups walk over all tiles by the number of groups.
 *
 * WIDTH > 1 (CPUs): a work-item takes a tile of WIDTH x WIDTH through registers; local size 1.
 * WIDTH 1: a work-group takes a tile of LOCAL_X x LOCAL_X through local memory, LOCAL_Y (a divisor
 * of LOCAL_X) rows at a time, so that both reads and writes run along memory; one word of padding a
 * row keeps the columns in different banks. */
#include "rows.h"

typedef struct {
    uint batch;
    uint rows;
    uint columns;
} transpose_params;

#define TILE (WIDTH > 1 ? WIDTH : LOCAL_X)

#if WIDTH > 1
void move_tile(
    __global const uint *x, __global uint *y, uint rows, uint columns, uint height, uint width) {
    uint tile[WIDTH * WIDTH];
    if (height == WIDTH && width == WIDTH) {
        for (uint i = 0; i < WIDTH; i++)
            vec_store(vec_load(0, x + i * columns), 0, tile + i * WIDTH);
        for (uint j = 0; j < WIDTH; j++) {
            uint line[WIDTH];
            for (uint i = 0; i < WIDTH; i++)
                line[i] = tile[i * WIDTH + j];
            vec_store(vec_load(0, line), 0, y + j * rows);
        }
    } else {
        for (uint j = 0; j < width; j++)
            for (uint i = 0; i < height; i++)
                y[j * rows + i] = x[i * columns + j];
    }
}
#endif

__kernel GROUP_SIZE void transpose_fwd(
    __global const uint *x, __global uint *y, const transpose_params p) {
#if WIDTH == 1
    __local uint tile[LOCAL_X * (LOCAL_X + 1)];
#endif
    const uint down = (p.rows + TILE - 1) / TILE, across = (p.columns + TILE - 1) / TILE;
    for (uint n = get_group_id(0); n < p.batch * down * across; n += get_num_groups(0)) {
        const uint matrix = n / (down * across) * p.rows * p.columns;
        const uint top = n / across % down * TILE, left = n % across * TILE;
        const uint height = min(p.rows - top, (uint)TILE),
                   width = min(p.columns - left, (uint)TILE);
        __global const uint *from = x + matrix + top * p.columns + left;
        __global uint *to = y + matrix + left * p.rows + top;
#if WIDTH > 1
        move_tile(from, to, p.rows, p.columns, height, width);
#else
        for (uint i = ROW_LANE; i < height; i += LOCAL_Y)
            if (LANE < width)
                tile[i * (LOCAL_X + 1) + LANE] = from[i * p.columns + LANE];
        barrier(CLK_LOCAL_MEM_FENCE);
        for (uint j = ROW_LANE; j < width; j += LOCAL_Y)
            if (LANE < height)
                to[j * p.rows + LANE] = tile[LANE * (LOCAL_X + 1) + j];
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
    }
}
