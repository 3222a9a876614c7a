/* Which devices there are and which one a name means. Knows no driver. */
#include "base/error.h"
#include "base/mem.h"
#include "base/text.h"
#include "config.h"
#include "device/device_impl.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const mica_backend *const backends[] = {
    &mica_backend_opencl,
#ifdef MICA_VULKAN
    &mica_backend_vulkan,
#endif
};
#define N_BACKENDS (sizeof backends / sizeof *backends)

static pthread_mutex_t drivers = PTHREAD_MUTEX_INITIALIZER;

void mica_drivers_lock(void) {
    pthread_mutex_lock(&drivers);
}

void mica_drivers_unlock(void) {
    pthread_mutex_unlock(&drivers);
}

static mica_status no_device(mica_status status) {
    return mica_fail(status, "no OpenCL or Vulkan device: install a driver, for example "
                             "pocl-opencl-icd (CPU), mesa-vulkan-drivers (GPU and CPU) or your GPU "
                             "vendor's");
}

mica_status mica_infos_add(struct mica_infos *infos, const mica_device_info *info) {
    void *grown = mica_grow(infos->items, infos->count, &infos->capacity, sizeof *infos->items);
    if (!grown)
        return MICA_E_MEMORY;
    infos->items = grown;
    infos->items[infos->count++] = *info;
    return MICA_OK;
}

/* A backend that fails becomes an entry with the failure as its problem. */
static mica_status add_failure(
    struct mica_infos *infos, const mica_backend *backend, size_t first) {
    mica_device_info info = {0};
    snprintf(info.id, sizeof info.id, "%s:%zu", backend->name, infos->count - first);
    snprintf(info.backend, sizeof info.backend, "%s", backend->name);
    snprintf(info.name, sizeof info.name, "%s", backend->name);
    snprintf(info.problem, sizeof info.problem, "%.255s", mica_last_error());
    return mica_infos_add(infos, &info);
}

static mica_status enumerate(struct mica_infos *infos) {
    *infos = (struct mica_infos){0};
    for (size_t i = 0; i < N_BACKENDS; i++) {
        size_t first = infos->count;
        mica_status status = backends[i]->enumerate(infos);
        if (status != MICA_OK)
            status = add_failure(infos, backends[i], first);
        if (status != MICA_OK) {
            free(infos->items);
            return status;
        }
    }
    return MICA_OK;
}

mica_status mica_devices(mica_device_info **out, size_t *count) {
    if (!out || !count)
        return mica_fail(MICA_E_INVALID, "devices: no place given for the result");
    struct mica_infos infos;
    mica_drivers_lock();
    mica_status status = enumerate(&infos);
    mica_drivers_unlock();
    MICA_TRY(status);
    if (!infos.count)
        no_device(MICA_OK);
    *out = infos.items;
    *count = infos.count;
    return MICA_OK;
}

/* The order of kinds that "opencl" and "vulkan" prefer. */
static int kind_rank(mica_device_kind kind) {
    return kind == MICA_GPU ? 2 : kind == MICA_ACCELERATOR ? 1 : 0;
}

/* A discrete GPU comes before one that shares the host's memory, then the larger memory wins.
 * Backends count the same memory a little differently: an eighth more is needed to win. */
static bool better(const mica_device_info *a, const mica_device_info *b) {
    if (!b)
        return true;
    if (a->traits.kind != b->traits.kind)
        return kind_rank(a->traits.kind) > kind_rank(b->traits.kind);
    if (a->traits.kind == MICA_CPU)
        return false;
    if (a->traits.unified != b->traits.unified)
        return b->traits.unified;
    return a->traits.memory_bytes / 9 > b->traits.memory_bytes / 8;
}

/* The best usable device of a backend and a kind; NULL and -1 mean any. The first of equals wins,
 * so that OpenCL is preferred to Vulkan. */
static const mica_device_info *best(const struct mica_infos *infos, const char *backend, int kind) {
    const mica_device_info *found = NULL;
    for (size_t i = 0; i < infos->count; i++) {
        const mica_device_info *info = &infos->items[i];
        if (!*info->problem && (!backend || !strcmp(backend, info->backend)) &&
            (kind < 0 || kind == (int)info->traits.kind) && better(info, found))
            found = info;
    }
    return found;
}

/* Fails with a text that ends in the list of what there is. */
static mica_status not_found(const struct mica_infos *infos, const char *what, const char *name) {
    if (!infos->count)
        return no_device(MICA_E_NOT_FOUND);
    mica_text list = {0};
    for (size_t i = 0; i < infos->count; i++) {
        const mica_device_info *info = &infos->items[i];
        mica_text_add(&list, "%s%s (%s%s%s)", i ? ", " : "", info->id, info->name,
            *info->problem ? ", unusable: " : "", info->problem);
    }
    mica_status status =
        list.failed ? MICA_E_MEMORY
                    : mica_fail(MICA_E_NOT_FOUND, "%s \"%s\"; there is: %s", what, name, list.data);
    free(list.data);
    return status;
}

/* A name is matched by the driver's name in full, else by part of the name or driver. */
static mica_status find_part(const struct mica_infos *infos, const char *backend, const char *name,
    const char *part, const mica_device_info **found) {
    size_t parts = 0, wholes = 0;
    const mica_device_info *by_part = NULL, *by_whole = NULL;
    for (size_t i = 0; i < infos->count; i++) {
        const mica_device_info *info = &infos->items[i];
        if (backend && strcmp(backend, info->backend))
            continue;
        if (!strcasecmp(info->name, part))
            wholes++, by_whole = info;
        if (strcasestr(info->name, part) || strcasestr(info->driver, part))
            parts++, by_part = info;
    }
    *found = wholes == 1 ? by_whole : by_part;
    if (!*part || parts == 0)
        return not_found(infos, "no device is called", name);
    if (parts > 1 && wholes != 1)
        return not_found(infos, "several devices are called", name);
    return MICA_OK;
}

mica_status mica_device_choose(
    const struct mica_infos *infos, const char *name, const mica_device_info **found) {
    if (!name)
        name = "auto";
    if (!strcmp(name, "auto")) {
        *found = best(infos, NULL, MICA_GPU);
        if (!*found)
            *found = best(infos, NULL, MICA_CPU);
        return *found ? MICA_OK : not_found(infos, "no usable device for", name);
    }
    if (!strcmp(name, "gpu") || !strcmp(name, "cpu")) {
        *found = best(infos, NULL, *name == 'g' ? MICA_GPU : MICA_CPU);
        return *found ? MICA_OK : not_found(infos, "no usable device of kind", name);
    }
    /* A backend that this build leaves out is still a backend's name. */
    static const char *const names[] = {"opencl", "vulkan"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *backend = names[i];
        size_t length = strlen(backend);
        if (!strcmp(name, backend)) {
            *found = best(infos, backend, -1);
            return *found ? MICA_OK : not_found(infos, "no usable device of backend", name);
        }
        if (strncmp(name, backend, length) || name[length] != ':')
            continue;
        for (size_t j = 0; j < infos->count; j++)
            if (!strcmp(infos->items[j].id, name)) {
                *found = &infos->items[j];
                return MICA_OK;
            }
        const char *part = name + length + 1;
        if (part[strspn(part, "0123456789")] == 0)
            return not_found(infos, "there is no device", name);
        return find_part(infos, backend, name, part, found);
    }
    return find_part(infos, NULL, name, name, found);
}

void mica_device_note(const struct mica_infos *infos, const char *name,
    const mica_device_info *found, char note[MICA_NOTE_SIZE]) {
    static const char *const open[] = {"auto", "gpu", "cpu", "opencl", "vulkan"};
    bool left_open = !name;
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        left_open |= name && !strcmp(name, open[i]);
    *note = 0;
    if (!left_open || found->traits.kind != MICA_CPU)
        return;
    const mica_device_info *broken = NULL;
    for (size_t i = 0; i < infos->count && !broken; i++)
        if (*infos->items[i].problem)
            broken = &infos->items[i];
    char slow[192] = "", failed[320] = "";
    if (!strcmp(found->backend, "vulkan"))
        snprintf(slow, sizeof slow,
            "%s (%.64s) computes on the CPU through Vulkan, many times slower than PoCL "
            "(pocl-opencl-icd) or a GPU",
            found->id, found->name);
    if (broken)
        snprintf(failed, sizeof failed, "%s (%.64s) cannot be used: %.200s", broken->id,
            broken->name, broken->problem);
    snprintf(note, MICA_NOTE_SIZE, "%s%s%s", slow, *slow && *failed ? "; " : "", failed);
}

mica_status mica_device_select(
    const char *name, const mica_backend **backend, uint32_t *index, char note[MICA_NOTE_SIZE]) {
    *note = 0;
    if (name && !strcmp(name, "null")) {
        *backend = &mica_backend_null;
        *index = 0;
        return MICA_OK;
    }
    struct mica_infos infos;
    MICA_TRY(enumerate(&infos));
    const mica_device_info *found;
    mica_status status = mica_device_choose(&infos, name, &found);
    if (status == MICA_OK && *found->problem)
        status = mica_fail(
            MICA_E_DEVICE, "%s (%s) cannot be used: %s", found->id, found->name, found->problem);
    for (size_t i = 0; status == MICA_OK && i < N_BACKENDS; i++)
        if (!strcmp(found->backend, backends[i]->name)) {
            *backend = backends[i];
            *index = (uint32_t)strtoul(strchr(found->id, ':') + 1, NULL, 10);
        }
    if (status == MICA_OK)
        mica_device_note(&infos, name, found, note);
    free(infos.items);
    return status;
}
