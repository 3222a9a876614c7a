#version 450
// kernels: sgd_update momentum_update adam_update
// Updates of the parameters over flat arenas: as cl/optimizer.cl, one element an item.
layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;
layout(constant_id = 0) const int WIDTH = 1;

layout(push_constant) uniform Params {
    uint pieces, decayed, per_item;
    uint variant; // momentum: Nesterov; Adam: decoupled decay
    float weight_decay, clip_norm;
    float beta1, beta2, epsilon;
} p;

layout(binding = 0) buffer W { float w[]; };
layout(binding = 1) readonly buffer G { float g[]; };
#if defined(sgd_update)
#define HYPER 2
#elif defined(momentum_update)
#define HYPER 3
layout(binding = 2) buffer V { float v[]; };
#else
#define HYPER 4
layout(binding = 2) buffer M { float m[]; };
layout(binding = 3) buffer V { float v[]; };
#endif
layout(binding = HYPER) readonly buffer H { float hyper[]; };
layout(binding = HYPER + 1) readonly buffer N { float norms[]; };

void main() {
    float total = norms[0], rate = hyper[4];
    if ((floatBitsToUint(total) & 0x7f800000u) == 0x7f800000u)
        return;
    float scale = p.clip_norm > 0 && total > p.clip_norm ? p.clip_norm / total : 1.0;
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_GlobalInvocationID.x; i < p.pieces; i += stride) {
        float decay = i < p.decayed ? p.weight_decay : 0.0;
#if defined(sgd_update)
        w[i] -= rate * (scale * g[i] + decay * w[i]);
#elif defined(momentum_update)
        float d = scale * g[i] + decay * w[i];
        float velocity = p.beta1 * v[i] + d;
        v[i] = velocity;
        w[i] -= rate * (p.variant != 0 ? d + p.beta1 * velocity : velocity);
#else
        float old = w[i];
        float d = scale * g[i] + (p.variant != 0 ? 0.0 : decay) * old;
        float first = p.beta1 * m[i] + (1.0 - p.beta1) * d;
        float second = p.beta2 * v[i] + (1.0 - p.beta2) * d * d;
        m[i] = first;
        v[i] = second;
        w[i] = old - rate * ((p.variant != 0 ? decay : 0.0) * old +
                                first * hyper[5] / (sqrt(second * hyper[6]) + p.epsilon));
#endif
    }
}
