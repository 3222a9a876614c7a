/* What the device tests share: opening every device, and the kernel probe_axpb. */
#ifndef MICA_TESTS_DEVICE_PROBE_H
#define MICA_TESTS_DEVICE_PROBE_H

#include "device/device.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEVICES = 16 };

#define ok(call)                                                                                   \
    do {                                                                                           \
        mica_status got_ = (call);                                                                 \
        ck_assert_msg(                                                                             \
            got_ == MICA_OK, "%s: %s: %s", #call, mica_status_name(got_), mica_last_error());      \
    } while (0)

/* The call fails with this status and the text of the error has these words. */
#define refused(call, status, words)                                                               \
    do {                                                                                           \
        ck_assert_int_eq((call), (status));                                                        \
        ck_assert_msg(strstr(mica_last_error(), (words)) != NULL, "\"%s\" lacks \"%s\"",           \
            mica_last_error(), (words));                                                           \
    } while (0)

/* y = scale * x + b over count elements; x and y from element offsets of their buffers. */
static inline mica_launch probe_launch(mica_device *device, int32_t scale, float b, uint32_t count,
    mica_buffer *x, uint64_t x_offset, mica_buffer *y, uint64_t y_offset) {
    const mica_kernel_desc desc = {.source = "probe",
        .entry = "probe_axpb",
        .n_bindings = 2,
        .params_size = 8,
        .local = {64, 1, 1},
        .n_constants = 1,
        .constants = {{"SCALE", scale}}};
    mica_launch launch = {.bindings = {{x, x_offset, count}, {y, y_offset, count}},
        .groups = {(count + 63) / 64, 1, 1},
        .params = {count}};
    memcpy(&launch.params[1], &b, sizeof b);
    ok(mica_kernel_get(device, &desc, &launch.kernel));
    return launch;
}

/* The ids of the devices that can be used, of one backend or (NULL) of all. Returns their number.
 */
static inline int list_devices(const char *backend, char ids[MAX_DEVICES][32]) {
    mica_device_info *infos;
    size_t count;
    int usable = 0;
    if (mica_devices(&infos, &count) != MICA_OK)
        return 0;
    for (size_t i = 0; i < count && usable < MAX_DEVICES; i++)
        if (!*infos[i].problem && (!backend || !strcmp(backend, infos[i].backend)))
            snprintf(ids[usable++], sizeof ids[0], "%s", infos[i].id);
    free(infos);
    return usable;
}

#endif
