/* Does the device compute in half precision? Rounding to 11 bits of significand must show.
 *
 * probe_half: y[i] = (float)((half)x[i] * (half)x[i] + (half)1), in half precision.
 * bindings: 0 x, 1 y; one work-item an element; no parameters. */
#pragma OPENCL EXTENSION cl_khr_fp16 : enable

__kernel __attribute__((reqd_work_group_size(LOCAL_X, LOCAL_Y, LOCAL_Z))) void probe_half(
    __global const float *x, __global float *y) {
    const uint i = get_global_id(0);
    const half h = convert_half(x[i]);
    y[i] = convert_float(h * h + (half)1.0f);
}
