/* The `data:` block of a recipe: its keys, and whether they fit together. */
#include "recipe/data.h"

#include "base/error.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES_LIMIT = 100000, PIXELS_LIMIT = 1 << 12 };

/* What is known of each set, by its kind. */
static const struct {
    const char *name;
    int64_t sample;    /* numbers in a sample; 0: as the file says */
    int64_t classes;   /* 0: as the recipe says */
    const char *files; /* what `files` wants; NULL: no files */
    size_t files_min, files_max;
    double scale, largest; /* largest: the value in the files that white has in an image */
} sets[] = {
    {"digits", 64, 10, NULL, 0, 0, 1.0 / 16, 16},
    {"mnist", 784, 10, NULL, 0, 0, 1.0 / 255, 255},
    {"fashion-mnist", 784, 10, NULL, 0, 0, 1.0 / 255, 255},
    {"cifar10", 3072, 10, "[TRAIN] or [TRAIN, TEST], files of records or archives, or none", 0, 2,
        1.0 / 255, 255},
    {"images", 0, 0, "[FOLDER] or [FOLDER, TEST_FOLDER]", 1, 2, 1.0 / 255, 255},
    {"idx", 0, 0, "[IMAGES, LABELS] or [IMAGES, LABELS, TEST_IMAGES, TEST_LABELS]", 2, 4, 1.0 / 255,
        255},
    {"csv", 0, 0, "[FILE]", 1, 1, 1, 255},
    {"codes", 0, 0, "[FILE.npz] or [FILE.npz, TEST.npz], or pairs of .npy: [CODES, LABELS]", 1, 4,
        1, 255},
    {"text", 0, 0, "[FILE], or several of which the first that is there is taken", 1, 4, 1, 255},
    {"series", 0, 0, "[FILE], or several of which the first that is there is taken", 1, 4, 1, 255},
    {"ratings", 0, 0, "[FILE], or none for those that come with Mica", 0, 1, 1, 255},
    {"movielens-100k", 0, 0, NULL, 0, 0, 1, 255},
};

static const char *const set_names[] = {"digits", "mnist", "fashion-mnist", "cifar10", "images",
    "idx", "csv", "codes", "text", "series", "ratings", "movielens-100k", NULL};

mica_data_kind mica_recipe_data_kind(const mica_recipe_data *data) {
    size_t i = 0;
    while (strcmp(sets[i].name, data->set))
        i++;
    return (mica_data_kind)i;
}

/* ---- keys ---- */

static mica_status files_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    mica_recipe_data *data = target;
    mica_texts texts = {0};
    mica_status status =
        mica_schema_texts(yaml, node, sizeof data->files / sizeof *data->files, &texts);
    for (size_t i = 0; i < texts.count && status == MICA_OK; i++) {
        data->files[i] = texts.item[i];
        texts.item[i] = NULL;
    }
    mica_texts_clear(&texts);
    return status;
}

static mica_status class_names_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    mica_recipe_data *data = target;
    mica_texts texts = {0};
    mica_status status = mica_schema_texts(yaml, node, CLASSES_LIMIT, &texts);
    data->class_names = texts.item;
    data->n_class_names = (int64_t)texts.count;
    return status;
}

mica_status mica_recipe_channels_read(const mica_yaml *yaml, mica_yaml_node node, bool above_zero,
    float numbers[MICA_RECIPE_CHANNELS], size_t *n) {
    const yaml_node_t *list = mica_yaml_get(yaml, node);
    char got[64];
    if (list->type != YAML_SEQUENCE_NODE)
        return mica_yaml_fail(yaml, node, "expected a list of numbers, one a channel, got %s",
            mica_yaml_describe(yaml, node, got, sizeof got));
    const yaml_node_item_t *items = list->data.sequence.items.start;
    size_t count = (size_t)(list->data.sequence.items.top - items);
    if (count < 1 || count > MICA_RECIPE_CHANNELS)
        return mica_yaml_fail(
            yaml, node, "expected 1 to %d numbers, got %zu", MICA_RECIPE_CHANNELS, count);
    for (size_t i = 0; i < count; i++) {
        double number;
        if (!mica_yaml_number(yaml, items[i], &number) || !isfinite((float)number) ||
            (above_zero && !((float)number > 0)))
            return mica_yaml_fail(yaml, items[i], "expected a number%s, got %s",
                above_zero ? " above 0" : "", mica_yaml_describe(yaml, items[i], got, sizeof got));
        numbers[i] = (float)number;
    }
    *n = count;
    return MICA_OK;
}

static mica_status mean_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    size_t count;
    return mica_recipe_channels_read(yaml, node, false, ((mica_recipe_data *)target)->mean, &count);
}

static mica_status std_read(const mica_yaml *yaml, mica_yaml_node node, void *target) {
    mica_recipe_data *data = target;
    size_t count;
    return mica_recipe_channels_read(yaml, node, true, data->deviation, &count);
}

static const mica_key augment_keys[] = {
    {"crop_padding", MICA_KEY_INTEGER, offsetof(mica_augment, crop_padding),
        .range = {0, PIXELS_LIMIT},
        .help = "shifts pictures by up to so many pixels along both axes, as a crop of a picture "
                "with such a border"},
    {"flip", MICA_KEY_BOOLEAN, offsetof(mica_augment, flip),
        .help = "mirrors a picture, left to right, with a chance of one half"},
    {"brightness", MICA_KEY_FLOAT, offsetof(mica_augment, brightness), .range = {0, 1},
        .help = "multiplies a picture by 1 - b to 1 + b"},
    {"contrast", MICA_KEY_FLOAT, offsetof(mica_augment, contrast), .range = {0, 1},
        .help = "multiplies the distance from a picture's mean by 1 - c to 1 + c"},
    {"cutout", MICA_KEY_INTEGER, offsetof(mica_augment, cutout), .range = {0, PIXELS_LIMIT},
        .help = "the side of a square that is taken out around a random pixel"},
};

const mica_block mica_recipe_augment_block = MICA_BLOCK(augment_keys);

#define OF_RATINGS(member) offsetof(mica_recipe_data, ratings.member)

static const char *const format_names[] = {"auto", "csv", "tsv", "movielens", NULL};
static const char *const split_names[] = {"random", "last", "fold", NULL};

static const mica_key data_keys[] = {
    {"set", MICA_KEY_TEXT, offsetof(mica_recipe_data, set), .required = true, .choices = set_names,
        .help =
            "digits: 8x8, comes with Mica; mnist, fashion-mnist: 28x28, cifar10: 32x32 in "
            "colour, from the data folder (`mica fetch` gets them); images, idx, csv: your "
            "own; codes: what `mica encode` wrote, or NumPy; text: the characters of one, each to be foretold from those before; "
            "series: columns of numbers in time; ratings: of items by users, those that come "
            "with Mica unless there are files; movielens-100k: from the data folder"},
    {"files", MICA_KEY_HOOK, .may_change = true, .hook = files_read,
        .type = "a list of 1 to 4 paths",
        .fallback_note = "none; needed for images, idx, csv, codes, text and series",
        .help =
            "images: a folder with a folder of pictures (JPEG, PNG, WebP, BMP) for each class, and perhaps "
            "another for the test; idx: training images, training labels and perhaps test "
            "images, test labels; csv: one file, a sample a line, its class last or in the column that the first line calls label, class or target; cifar10: "
            "records or archives of your own; codes: .npz with codes, labels and perhaps class_names, "
            "for training and perhaps for the test, or .npy for each; text: one file in UTF-8; series: one of "
            "comma-separated values; of several the first that is there. Looked for in --data DIR, then beside the "
            "recipe, then in the current folder"},
    {"classes", MICA_KEY_INTEGER, offsetof(mica_recipe_data, classes), .range = {2, CLASSES_LIMIT},
        .fallback_note = "the set's; needed for idx and csv",
        .help = "labels are 0 to classes - 1"},
    {"users", MICA_KEY_INTEGER, offsetof(mica_recipe_data, users), .range = {0, INT32_MAX},
        .fallback_note = "the file's", .help = "of ratings; training fills it in"},
    {"items", MICA_KEY_INTEGER, offsetof(mica_recipe_data, items), .range = {0, INT32_MAX},
        .fallback_note = "the file's", .help = "of ratings; training fills it in"},
    {"class_names", MICA_KEY_HOOK, .hook = class_names_read, .type = "a list of texts",
        .fallback_note = "the set's, or numbers",
        .help = "one a class, in order; images: the folders, if not in the order of their names"},
    {"scale", MICA_KEY_NUMBER, offsetof(mica_recipe_data, scale), .range = {0, .above = true},
        .fallback_note = "1/16 digits, 1 csv, codes, text and series, else 1/255",
        .help = "what the numbers in the files are multiplied by"},
    {"mean", MICA_KEY_HOOK, .hook = mean_read, .type = "a list of numbers", .fallback_note = "0",
        .help = "subtracted after scaling: one a channel, or one for all"},
    {"std", MICA_KEY_HOOK, .hook = std_read, .type = "a list of numbers", .fallback_note = "1",
        .help = "what is then divided by: as many"},
    {"augment", MICA_KEY_BLOCK, offsetof(mica_recipe_data, augment),
        .block = MICA_BLOCK(augment_keys), .fallback_note = "none",
        .help = "random changes of the training pictures, as below"},
    {"memory", MICA_KEY_NUMBER, offsetof(mica_recipe_data, memory), .may_change = true,
        .fallback = 1024, .range = {0, 1e9, .above = true},
        .help = "images: MiB that decoded samples may take; of larger sets each is decoded again "
                "whenever it is used, by threads that work ahead of training"},
    {"strict", MICA_KEY_BOOLEAN, offsetof(mica_recipe_data, strict), .may_change = true,
        .help =
            "images: a file that cannot be read, or is of another kind, ends it all; else it is named and left out"},
    {"validation", MICA_KEY_NUMBER, offsetof(mica_recipe_data, validation),
        .range = {0, 1, .below = true},
        .help =
            "about the part of the training samples that is held out to watch progress; text and "
            "series: what stands before the test part"},
    {"test", MICA_KEY_NUMBER, offsetof(mica_recipe_data, test), .fallback = 0.2,
        .range = {0, 1, .below = true},
        .help =
            "digits and csv, images, cifar10 and codes of one file alone: about the part held out for the "
            "test, the same for every seed; text and series: the end"},
    {"invert", MICA_KEY_BOOLEAN, offsetof(mica_recipe_data, invert),
        .help = "`mica predict` turns dark strokes on light paper into light ones on dark"},
    {"columns", MICA_KEY_TEXTS, offsetof(mica_recipe_data, columns),
        .fallback_note = "all; ratings: as the first line says",
        .help = "series: names of the first line, or numbers from 1, as many as the input's last "
                "size; ratings: the same of user, item, rating and perhaps time, in this order, "
                "where the first line does not tell"},
    {"horizon", MICA_KEY_INTEGER, offsetof(mica_recipe_data, horizon), .fallback = 1,
        .range = {1, MICA_SIZE_LIMIT},
        .help = "series: how many steps behind the window are the target"},
    {"format", MICA_KEY_CHOICE, OF_RATINGS(format), .choices = format_names,
        .help = "ratings: what stands between user, item, rating and perhaps the time: csv commas, "
                "tsv tabs (u.data), movielens ::; auto: as the first line looks"},
    {"titles", MICA_KEY_TEXT, OF_RATINGS(titles), .may_change = true, .fallback_note = "none",
        .help = "ratings: a file of ids and titles of items: CSV, TSV, u.item or movies.dat"},
    {"implicit", MICA_KEY_BOOLEAN, OF_RATINGS(implicit),
        .help = "ratings: that a line is there is all it tells"},
    {"at_least", MICA_KEY_FLOAT, OF_RATINGS(at_least), .range = {.any = true},
        .fallback_note = "all count",
        .help = "implicit ratings: lines with smaller ones are left out"},
    {"lowest", MICA_KEY_FLOAT, OF_RATINGS(lowest), .range = {.any = true},
        .fallback_note = "what the file has; movielens-100k: 1",
        .help = "ratings: what is below is an error; predictions are cut to it; goes with highest"},
    {"highest", MICA_KEY_FLOAT, OF_RATINGS(highest), .range = {.any = true},
        .fallback_note = "what the file has; movielens-100k: 5",
        .help = "ratings: the same at the upper end"},
    {"split", MICA_KEY_CHOICE, OF_RATINGS(split), .choices = split_names,
        .help =
            "ratings: the test part: random: about `test` of them all, the same for every seed; "
            "last: each user's latest; fold: one of equal runs of the file's lines"},
    {"last", MICA_KEY_INTEGER, OF_RATINGS(last), .fallback = 1, .range = {1, 1 << 20},
        .help = "split last: how many of each user, of those with more"},
    {"fold", MICA_KEY_INTEGER, OF_RATINGS(fold), .fallback = 1, .range = {1, 1 << 20},
        .help = "split fold: which, from 1"},
    {"folds", MICA_KEY_INTEGER, OF_RATINGS(folds), .fallback = 5, .range = {2, 1 << 20},
        .help = "split fold: how many there are"},
    {"relevant", MICA_KEY_FLOAT, OF_RATINGS(relevant), .range = {.any = true},
        .fallback_note = "none; implicit: 1",
        .help = "ratings: measure how well a user's test ratings from this one on are ranked among "
                "all items that are new to them"},
};

const mica_block mica_recipe_data_block = MICA_BLOCK(data_keys);

mica_status mica_recipe_data_read(const mica_yaml *yaml, mica_yaml_node node, void *recipe) {
    mica_target target = {mica_recipe_data_block, &((mica_recipe *)recipe)->data};
    return mica_schema_read(yaml, node, "data", &target, 1);
}

void mica_recipe_data_clear(mica_recipe_data *data) {
    mica_schema_clear(mica_recipe_data_block, data);
    for (size_t i = 0; i < sizeof data->files / sizeof *data->files; i++)
        free(data->files[i]);
    for (int64_t i = 0; i < data->n_class_names; i++)
        free(data->class_names[i]);
    free(data->class_names);
    *data = (mica_recipe_data){0};
}

/* ---- checks ---- */

static size_t files_count(const mica_recipe_data *data) {
    size_t count = 0;
    while (count < sizeof data->files / sizeof *data->files && data->files[count])
        count++;
    return count;
}

static mica_status files_check(
    const mica_yaml *yaml, mica_yaml_node map, const mica_recipe_data *data, mica_data_kind set) {
    size_t count = files_count(data);
    mica_yaml_node node = mica_schema_find(yaml, map, "files");
    if (!node)
        node = mica_schema_find(yaml, map, "set");
    if (count && !sets[set].files)
        return mica_yaml_fail(yaml, node,
            "%s has files of its own; take files out, or use set: images, idx, csv, codes, text, series or ratings",
            data->set);
    bool pairs = set == MICA_DATA_IDX || (set == MICA_DATA_CODES && mica_recipe_is_npy(data));
    size_t most = set == MICA_DATA_CODES && !pairs ? 2 : sets[set].files_max;
    if (count < sets[set].files_min || count > most || (pairs && count % 2))
        return mica_yaml_fail(yaml, node, "set %s needs files: %s", data->set, sets[set].files);
    return MICA_OK;
}

mica_status mica_recipe_refuse_keys(
    const mica_yaml *yaml, mica_yaml_node map, const char *set, const char *const *keys) {
    for (; *keys; keys++) {
        mica_yaml_node node = mica_schema_find(yaml, map, *keys);
        if (node)
            return mica_yaml_fail(yaml, node, "set %s has no use for %s: take it out", set, *keys);
    }
    return MICA_OK;
}

static mica_status classes_check(
    const mica_yaml *yaml, mica_yaml_node map, mica_recipe_data *data, mica_data_kind set) {
    mica_yaml_node classes = mica_schema_find(yaml, map, "classes");
    mica_yaml_node names = mica_schema_find(yaml, map, "class_names");
    if (!data->classes)
        data->classes = sets[set].classes ? sets[set].classes : data->n_class_names;
    if (sets[set].classes && data->classes != sets[set].classes)
        return mica_yaml_fail(yaml, classes, "%s has %lld classes, not %lld", data->set,
            (long long)sets[set].classes, (long long)data->classes);
    if (mica_recipe_is_ratings(set))
        return MICA_OK;
    bool open =
        (set == MICA_DATA_IMAGES || set == MICA_DATA_CODES || mica_recipe_is_sequence(set)) &&
        !data->classes; /* the folders or the text tell */
    if (data->classes < 2 && !open)
        return mica_yaml_fail(yaml, classes ? classes : mica_schema_find(yaml, map, "set"),
            "set %s needs classes: 2 or more, or class_names", data->set);
    if (names && data->n_class_names != data->classes)
        return mica_yaml_fail(yaml, names, "%lld names for %lld classes",
            (long long)data->n_class_names, (long long)data->classes);
    return MICA_OK;
}

static int64_t list_length(const mica_yaml *yaml, mica_yaml_node list) {
    const yaml_node_t *node = mica_yaml_get(yaml, list);
    return node->data.sequence.items.top - node->data.sequence.items.start;
}

/* mean and std go together, and with the last dimension of a sample. */
static mica_status normalization_check(
    const mica_yaml *yaml, mica_yaml_node map, mica_recipe *recipe) {
    mica_recipe_data *data = &recipe->data;
    mica_yaml_node mean = mica_schema_find(yaml, map, "mean");
    mica_yaml_node std = mica_schema_find(yaml, map, "std");
    if (!mean && !std)
        return MICA_OK;
    data->channels = list_length(yaml, mean ? mean : std);
    if (mean && std && list_length(yaml, std) != data->channels)
        return mica_yaml_fail(yaml, std, "std has %lld numbers, mean has %lld: wanted as many",
            (long long)list_length(yaml, std), (long long)data->channels);
    int64_t last = recipe->input[recipe->input_rank - 1];
    if (data->channels != 1 && data->channels != last)
        return mica_yaml_fail(yaml, mean ? mean : std,
            "%lld numbers for the input's %lld channels: wanted as many, or one for all",
            (long long)data->channels, (long long)last);
    for (int64_t i = 0; i < data->channels && !std; i++)
        data->deviation[i] = 1;
    return MICA_OK;
}

/* Only pictures can be read from picture files and changed as pictures. */
static mica_status pictures_check(
    const mica_yaml *yaml, mica_yaml_node map, const mica_recipe *recipe, mica_data_kind set) {
    mica_yaml_node input = mica_schema_find(yaml, mica_yaml_root(yaml), "input");
    mica_yaml_node augment = mica_schema_find(yaml, map, "augment");
    int64_t channels = recipe->input[recipe->input_rank - 1];
    if (set == MICA_DATA_IMAGES && (recipe->input_rank != 3 || (channels != 1 && channels != 3)))
        return mica_yaml_fail(yaml, input,
            "set images needs an input of [height, width, 3], or [height, width, 1] for grey");
    if (augment && recipe->input_rank != 3)
        return mica_yaml_fail(yaml, augment, "augment needs an input of [height, width, channels]");
    return MICA_OK;
}

/* Keys that belong to some sets alone say nothing of others. */
static mica_status others_keys_check(
    const mica_yaml *yaml, mica_yaml_node map, const mica_recipe_data *data, mica_data_kind set) {
    static const char *const of_ratings[] = {"users", "items", "format", "titles", "implicit",
        "at_least", "lowest", "highest", "split", "last", "fold", "folds", "relevant", NULL};
    static const char *const of_columns[] = {"columns", "horizon", NULL};
    if (!mica_recipe_is_ratings(set))
        MICA_TRY(mica_recipe_refuse_keys(yaml, map, data->set, of_ratings));
    const bool columns = mica_recipe_is_ratings(set) || mica_recipe_is_sequence(set);
    return columns ? MICA_OK : mica_recipe_refuse_keys(yaml, map, data->set, of_columns);
}

mica_status mica_recipe_data_check(const mica_yaml *yaml, mica_recipe *recipe) {
    mica_recipe_data *data = &recipe->data;
    data->target_dtype = MICA_I32;
    MICA_TRY(mica_recipe_preprocess_check(yaml, recipe));
    if (!data->set) {
        data->byte_scale = data->scale;
        return MICA_OK;
    }
    mica_yaml_node root = mica_yaml_root(yaml);
    mica_yaml_node map = mica_schema_find(yaml, root, "data");
    mica_data_kind set = mica_recipe_data_kind(data);
    MICA_TRY(files_check(yaml, map, data, set));
    MICA_TRY(others_keys_check(yaml, map, data, set));
    MICA_TRY(classes_check(yaml, map, data, set));
    MICA_TRY(normalization_check(yaml, map, recipe));
    MICA_TRY(pictures_check(yaml, map, recipe, set));
    if (mica_recipe_is_sequence(set))
        MICA_TRY(mica_recipe_sequence_check(yaml, map, recipe));
    if (mica_recipe_is_ratings(set))
        MICA_TRY(mica_recipe_ratings_check(yaml, map, recipe));
    if (data->scale == 0)
        data->scale = sets[set].scale;
    data->byte_scale = data->scale * sets[set].largest / 255;
    int64_t count = mica_shape_count(mica_shape_of(recipe->input_rank, recipe->input));
    if (sets[set].sample && count != sets[set].sample)
        return mica_yaml_fail(yaml, mica_schema_find(yaml, root, "input"),
            "a sample of %s has %lld numbers, but the input has %lld", data->set,
            (long long)sets[set].sample, (long long)count);
    if (count < 0)
        return mica_yaml_fail(yaml, mica_schema_find(yaml, root, "input"),
            "a sample has too many numbers: at most 2^31 - 1 fit");
    return MICA_OK;
}
