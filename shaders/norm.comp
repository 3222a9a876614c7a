#version 450
// kernels: norm_chunks norm_finish
// Norms of the gradients: as cl/norm.cl, with pieces of one element.
layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;
#if defined(norm_chunks)
layout(constant_id = 0) const int WIDTH = 1;
layout(binding = 0) readonly buffer G { float g[]; };
layout(binding = 1) readonly buffer C { uint chunks[]; };
layout(binding = 2) writeonly buffer S { float sums[]; };
shared float part[gl_WorkGroupSize.x];

void main() {
    uint chunk = gl_WorkGroupID.x, item = gl_LocalInvocationID.x;
    uint begin = chunks[2 * chunk], end = begin + chunks[2 * chunk + 1];
    float sum = 0;
    for (uint i = begin + item; i < end; i += gl_WorkGroupSize.x)
        sum += g[i] * g[i];
    part[item] = sum;
    for (uint half_size = gl_WorkGroupSize.x / 2; half_size > 0; half_size /= 2) {
        barrier();
        if (item < half_size)
            part[item] += part[item + half_size];
    }
    if (item == 0)
        sums[chunk] = part[0];
}
#else
layout(push_constant) uniform Params { uint parameters; } p;
layout(binding = 0) readonly buffer S { float sums[]; };
layout(binding = 1) readonly buffer O { uint owners[]; };
layout(binding = 2) writeonly buffer N { float norms[]; };

void main() {
    float total = 0;
    for (uint i = 0; i < p.parameters; i++) {
        float sum = 0;
        for (uint k = 0; k < owners[2 * i + 1]; k++)
            sum += sums[owners[2 * i] + k];
        norms[i + 1] = sqrt(sum);
        total += sum;
    }
    norms[0] = sqrt(total);
}
#endif
