/* The device "null": records launches and runs nothing, so that plans are tested without a driver.
 * Buffers are host memory; every kernel can be made. */
#ifndef MICA_DEVICE_NULL_H
#define MICA_DEVICE_NULL_H

#include "device/device.h"

/* The launches of all submits so far, oldest first. Lives until the next submit or the device's
 * end; the kernels and buffers in it are those that were bound. */
const mica_launch *mica_null_launches(const mica_device *device, size_t *count);

/* Forgets them. */
void mica_null_clear(mica_device *device);

#endif
