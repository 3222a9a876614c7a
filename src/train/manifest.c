#include "train/manifest.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/dataset.h"
#include "recipe/changes.h"
#include "train/folder.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FORMAT "mica-manifest-1"
enum { LIMIT = 1 << 30, NAMED = 3 };

static const char *const part_names[3] = {"training", "validation", "test"};

void mica_manifest_clear(mica_manifest *manifest) {
    mica_texts_clear(&manifest->classes);
    for (size_t i = 0; i < manifest->n_files; i++)
        free(manifest->files[i].name);
    free(manifest->files);
    for (size_t i = 0; i < 3; i++)
        free(manifest->parts[i].samples);
    free(manifest->recipe);
    *manifest = (mica_manifest){0};
}

/* ---- making ---- */

/* A line cannot hold another. */
static char *one_line(const char *text) {
    char *line = mica_strdup(text);
    for (char *c = line; c && *c; c++)
        if (*c == '\n' || *c == '\r')
            *c = '?';
    return line;
}

static mica_status file_add(
    mica_manifest *manifest, size_t *capacity, char *name, uint64_t size, uint64_t digest) {
    mica_manifest_file *files =
        name ? mica_grow(manifest->files, manifest->n_files, capacity, sizeof *files) : NULL;
    if (!files) {
        free(name);
        return MICA_E_MEMORY;
    }
    manifest->files = files;
    files[manifest->n_files++] = (mica_manifest_file){name, size, digest};
    return MICA_OK;
}

/* The pictures of the parts that lie in the folder `root`, which the recipe calls `name`. */
static mica_status pictures_add(mica_manifest *manifest, size_t *capacity, const char *name,
    const char *root, mica_dataset *const sets[3]) {
    const size_t length = strlen(root);
    for (size_t p = 0; p < 3; p++)
        for (int64_t i = 0; sets[p] && i < mica_dataset_get_info(sets[p])->count; i++) {
            const char *path = mica_dataset_file(sets[p], i);
            if (!path || strncmp(path, root, length) != 0 || path[length] != '/')
                continue;
            struct stat info;
            char *whole = mica_format("%s%s", name, path + length);
            char *line = whole ? one_line(whole) : NULL;
            free(whole);
            MICA_TRY(file_add(manifest, capacity, line,
                stat(path, &info) ? 0 : (uint64_t)info.st_size, mica_dataset_content(sets[p], i)));
        }
    return MICA_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const mica_manifest_file *)a)->name, ((const mica_manifest_file *)b)->name);
}

static mica_status files_add(const mica_recipe *recipe, const char *folder,
    mica_dataset *const sets[3], mica_manifest *manifest) {
    mica_texts names = {0}, paths = {0};
    size_t capacity = 0;
    mica_status status = mica_recipe_data_files(recipe, folder, &names, &paths);
    for (size_t i = 0; i < names.count && status == MICA_OK; i++) {
        struct stat info;
        uint64_t size, digest;
        if (!stat(paths.item[i], &info) && S_ISDIR(info.st_mode)) {
            status = pictures_add(manifest, &capacity, names.item[i], paths.item[i], sets);
            continue;
        }
        status = mica_file_hash(paths.item[i], &size, &digest);
        if (status == MICA_OK)
            status = file_add(manifest, &capacity, one_line(names.item[i]), size, digest);
    }
    mica_texts_clear(&names);
    mica_texts_clear(&paths);
    if (manifest->n_files)
        qsort(manifest->files, manifest->n_files, sizeof *manifest->files, by_name);
    return status;
}

static int by_number(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static mica_status samples_add(mica_dataset *set, mica_manifest_part *part) {
    part->n_samples = (size_t)mica_dataset_get_info(set)->count;
    if (!(part->samples = mica_alloc(part->n_samples, sizeof *part->samples)))
        return MICA_E_MEMORY;
    for (size_t i = 0; i < part->n_samples; i++)
        part->samples[i] = mica_dataset_content(set, (int64_t)i);
    qsort(part->samples, part->n_samples, sizeof *part->samples, by_number);
    return MICA_OK;
}

static mica_status make(const mica_recipe *recipe, const char *folder, mica_dataset *const sets[3],
    mica_manifest *manifest) {
    const mica_dataset_info *train = mica_dataset_get_info(sets[0]);
    for (size_t i = 0; i < 3; i++)
        if (sets[i]) {
            manifest->parts[i].count = mica_dataset_get_info(sets[i])->count;
            MICA_TRY(mica_dataset_digest(sets[i], &manifest->parts[i].digest));
        }
    manifest->ids = train->users ? train->ids_hash : 0;
    for (int32_t i = 0; i < train->classes && !train->users; i++)
        MICA_TRY(mica_texts_add(&manifest->classes, one_line(train->class_names[i])));
    /* ratings, whose users and items must be the same anyway, are drawn by these */
    const bool drawn = mica_recipe_test_choice(recipe) == MICA_TEST_DRAWN && !train->users;
    for (size_t i = 0; i < 3; i += 2)
        if (drawn && sets[i])
            MICA_TRY(samples_add(sets[i], &manifest->parts[i]));
    if (!(manifest->recipe = mica_strdup(recipe->text)))
        return MICA_E_MEMORY;
    return files_add(recipe, folder, sets, manifest);
}

mica_status mica_manifest_make(const mica_recipe *recipe, const char *folder,
    mica_dataset *const sets[3], mica_manifest *out) {
    mica_manifest made = {0};
    mica_status status = make(recipe, folder, sets, &made);
    if (status == MICA_OK)
        *out = made;
    else
        mica_manifest_clear(&made);
    return status;
}

/* ---- the file ---- */

mica_status mica_manifest_save(const mica_manifest *manifest, const char *run) {
    mica_text text = {0};
    mica_text_add(&text, FORMAT "\n");
    for (size_t i = 0; i < 3; i++)
        mica_text_add(&text, "part %" PRId64 " %016" PRIx64 " %s\n", manifest->parts[i].count,
            manifest->parts[i].digest, part_names[i]);
    mica_text_add(&text, "ids 0 %016" PRIx64 "\n", manifest->ids);
    for (size_t i = 0; i < manifest->classes.count; i++)
        mica_text_add(&text, "class 0 0 %s\n", manifest->classes.item[i]);
    for (size_t i = 0; i < manifest->n_files; i++)
        mica_text_add(&text, "file %" PRIu64 " %016" PRIx64 " %s\n", manifest->files[i].size,
            manifest->files[i].digest, manifest->files[i].name);
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < manifest->parts[i].n_samples; j++)
            mica_text_add(&text, "sample %zu %016" PRIx64 "\n", i, manifest->parts[i].samples[j]);
    mica_text_add(&text, "recipe\n%s", manifest->recipe);
    char *path = mica_path_join(run, MICA_RUN_MANIFEST);
    mica_status status =
        path && !text.failed ? mica_file_replace(path, text.data, text.size) : MICA_E_MEMORY;
    free(path);
    free(text.data);
    return status;
}

static mica_status sample_add(mica_manifest_part *part, size_t *capacity, uint64_t content) {
    uint64_t *samples = mica_grow(part->samples, part->n_samples, capacity, sizeof *samples);
    if (!samples)
        return MICA_E_MEMORY;
    part->samples = samples;
    samples[part->n_samples++] = content;
    return MICA_OK;
}

/* What a list has room for while it is read. */
typedef struct capacities {
    size_t files, samples[3], parts;
} capacities;

/* Reads "KIND NUMBER DIGEST NAME" into the manifest; MICA_E_FORMAT without a text: it is no such
 * line. */
static mica_status line_read(char *line, mica_manifest *m, capacities *room) {
    char *rest = line, *end;
    const char *kind = strsep(&rest, " "), *number = strsep(&rest, " ");
    const char *digest = strsep(&rest, " ");
    if (!number || !digest)
        return MICA_E_FORMAT;
    const uint64_t n = strtoull(number, &end, 10);
    if (!*number || *end)
        return MICA_E_FORMAT;
    const uint64_t d = strtoull(digest, &end, 16);
    if (!*digest || *end)
        return MICA_E_FORMAT;
    if (!strcmp(kind, "class") && rest)
        return mica_texts_add(&m->classes, mica_strdup(rest));
    if (!strcmp(kind, "file") && rest)
        return file_add(m, &room->files, mica_strdup(rest), n, d);
    if (!strcmp(kind, "sample") && n < 3)
        return sample_add(&m->parts[n], &room->samples[n], d);
    if (!strcmp(kind, "ids"))
        m->ids = d;
    else if (!strcmp(kind, "part") && room->parts < 3 && !m->parts[room->parts].samples)
        m->parts[room->parts++] = (mica_manifest_part){.count = (int64_t)n, .digest = d};
    else
        return MICA_E_FORMAT;
    return MICA_OK;
}

static mica_status lines_read(const char *path, char *text, mica_manifest *m) {
    capacities room = {0};
    char *rest = text, *line = strsep(&rest, "\n");
    mica_status status = strcmp(line, FORMAT) ? MICA_E_FORMAT : MICA_OK;
    while (status == MICA_OK && (line = strsep(&rest, "\n")) && strcmp(line, "recipe") != 0)
        status = line_read(line, m, &room);
    if (status == MICA_E_FORMAT || (status == MICA_OK && (!line || !rest || room.parts < 3)))
        return mica_fail(MICA_E_FORMAT,
            "%s is damaged or of another version of mica: wanted " FORMAT
            "; without it the run cannot tell what it was trained with",
            path);
    MICA_TRY(status);
    return (m->recipe = mica_strdup(rest)) ? MICA_OK : MICA_E_MEMORY;
}

mica_status mica_manifest_read(const char *run, mica_manifest *out) {
    mica_manifest m = {0};
    char *path = mica_path_join(run, MICA_RUN_MANIFEST), *text = NULL;
    size_t size;
    bool there = false;
    mica_status status = path ? mica_path_exists(path, &there) : MICA_E_MEMORY;
    if (status == MICA_OK && there)
        status = mica_file_read(path, LIMIT, &text, &size);
    if (status == MICA_OK && there)
        status = lines_read(path, text, &m);
    free(path);
    free(text);
    if (status == MICA_OK)
        *out = m;
    else
        mica_manifest_clear(&m);
    return status;
}

/* ---- comparing ---- */

static void file_say(mica_text *text, size_t *count, const char *name, const char *what) {
    if ((*count)++ < NAMED)
        mica_text_add(text, "%s%s %s", text->size ? "; " : "", name, what);
}

/* "training samples: 320, now 336; data.csv has changed" */
static mica_status differences(const mica_manifest *a, const mica_manifest *b, char **said) {
    mica_text text = {0};
    size_t count = 0;
    for (size_t i = 0; i < 3; i++) {
        const mica_manifest_part *x = &a->parts[i], *y = &b->parts[i];
        if (x->count != y->count)
            mica_text_add(&text, "%s%s samples: %" PRId64 ", now %" PRId64, text.size ? "; " : "",
                part_names[i], x->count, y->count);
        else if (x->digest != y->digest)
            mica_text_add(&text, "%sthe %" PRId64 " %s samples are others or in another order",
                text.size ? "; " : "", x->count, part_names[i]);
    }
    for (size_t i = 0, j = 0; i < a->n_files || j < b->n_files;) {
        const mica_manifest_file *x = i < a->n_files ? &a->files[i] : NULL;
        const mica_manifest_file *y = j < b->n_files ? &b->files[j] : NULL;
        int order = !x ? 1 : !y ? -1 : by_name(x, y);
        if (order < 0)
            file_say(&text, &count, x->name, "is not there or cannot be read");
        else if (order > 0)
            file_say(&text, &count, y->name, "is new");
        else if (x->size != y->size || x->digest != y->digest)
            file_say(&text, &count, y->name, "has changed");
        i += order <= 0;
        j += order >= 0;
    }
    if (count > NAMED)
        mica_text_add(&text, "; %zu more files", count - NAMED);
    if (text.failed) {
        free(text.data);
        return mica_fail(MICA_E_MEMORY, "out of host memory");
    }
    *said = text.data;
    return MICA_OK;
}

static bool part_same(const mica_manifest *a, const mica_manifest *b, size_t part) {
    return a->parts[part].count == b->parts[part].count &&
           a->parts[part].digest == b->parts[part].digest;
}

/* Refuses what makes labels or ids mean something else. */
static mica_status meanings_check(
    const mica_manifest *begun, const mica_manifest *now, const char *run) {
    const mica_texts *a = &begun->classes, *b = &now->classes;
    if (begun->ids != now->ids)
        return mica_fail(MICA_E_INVALID,
            "%s: its ratings have other users or items than the file that it was trained with, or "
            "in another order: wanted that file",
            run);
    if (a->count != b->count)
        return mica_fail(MICA_E_INVALID,
            "%s was trained with %zu classes, its data have %zu: give the same, or train anew", run,
            a->count, b->count);
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->item[i], b->item[i]) != 0)
            return mica_fail(MICA_E_INVALID,
                "%s: class %zu was %s when it was trained, in its data it is %s: give the same "
                "classes in the same order, or train anew",
                run, i, a->item[i], b->item[i]);
    return MICA_OK;
}

mica_status mica_manifest_continues(
    const mica_manifest *begun, const mica_manifest *now, const char *run) {
    if (!begun->recipe)
        return mica_fail(MICA_E_INVALID,
            "%s cannot be continued: it has no %s, as runs of earlier versions of mica, so what "
            "changed since cannot be told; train anew with --out",
            run, MICA_RUN_MANIFEST);
    MICA_TRY(mica_recipe_same(run, begun->recipe, now->recipe));
    MICA_TRY(meanings_check(begun, now, run));
    if (part_same(begun, now, 0) && part_same(begun, now, 1))
        return MICA_OK;
    char *said = NULL;
    MICA_TRY(differences(begun, now, &said));
    mica_status status = mica_fail(MICA_E_INVALID,
        "%s cannot be continued with other data: %s; give those that it was begun with (--data), or "
        "start another run",
        run, said);
    free(said);
    return status;
}

/* Does `part` lack one of these samples? */
static bool lacks(const mica_manifest_part *part, const mica_manifest_part *of) {
    for (size_t i = 0; i < of->n_samples; i++)
        if (!part->n_samples || !bsearch(&of->samples[i], part->samples, part->n_samples,
                                    sizeof *part->samples, by_number))
            return true;
    return false;
}

/* Drawn samples stay in their part as long as they are the same. One that was changed is drawn
 * anew, perhaps for the test: that may be so where training samples are gone and test samples new.
 */
static bool samples_moved(const mica_manifest *begun, const mica_manifest *now) {
    return lacks(&now->parts[0], &begun->parts[0]) && lacks(&begun->parts[2], &now->parts[2]);
}

mica_status mica_manifest_fits(const mica_manifest *begun, const mica_manifest *now,
    const mica_recipe *recipe, const char *run, bool measured, char **note) {
    const mica_test_choice choice = mica_recipe_test_choice(recipe);
    *note = NULL;
    if (!begun->recipe && measured && choice == MICA_TEST_DRAWN)
        return mica_fail(MICA_E_INVALID,
            "%s has no %s: it was trained by an earlier version of mica, which chose other samples "
            "for the test, so that this would measure on samples it was trained on; train anew",
            run, MICA_RUN_MANIFEST);
    if (!begun->recipe)
        return (*note =
                       mica_format("%s has no %s, as runs of earlier versions of mica: whether its "
                                   "data are those that it was trained with cannot be told",
                           run, MICA_RUN_MANIFEST))
                   ? MICA_OK
                   : MICA_E_MEMORY;
    MICA_TRY(meanings_check(begun, now, run));
    char *said = NULL;
    MICA_TRY(differences(begun, now, &said));
    const bool moved =
        measured && !part_same(begun, now, 0) &&
        (choice == MICA_TEST_PLACED || (choice == MICA_TEST_GIVEN && !part_same(begun, now, 2)) ||
            (choice == MICA_TEST_DRAWN && samples_moved(begun, now)));
    mica_status status = MICA_OK;
    if (moved)
        status = mica_fail(MICA_E_INVALID,
            "%s may have been trained on what are now test samples: %s; give the data that it was "
            "trained with (--data), or train anew",
            run, said);
    else if (said)
        *note = mica_format("%s: the data are not those that it was trained with: %s", run, said);
    if (said && !moved && !*note)
        status = MICA_E_MEMORY;
    free(said);
    return status;
}
