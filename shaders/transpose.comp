// transpose_fwd: y[b][j][i] = x[b][i][j] for a batch of matrices of `rows` x `columns` words of any
// type. Bindings: 0 x, 1 y. Groups walk over all tiles by the number of groups.
//
// A work-group takes a square tile, as wide as its local size in x, through shared memory, as many
// rows at a time as its local size in y, so that both reads and writes run along memory; one word
// of padding a row keeps the columns in different banks.
// kernels: transpose_fwd
#version 450

layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;
layout(push_constant) uniform Params {
    uint batch;
    uint rows;
    uint columns;
} p;
layout(std430, binding = 0) readonly buffer X { uint x[]; };
layout(std430, binding = 1) writeonly buffer Y { uint y[]; };

shared uint tile[gl_WorkGroupSize.x * (gl_WorkGroupSize.x + 1)];

void main() {
    const uint side = gl_WorkGroupSize.x, pitch = side + 1;
    const uint column = gl_LocalInvocationID.x, line = gl_LocalInvocationID.y;
    const uint down = (p.rows + side - 1) / side, across = (p.columns + side - 1) / side;
    for (uint n = gl_WorkGroupID.x; n < p.batch * down * across; n += gl_NumWorkGroups.x) {
        const uint matrix = n / (down * across) * p.rows * p.columns;
        const uint top = n / across % down * side, left = n % across * side;
        const uint height = min(p.rows - top, side), width = min(p.columns - left, side);
        const uint from = matrix + top * p.columns + left, to = matrix + left * p.rows + top;
        for (uint i = line; i < height; i += gl_WorkGroupSize.y)
            if (column < width)
                tile[i * pitch + column] = x[from + i * p.columns + column];
        barrier();
        for (uint j = line; j < width; j += gl_WorkGroupSize.y)
            if (column < height)
                y[to + j * p.rows + column] = tile[column * pitch + j];
        barrier();
    }
}
