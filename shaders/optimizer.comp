#version 450
// kernels: sgd_update momentum_update adam_update sgd_update_rows momentum_update_rows adam_update_rows
// Updates of the parameters over flat arenas and of rows: as cl/optimizer.cl, one element an item.
layout(local_size_x_id = 100, local_size_y_id = 101, local_size_z_id = 102) in;
layout(constant_id = 0) const int WIDTH = 1;

layout(push_constant) uniform Params {
    uint pieces, decayed, per_item;
    uint size;
    uint variant; // momentum: Nesterov; Adam: decoupled decay
    float weight_decay, clip_norm;
    float beta1, beta2, epsilon;
    float rate; // of the learning rate: a factor
} p;

layout(binding = 0) buffer W { float w[]; };
layout(binding = 1) readonly buffer G { float g[]; };
#if defined(sgd_update) || defined(sgd_update_rows)
#define SGD
#define HYPER 2
#elif defined(momentum_update) || defined(momentum_update_rows)
#define MOMENTUM
#define HYPER 3
layout(binding = 2) buffer V { float v[]; };
#else
#define HYPER 4
layout(binding = 2) buffer M { float m[]; };
layout(binding = 3) buffer V { float v[]; };
#endif
layout(binding = HYPER) readonly buffer H { float hyper[]; };
layout(binding = HYPER + 1) readonly buffer N { float norms[]; };
#if defined(sgd_update_rows) || defined(momentum_update_rows) || defined(adam_update_rows)
#define ROWS
layout(binding = HYPER + 2) readonly buffer R { int rows[]; };
#endif

void main() {
    float total = norms[0], rate = hyper[4] * p.rate;
    if ((floatBitsToUint(total) & 0x7f800000u) == 0x7f800000u)
        return;
    float scale = p.clip_norm > 0 && total > p.clip_norm ? p.clip_norm / total : 1.0;
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint from = gl_GlobalInvocationID.x; from < p.pieces; from += stride) {
        uint i = from;
#ifdef ROWS
        int row = rows[from / p.size];
        if (row < 0)
            continue;
        i = uint(row) * p.size + from % p.size;
#endif
        float decay = from < p.decayed ? p.weight_decay : 0.0;
#if defined(SGD)
        w[i] -= rate * (scale * g[from] + decay * w[i]);
#elif defined(MOMENTUM)
        float d = scale * g[from] + decay * w[i];
        float velocity = p.beta1 * v[i] + d;
        v[i] = velocity;
        w[i] -= rate * (p.variant != 0 ? d + p.beta1 * velocity : velocity);
#else
        float old = w[i];
        float d = scale * g[from] + (p.variant != 0 ? 0.0 : decay) * old;
        float first = p.beta1 * m[i] + (1.0 - p.beta1) * d;
        float second = p.beta2 * v[i] + (1.0 - p.beta2) * d * d;
        m[i] = first;
        v[i] = second;
        w[i] = old - rate * ((p.variant != 0 ? decay : 0.0) * old +
                                first * hyper[5] / (sqrt(second * hyper[6]) + p.epsilon));
#endif
    }
}
