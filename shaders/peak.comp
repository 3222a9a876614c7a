#version 450
// kernels: peak_fma
// The device's rate of float32 multiply-adds: as cl/peak.cl, with one lane a work-item.
layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;
layout(constant_id = 0) const int WIDTH = 1;
layout(constant_id = 1) const int CHAINS = 12;
layout(push_constant) uniform Params { uint steps; } p;
layout(binding = 0) readonly buffer S { float seeds[]; };
layout(binding = 1) writeonly buffer T { float sums[]; };

void main() {
    uint item = gl_GlobalInvocationID.x;
    float factor = seeds[0], summand = seeds[1], sum = 0, chain[CHAINS];
    for (int i = 0; i < CHAINS; i++)
        chain[i] = float(item + i);
    for (uint s = 0; s < p.steps; s++)
        for (int i = 0; i < CHAINS; i++)
            chain[i] = fma(chain[i], factor, summand);
    for (int i = 0; i < CHAINS; i++)
        sum += chain[i];
    sums[item] = sum;
}
