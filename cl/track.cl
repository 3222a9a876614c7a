/* Running statistics: w = momentum * w + (1 - momentum) * value; see mica_parameter_track. And
 * states, w = value; see mica_parameter_carry.
 *
 * Buffers: w (written), value; track_update: norms (the gradients' total norm first).
 * Work: an item an element, striding. track_update writes nothing where the total norm is not
 * finite. */
typedef struct {
    uint count;
    float momentum;
} track_params;

__kernel void track_update(__global float *w, __global const float *value,
    __global const float *norms, const track_params p) {
    if ((as_uint(norms[0]) & 0x7f800000u) == 0x7f800000u)
        return;
    for (uint i = get_global_id(0); i < p.count; i += get_global_size(0))
        w[i] = p.momentum * w[i] + (1.0f - p.momentum) * value[i];
}

__kernel void track_carry(__global float *w, __global const float *value, const track_params p) {
    for (uint i = get_global_id(0); i < p.count; i += get_global_size(0))
        w[i] = value[i];
}
