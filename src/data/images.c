/* A folder of pictures, one folder a class. */
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/dataset.h"
#include "data/image.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY       ((uint64_t)1 << 30) /* bytes of samples that are kept, unless told */
#define THREADS_MOST 8

/* Names in a folder, sorted by their bytes. */
typedef struct names {
    char **item;
    size_t count, capacity;
} names;

typedef struct picture {
    char *path;
    int32_t label;
    mica_status status; /* of reading it */
    char *problem;
    uint64_t content; /* hash of its file */
} picture;

typedef struct collection {
    const char *folder;
    mica_shape shape;
    const mica_preprocess *how;
    bool strict;
    names classes;
    names left; /* what is left out unread: "PATH: why" */
    picture *pictures;
    size_t count, capacity;
    uint8_t *bytes;     /* all samples; NULL: too many to keep */
    size_t stride;      /* bytes of a sample */
    atomic_size_t next; /* picture to read */
    atomic_bool stop;
} collection;

static void names_free(names *list) {
    for (size_t i = 0; i < list->count; i++)
        free(list->item[i]);
    free(list->item);
    *list = (names){0};
}

static void collection_free(collection *all) {
    names_free(&all->classes);
    names_free(&all->left);
    for (size_t i = 0; i < all->count; i++) {
        free(all->pictures[i].path);
        free(all->pictures[i].problem);
    }
    free(all->pictures);
    free(all->bytes);
}

/* ---- what is there ---- */

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static mica_status names_add(names *list, const char *name) {
    char **item = mica_grow(list->item, list->count, &list->capacity, sizeof *list->item);
    if (!item)
        return MICA_E_MEMORY;
    list->item = item;
    if (!(item[list->count] = mica_strdup(name)))
        return MICA_E_MEMORY;
    list->count++;
    return MICA_OK;
}

/* A link that leads nowhere is no folder. */
static mica_status is_folder(const char *folder, const char *name, bool *yes) {
    char *path = mica_path_join(folder, name);
    if (!path)
        return MICA_E_MEMORY;
    struct stat info;
    mica_status status = MICA_OK;
    const bool there = !TEMP_FAILURE_RETRY(stat(path, &info));
    if (!there && errno != ENOENT && errno != ELOOP)
        status = mica_fail(MICA_E_IO, "cannot read %s: %s", path, strerror(errno));
    *yes = there && S_ISDIR(info.st_mode);
    free(path);
    return status;
}

enum kinds { ALL, FOLDERS, FILES };

static mica_status name_add(const char *folder, const char *name, enum kinds wanted, names *list) {
    bool is = true;
    if (wanted != ALL)
        MICA_TRY(is_folder(folder, name, &is));
    return is == (wanted != FILES) ? names_add(list, name) : MICA_OK;
}

/* The names in a folder that are wanted, hidden ones left out. The list is to be freed even after a
 * failure. */
static mica_status folder_list(const char *folder, enum kinds wanted, names *list) {
    DIR *stream = opendir(folder);
    if (!stream)
        return mica_fail(errno == ENOENT ? MICA_E_NOT_FOUND : MICA_E_IO, "cannot read %s: %s",
            folder, strerror(errno));
    mica_status status = MICA_OK;
    for (struct dirent *entry; status == MICA_OK && (errno = 0, entry = readdir(stream));)
        if (*entry->d_name != '.')
            status = name_add(folder, entry->d_name, wanted, list);
    if (status == MICA_OK && errno)
        status = mica_fail(MICA_E_IO, "cannot read %s: %s", folder, strerror(errno));
    closedir(stream);
    if (list->count)
        qsort(list->item, list->count, sizeof *list->item, by_bytes);
    return status;
}

static mica_status classes_find(collection *all, const mica_dataset_options *options, bool plain) {
    MICA_TRY(folder_list(all->folder, FOLDERS, &all->classes));
    size_t wanted = (size_t)options->classes, count = all->classes.count;
    if (!count && plain)
        return names_add(&all->classes, "");
    if (!count)
        return mica_fail(MICA_E_FORMAT,
            "%s: no folders in it: wanted one for each class, with its pictures", all->folder);
    if (wanted && count != wanted)
        return mica_fail(MICA_E_FORMAT, "%s: %zu folders in it, wanted one for each of %zu classes",
            all->folder, count, wanted);
    for (size_t i = 0; i < wanted && options->class_names; i++)
        if (!bsearch(&options->class_names[i], all->classes.item, count, sizeof *all->classes.item,
                by_bytes))
            return mica_fail(MICA_E_NOT_FOUND, "%s: no folder %s in it, for the class of that name",
                all->folder, options->class_names[i]);
    if (!options->class_names)
        return MICA_OK;
    names_free(&all->classes);
    for (size_t i = 0; i < wanted; i++)
        MICA_TRY(names_add(&all->classes, options->class_names[i]));
    return MICA_OK;
}

static mica_status picture_add(
    collection *all, const char *folder, const char *name, size_t label) {
    picture *pictures = mica_grow(all->pictures, all->count, &all->capacity, sizeof *all->pictures);
    if (!pictures)
        return MICA_E_MEMORY;
    all->pictures = pictures;
    char *path = mica_path_join(folder, name);
    if (!path)
        return MICA_E_MEMORY;
    pictures[all->count++] = (picture){.path = path, .label = (int32_t)label};
    return MICA_OK;
}

/* Notes what is not read, which is an error where all must be. */
static mica_status leave_out(
    collection *all, const char *folder, const char *name, const char *why) {
    char *path = mica_path_join(folder, name),
         *text = path ? mica_format("%s: %s", path, why) : NULL;
    mica_status status = text ? names_add(&all->left, text) : MICA_E_MEMORY;
    if (status == MICA_OK && all->strict)
        status = mica_fail(MICA_E_FORMAT, "%s", text);
    free(text);
    free(path);
    return status;
}

/* The folders of a class that have been gone into. */
typedef struct visited {
    struct {
        dev_t device;
        ino_t file;
    } * folder;
    size_t count, capacity;
} visited;

/* Has the folder been gone into? Else it has been from now on. */
static mica_status visit(const char *folder, visited *all, bool *again) {
    struct stat info;
    if (stat(folder, &info))
        return mica_fail(MICA_E_IO, "cannot read %s: %s", folder, strerror(errno));
    for (size_t i = 0; i < all->count; i++)
        if (all->folder[i].device == info.st_dev && all->folder[i].file == info.st_ino) {
            *again = true;
            return MICA_OK;
        }
    void *folders = mica_grow(all->folder, all->count, &all->capacity, sizeof *all->folder);
    if (!folders)
        return MICA_E_MEMORY;
    all->folder = folders;
    all->folder[all->count].device = info.st_dev;
    all->folder[all->count++].file = info.st_ino;
    *again = false;
    return MICA_OK;
}

static mica_status folder_add(collection *all, const char *folder, size_t label, visited *seen);

static mica_status entry_add(
    collection *all, const char *folder, const char *name, size_t label, visited *seen) {
    bool inner;
    MICA_TRY(is_folder(folder, name, &inner));
    if (inner) {
        bool again;
        char *inside = mica_path_join(folder, name);
        mica_status status = inside ? visit(inside, seen, &again) : MICA_E_MEMORY;
        if (status == MICA_OK)
            status = again ? leave_out(all, folder, name, "a link to a folder that is read already")
                           : folder_add(all, inside, label, seen);
        free(inside);
        return status;
    }
    if (mica_picture_named(name))
        return picture_add(all, folder, name, label);
    return leave_out(all, folder, name, "not one of the kinds of pictures that are read");
}

/* Adds the pictures of a folder and of those in it, to any depth. */
static mica_status folder_add(collection *all, const char *folder, size_t label, visited *seen) {
    names list = {0};
    mica_status status = folder_list(folder, ALL, &list);
    for (size_t i = 0; i < list.count && status == MICA_OK; i++)
        status = entry_add(all, folder, list.item[i], label, seen);
    names_free(&list);
    return status;
}

static mica_status class_list(collection *all, size_t label) {
    const char *name = all->classes.item[label];
    char *folder = *name ? mica_path_join(all->folder, name) : mica_strdup(all->folder);
    visited seen = {0};
    bool again;
    const size_t before = all->count;
    mica_status status = folder ? visit(folder, &seen, &again) : MICA_E_MEMORY;
    if (status == MICA_OK)
        status = folder_add(all, folder, label, &seen);
    if (status == MICA_OK && all->count == before)
        status = mica_fail(MICA_E_FORMAT, "%s: no pictures (%s) in it", folder, mica_picture_ends);
    free(seen.folder);
    free(folder);
    return status;
}

/* What lies beside the classes' folders. */
static mica_status outside_list(collection *all) {
    names list = {0};
    mica_status status = *all->classes.item[0] ? folder_list(all->folder, FILES, &list) : MICA_OK;
    for (size_t i = 0; i < list.count && status == MICA_OK; i++)
        if (mica_picture_named(list.item[i]))
            status = leave_out(all, all->folder, list.item[i], "in no class's folder");
    names_free(&list);
    return status;
}

/* ---- reading ---- */

/* Not the picture is wrong, but the machine: it is not left out, which would be another set. */
static bool ends(mica_status status) {
    return status == MICA_E_MEMORY || status == MICA_E_IO;
}

/* Reads one picture; `values` has room for a sample. Keeps what is wrong with it. */
static void picture_read(collection *all, size_t index, float *values) {
    picture *p = &all->pictures[index];
    uint64_t size;
    p->status = mica_image_sample(p->path, all->shape, all->how, values);
    if (p->status == MICA_OK)
        p->status = mica_file_hash(p->path, &size, &p->content);
    if (p->status != MICA_OK) {
        p->problem = mica_strdup(mica_last_error());
        if (!p->problem)
            p->status = MICA_E_MEMORY;
        if (all->strict || ends(p->status))
            atomic_store(&all->stop, true);
    } else if (all->bytes) {
        for (size_t i = 0; i < all->stride; i++)
            all->bytes[index * all->stride + i] = (uint8_t)values[i];
    }
}

/* Pictures are taken in order, so that where reading stops, the first that failed is known. */
static void *pictures_read(void *context) {
    collection *all = context;
    float *values = mica_alloc(all->stride, sizeof *values);
    for (size_t index; values && !atomic_load(&all->stop) &&
                       (index = atomic_fetch_add(&all->next, 1)) < all->count;)
        picture_read(all, index, values);
    free(values);
    return NULL;
}

static mica_status read_all(collection *all) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t threads[THREADS_MOST];
    int started = 0;
    while (started < THREADS_MOST && started < processors - 1 &&
           !pthread_create(&threads[started], NULL, pictures_read, all))
        started++;
    pictures_read(all);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < all->count; i++) {
        const picture *p = &all->pictures[i];
        if (ends(p->status) || (p->status != MICA_OK && all->strict))
            return mica_fail(p->status, "%s", p->problem ? p->problem : "out of host memory");
    }
    return atomic_load(&all->next) < all->count ? MICA_E_MEMORY : MICA_OK;
}

/* Every class has a picture that can be read. They lie in the order of their classes. */
static mica_status classes_check(const collection *all) {
    size_t i = 0;
    for (size_t label = 0; label < all->classes.count; label++) {
        const char *problem = NULL;
        bool any = false;
        for (; i < all->count && all->pictures[i].label == (int32_t)label; i++) {
            any = any || all->pictures[i].status == MICA_OK;
            problem = problem ? problem : all->pictures[i].problem;
        }
        if (!any)
            return mica_fail(MICA_E_FORMAT, "%s/%s: none of its pictures can be read: %s",
                all->folder, all->classes.item[label], problem);
    }
    return MICA_OK;
}

/* ---- the set ---- */

/* Moves what could be read into samples, which are to be freed even after a failure. */
static mica_status keep(collection *all, mica_samples *samples) {
    size_t broken = all->left.count, kept = 0, skipped = 0;
    for (size_t i = 0; i < all->count; i++)
        broken += all->pictures[i].status != MICA_OK;
    samples->sample = all->shape;
    samples->labels = mica_alloc(all->count, sizeof *samples->labels);
    samples->files = mica_alloc(all->count, sizeof *samples->files);
    samples->content = mica_alloc(all->count, sizeof *samples->content);
    samples->how = *all->how;
    samples->skipped = mica_alloc(broken, sizeof *samples->skipped);
    if (!samples->labels || !samples->files || !samples->content || !samples->skipped)
        return MICA_E_MEMORY;
    for (; skipped < all->left.count; skipped++) {
        samples->skipped[skipped] = all->left.item[skipped];
        all->left.item[skipped] = NULL;
    }
    samples->n_skipped = (int64_t)skipped;
    for (size_t i = 0; i < all->count; i++) {
        picture *p = &all->pictures[i];
        if (p->status != MICA_OK) {
            samples->skipped[skipped++] = p->problem;
            samples->n_skipped = (int64_t)skipped;
            p->problem = NULL;
            continue;
        }
        if (all->bytes)
            memmove(all->bytes + kept * all->stride, all->bytes + i * all->stride, all->stride);
        samples->files[kept] = p->path;
        samples->content[kept] = p->content;
        p->path = NULL;
        samples->labels[kept++] = p->label;
    }
    samples->bytes = all->bytes;
    all->bytes = NULL;
    samples->count = (int64_t)kept;
    return MICA_OK;
}

static mica_status load(
    collection *all, const mica_images_options *options, mica_dataset **dataset) {
    MICA_TRY(classes_find(all, &options->set, options->plain));
    MICA_TRY(outside_list(all));
    for (size_t i = 0; i < all->classes.count; i++)
        MICA_TRY(class_list(all, i));
    uint64_t memory = options->memory ? options->memory : MEMORY;
    if (all->count <= memory / all->stride) {
        all->bytes = malloc(all->count * all->stride);
        if (!all->bytes)
            return mica_fail(
                MICA_E_MEMORY, "out of host memory: %zu pictures of %s", all->count, all->folder);
    }
    MICA_TRY(read_all(all));
    MICA_TRY(classes_check(all));
    mica_dataset_options filled = options->set;
    filled.classes = (int32_t)all->classes.count;
    filled.class_names = (const char *const *)all->classes.item;
    mica_samples samples = {0};
    mica_status status = keep(all, &samples);
    if (status == MICA_OK)
        status = mica_dataset_adopt(&samples, &filled, dataset);
    if (status != MICA_OK)
        mica_samples_free(&samples);
    return status;
}

mica_status mica_dataset_from_images(
    const char *folder, const mica_images_options *options, mica_dataset **dataset) {
    mica_shape shape = options ? options->set.sample : (mica_shape){0};
    int64_t stride = mica_shape_count(shape);
    char text[96];
    if (!folder || shape.rank != 3 || stride < 1 || (shape.dim[2] != 1 && shape.dim[2] != 3))
        return mica_fail(MICA_E_INVALID,
            "pictures as samples of %s: wanted a folder, and samples of (height, width, 3) or "
            "(height, width, 1)",
            mica_shape_text(shape, text, sizeof text));
    collection all = {.folder = folder,
        .shape = shape,
        .how = &options->preprocess,
        .strict = options->strict,
        .stride = (size_t)stride};
    mica_status status = load(&all, options, dataset);
    collection_free(&all);
    return status;
}
