/* Claims of a driver that are believed only after a kernel compiled, ran and gave the right
 * numbers. */
#include "base/error.h"
#include "device/device_impl.h"

#include <string.h>

typedef struct probe {
    mica_buffer *in, *out;
    mica_commands *commands;
} probe;

static mica_status run_half(mica_device *device, probe *p, const float x[4], float y[4]) {
    const mica_kernel_desc desc = {
        .source = "probe_half", .entry = "probe_half", .n_bindings = 2, .local = {1, 1, 1}};
    mica_launch launch = {.groups = {4, 1, 1}};
    MICA_TRY(mica_kernel_get(device, &desc, &launch.kernel));
    MICA_TRY(mica_buffer_create(device, 16, MICA_MEMORY_HOST, &p->in));
    MICA_TRY(mica_buffer_create(device, 16, MICA_MEMORY_HOST, &p->out));
    launch.bindings[0] = (mica_range){p->in, 0, 4};
    launch.bindings[1] = (mica_range){p->out, 0, 4};
    MICA_TRY(mica_commands_create(device, &launch, 1, false, &p->commands));
    MICA_TRY(mica_buffer_write(p->in, 0, x, 16));
    MICA_TRY(mica_commands_submit(p->commands));
    return mica_buffer_read(p->out, 0, y, 16);
}

/* A driver that fails here has no half precision; memory that ran out says nothing of it. */
static mica_status half_works(mica_device *device, bool *works) {
    /* x * x + 1, each step rounded to a significand of 11 bits */
    static const float x[4] = {1.0f / 3, 0.1f, 255.0f, -2.5f};
    static const float wanted[4] = {1.111328125f, 1.009765625f, 65024.0f, 7.25f};
    float y[4] = {0};
    probe p = {0};
    mica_status status = run_half(device, &p, x, y);
    mica_commands_destroy(&p.commands);
    mica_buffer_destroy(&p.out);
    mica_buffer_destroy(&p.in);
    *works = status == MICA_OK && !memcmp(y, wanted, sizeof y);
    return status == MICA_E_MEMORY ? status : MICA_OK;
}

mica_status mica_device_probe(mica_device *device) {
    mica_traits *traits = &device->info.traits;
    return traits->fp16 ? half_works(device, &traits->fp16) : MICA_OK;
}
