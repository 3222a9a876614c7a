/* Preloaded, it makes all OpenCL devices of a program TYPE with vectors of LANES: so the kernels
 * for GPUs are tested where there is only a CPU, and those for CPUs under Oclgrind, which is a GPU.
 */
#include <CL/cl.h>
#include <dlfcn.h>

typedef cl_int get_device_info(cl_device_id, cl_device_info, size_t, void *, size_t *);

cl_int clGetDeviceInfo(
    cl_device_id device, cl_device_info what, size_t size, void *value, size_t *value_size) {
    get_device_info *next;
    *(void **)&next = dlsym(RTLD_NEXT, "clGetDeviceInfo");
    cl_int code = next(device, what, size, value, value_size);
    if (code == CL_SUCCESS && value && what == CL_DEVICE_TYPE)
        *(cl_device_type *)value = TYPE;
    if (code == CL_SUCCESS && value && what == CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT)
        *(cl_uint *)value = LANES;
    return code;
}
