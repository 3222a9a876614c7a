/* The reader of key tables, and the reference that is written from them. */
#include "recipe/schema.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_LIMIT = 1024, LIST_LIMIT = 1024, NAMES_LIMIT = 96 };

const char *const mica_data_size_names[MICA_DATA_SIZES] = {"classes", "users", "items"};

/* ---- words about keys ---- */

static size_t choices_count(const mica_key *key) {
    size_t count = 0;
    while (key->choices && key->choices[count])
        count++;
    return count;
}

static void add_range(mica_text *text, const mica_key_range *range) {
    bool upper = range->max != 0;
    if (range->any)
        return;
    if (range->above)
        mica_text_add(text, " above %g", range->min);
    else
        mica_text_add(text, upper ? " from %.10g" : " of at least %.10g", range->min);
    if (upper && range->above)
        mica_text_add(text, range->below ? " and below %.10g" : " and at most %.10g", range->max);
    else if (upper)
        mica_text_add(text, range->below ? " to below %.10g" : " to %.10g", range->max);
}

/* "an integer from 1 to 8": what a key takes. */
static void add_type(mica_text *text, const mica_key *key) {
    switch (key->kind) {
    case MICA_KEY_INTEGER:
        mica_text_add(text, "an integer");
        add_range(text, &key->range);
        for (int i = 0; i < MICA_DATA_SIZES && key->sizes; i++)
            mica_text_add(
                text, i + 1 < MICA_DATA_SIZES ? ", %s" : " or %s", mica_data_size_names[i]);
        return;
    case MICA_KEY_NUMBER:
    case MICA_KEY_FLOAT:
        mica_text_add(text, "a number");
        add_range(text, &key->range);
        return;
    case MICA_KEY_BOOLEAN:
        mica_text_add(text, "true or false");
        return;
    case MICA_KEY_TEXT:
    case MICA_KEY_CHOICE:
        if (!key->choices)
            mica_text_add(text, "text");
        for (size_t i = 0, n = choices_count(key); i < n; i++)
            mica_text_add(text, "%s%s", !i ? "" : i + 1 < n ? ", " : " or ", key->choices[i]);
        return;
    case MICA_KEY_TEXTS:
        mica_text_add(text, "a list of texts");
        return;
    case MICA_KEY_BLOCK:
        mica_text_add(text, "a mapping");
        return;
    case MICA_KEY_HOOK:
        mica_text_add(text, "%s", key->type);
    }
}

/* Fails with a text that was put together. */
static mica_status fail_text(const mica_yaml *yaml, mica_yaml_node node, mica_text *text) {
    mica_status status =
        text->failed ? MICA_E_MEMORY : mica_yaml_fail(yaml, node, "%s", text->data);
    free(text->data);
    return status;
}

mica_status mica_schema_unknown(const mica_yaml *yaml, mica_yaml_node node, const char *what,
    const char *const *names, size_t count) {
    char got[64];
    const char *name = mica_yaml_scalar(yaml, node);
    if (!name)
        return mica_yaml_fail(yaml, node, "expected a %s, got %s", what,
            mica_yaml_describe(yaml, node, got, sizeof got));
    mica_text text = {0};
    mica_text_add(&text, "unknown %s %.64s", what, name);
    const char *near = mica_nearest(name, names, count);
    if (near)
        mica_text_add(&text, "; did you mean %s?", near);
    for (size_t i = 0; i < count && !near; i++)
        mica_text_add(&text, "%s%s", !i ? "; expected " : i + 1 < count ? ", " : " or ", names[i]);
    return fail_text(yaml, node, &text);
}

/* "units: expected an integer from 1 to 8, got a list" */
static mica_status wrong_value(const mica_yaml *yaml, mica_yaml_node node, const mica_key *key) {
    mica_text text = {0};
    char got[64];
    mica_text_add(&text, "%s: expected ", key->name);
    add_type(&text, key);
    mica_text_add(&text, ", got %s", mica_yaml_describe(yaml, node, got, sizeof got));
    const char *scalar = mica_yaml_scalar(yaml, node);
    const char *near =
        scalar && key->choices ? mica_nearest(scalar, key->choices, choices_count(key)) : NULL;
    if (near)
        mica_text_add(&text, "; did you mean %s?", near);
    return fail_text(yaml, node, &text);
}

/* ---- reading ---- */

static bool in_range(const mica_key_range *range, double number) {
    if (range->any)
        return true;
    bool low = range->above ? number > range->min : number >= range->min;
    bool high = !range->max || (range->below ? number < range->max : number <= range->max);
    return low && high;
}

static int choice_index(const mica_key *key, const char *text) {
    for (int i = 0; text && key->choices && key->choices[i]; i++)
        if (!strcmp(text, key->choices[i]))
            return i;
    return -1;
}

static int size_index(const char *text) {
    for (int i = 0; text && i < MICA_DATA_SIZES; i++)
        if (!strcmp(text, mica_data_size_names[i]))
            return i;
    return -1;
}

/* Text for people: without control characters, which would make a mess of a line of output. */
static bool text_fits(const char *text) {
    if (!text || !*text || strlen(text) > TEXT_LIMIT)
        return false;
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 32 || *c == 127)
            return false;
    return true;
}

static mica_status read_value(
    const mica_yaml *yaml, mica_yaml_node node, const mica_key *key, void *data) {
    void *target = (char *)data + key->offset;
    int64_t integer;
    double number;
    const char *text = mica_yaml_scalar(yaml, node);
    switch (key->kind) {
    case MICA_KEY_INTEGER:
        if (key->sizes && size_index(text) >= 0) {
            *(int64_t *)target = -1 - size_index(text);
            return MICA_OK;
        }
        if (!mica_yaml_integer(yaml, node, &integer) || !in_range(&key->range, (double)integer))
            break;
        *(int64_t *)target = integer;
        return MICA_OK;
    case MICA_KEY_NUMBER:
    case MICA_KEY_FLOAT:
        if (!mica_yaml_number(yaml, node, &number) || !in_range(&key->range, number))
            break;
        if (key->kind == MICA_KEY_NUMBER)
            *(double *)target = number;
        else if ((float)number - (float)number != 0 || !in_range(&key->range, (float)number))
            break; /* too large or too small for a float */
        else
            *(float *)target = (float)number;
        return MICA_OK;
    case MICA_KEY_BOOLEAN:
        if (!mica_yaml_boolean(yaml, node, target))
            break;
        return MICA_OK;
    case MICA_KEY_TEXT:
        if (!text_fits(text) || (key->choices && choice_index(key, text) < 0))
            break;
        *(char **)target = mica_strdup(text);
        return *(char **)target ? MICA_OK : MICA_E_MEMORY;
    case MICA_KEY_CHOICE:
        if (choice_index(key, text) < 0)
            break;
        *(int *)target = choice_index(key, text);
        return MICA_OK;
    case MICA_KEY_TEXTS:
        return mica_schema_texts(yaml, node, LIST_LIMIT, target);
    case MICA_KEY_BLOCK:
        return mica_schema_read(yaml, node, key->name, &(mica_target){key->block, target}, 1);
    case MICA_KEY_HOOK:
        return key->hook(yaml, node, data);
    }
    return wrong_value(yaml, node, key);
}

static mica_status set_default(const mica_key *key, void *data) {
    void *target = (char *)data + key->offset;
    if (key->kind == MICA_KEY_INTEGER)
        *(int64_t *)target = (int64_t)key->fallback;
    else if (key->kind == MICA_KEY_NUMBER)
        *(double *)target = key->fallback;
    else if (key->kind == MICA_KEY_FLOAT)
        *(float *)target = (float)key->fallback;
    else if (key->kind == MICA_KEY_BOOLEAN)
        *(bool *)target = key->fallback != 0;
    else if (key->kind == MICA_KEY_BLOCK)
        return mica_schema_read(NULL, 0, key->name, &(mica_target){key->block, target}, 1);
    return MICA_OK;
}

static const mica_key *find_key(
    const mica_target *targets, size_t n_targets, const char *name, void **data) {
    for (size_t t = 0; t < n_targets; t++)
        for (size_t k = 0; k < targets[t].block.count; k++)
            if (!strcmp(targets[t].block.keys[k].name, name)) {
                *data = targets[t].data;
                return &targets[t].block.keys[k];
            }
    return NULL;
}

static mica_status unknown_key(const mica_yaml *yaml, mica_yaml_node node, const char *what,
    const mica_target *targets, size_t n_targets) {
    const char *names[NAMES_LIMIT];
    size_t count = 0;
    for (size_t t = 0; t < n_targets; t++)
        for (size_t k = 0; k < targets[t].block.count && count < NAMES_LIMIT; k++)
            names[count++] = targets[t].block.keys[k].name;
    char kind[96];
    snprintf(kind, sizeof kind, "key in %s:", what);
    return mica_schema_unknown(yaml, node, kind, names, count);
}

mica_status mica_schema_read(const mica_yaml *yaml, mica_yaml_node node, const char *what,
    const mica_target *targets, size_t n_targets) {
    for (size_t t = 0; t < n_targets; t++)
        for (size_t k = 0; k < targets[t].block.count; k++)
            MICA_TRY(set_default(&targets[t].block.keys[k], targets[t].data));
    if (!node)
        return MICA_OK;

    const yaml_node_t *map = mica_yaml_get(yaml, node);
    char got[64];
    if (map->type != YAML_MAPPING_NODE)
        return mica_yaml_fail(yaml, node, "%s: expected a mapping of keys, got %s", what,
            mica_yaml_describe(yaml, node, got, sizeof got));
    for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start;
         pair < map->data.mapping.pairs.top; pair++) {
        void *data;
        const mica_key *key =
            find_key(targets, n_targets, mica_yaml_scalar(yaml, pair->key), &data);
        if (!key)
            return unknown_key(yaml, pair->key, what, targets, n_targets);
        MICA_TRY(read_value(yaml, pair->value, key, data));
    }
    for (size_t t = 0; t < n_targets; t++)
        for (size_t k = 0; k < targets[t].block.count; k++) {
            const mica_key *key = &targets[t].block.keys[k];
            if (key->required && !mica_schema_find(yaml, node, key->name))
                return mica_yaml_fail(yaml, node, "%s: the key %s is missing", what, key->name);
        }
    return MICA_OK;
}

void mica_schema_clear(mica_block block, void *data) {
    for (size_t k = 0; k < block.count; k++) {
        void *target = (char *)data + block.keys[k].offset;
        if (block.keys[k].kind == MICA_KEY_TEXT) {
            free(*(char **)target);
            *(char **)target = NULL;
        } else if (block.keys[k].kind == MICA_KEY_TEXTS) {
            mica_texts_clear(target);
        } else if (block.keys[k].kind == MICA_KEY_BLOCK) {
            mica_schema_clear(block.keys[k].block, target);
        }
    }
}

/* ---- sizes ---- */

void mica_schema_resolve(mica_block block, void *data, const int64_t sizes[MICA_DATA_SIZES]) {
    for (size_t k = 0; k < block.count; k++) {
        int64_t *number = (int64_t *)((char *)data + block.keys[k].offset);
        if (block.keys[k].sizes && *number < 0 && sizes[-1 - *number] > 0)
            *number = sizes[-1 - *number];
    }
}

const char *mica_schema_unresolved(mica_block block, const void *data, const char **size) {
    for (size_t k = 0; k < block.count; k++) {
        if (!block.keys[k].sizes)
            continue;
        int64_t number = *(const int64_t *)((const char *)data + block.keys[k].offset);
        if (number < 0) {
            *size = mica_data_size_names[-1 - number];
            return block.keys[k].name;
        }
    }
    return NULL;
}

/* ---- lists ---- */

mica_status mica_schema_texts(
    const mica_yaml *yaml, mica_yaml_node node, size_t limit, mica_texts *texts) {
    const yaml_node_t *list = mica_yaml_get(yaml, node);
    bool alone = list->type == YAML_SCALAR_NODE;
    const yaml_node_item_t *items = alone ? &node : list->data.sequence.items.start;
    size_t count = alone ? 1 : (size_t)(list->data.sequence.items.top - items);
    char got[64];
    if (list->type == YAML_MAPPING_NODE)
        return mica_yaml_fail(yaml, node, "expected a list of texts, got a mapping");
    if (count < 1 || count > limit)
        return mica_yaml_fail(
            yaml, node, "expected a list of 1 to %zu texts, got %zu", limit, count);
    texts->item = mica_alloc(count, sizeof *texts->item);
    if (!texts->item)
        return MICA_E_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const char *text = mica_yaml_scalar(yaml, items[i]);
        const bool character = text && *text && !text[1]; /* any one of a vocabulary */
        if (!text_fits(text) && !character)
            return mica_yaml_fail(yaml, items[i], "expected text, got %s",
                mica_yaml_describe(yaml, items[i], got, sizeof got));
        texts->item[i] = mica_strdup(text);
        if (!texts->item[i])
            return MICA_E_MEMORY;
        texts->count++;
    }
    return MICA_OK;
}

void mica_texts_clear(mica_texts *texts) {
    for (size_t i = 0; i < texts->count; i++)
        free(texts->item[i]);
    free(texts->item);
    *texts = (mica_texts){0};
}

mica_status mica_schema_shape(
    const mica_yaml *yaml, mica_yaml_node node, bool one_open, int *rank, int64_t *dim) {
    const yaml_node_t *list = mica_yaml_get(yaml, node);
    char got[64];
    if (list->type != YAML_SEQUENCE_NODE)
        return mica_yaml_fail(yaml, node, "expected a list of sizes such as [28, 28, 1], got %s",
            mica_yaml_describe(yaml, node, got, sizeof got));
    const yaml_node_item_t *items = list->data.sequence.items.start;
    size_t count = (size_t)(list->data.sequence.items.top - items);
    if (count < 1 || count > MICA_MAX_RANK - 1)
        return mica_yaml_fail(
            yaml, node, "expected 1 to %d sizes, got %zu", MICA_MAX_RANK - 1, count);
    bool open = false;
    for (size_t i = 0; i < count; i++) {
        int64_t size = 0;
        bool whole = mica_yaml_integer(yaml, items[i], &size);
        bool fits = size >= 1 && size <= MICA_SIZE_LIMIT;
        if (!whole || !(fits || (size == -1 && one_open && !open)))
            return mica_yaml_fail(yaml, items[i], "expected a size from 1 to %d%s, got %s",
                MICA_SIZE_LIMIT, one_open ? " or, once, -1" : "",
                mica_yaml_describe(yaml, items[i], got, sizeof got));
        open = open || size == -1;
        dim[i] = size;
    }
    *rank = (int)count;
    return MICA_OK;
}

mica_status mica_schema_integers(const mica_yaml *yaml, mica_yaml_node node, unsigned lengths,
    int64_t min, int64_t max, const char *wanted, int64_t *numbers, size_t *count) {
    const yaml_node_t *list = mica_yaml_get(yaml, node);
    bool many = list->type == YAML_SEQUENCE_NODE;
    const yaml_node_item_t *items = many ? list->data.sequence.items.start : &node;
    size_t n = many ? (size_t)(list->data.sequence.items.top - items) : 0;
    char got[64];
    if (many && (n < 1 || n > MICA_MAX_RANK || !(lengths >> n & 1)))
        return mica_yaml_fail(yaml, node, "%s, got a list of %zu", wanted, n);
    int64_t found[MICA_MAX_RANK];
    for (size_t i = 0; i < (many ? n : 1); i++)
        if ((!many && !(lengths & 1)) || !mica_yaml_integer(yaml, items[i], &found[i]) ||
            found[i] < min || found[i] > max)
            return mica_yaml_fail(yaml, items[i], "%s, got %s", wanted,
                mica_yaml_describe(yaml, items[i], got, sizeof got));
    memcpy(numbers, found, (many ? n : 1) * sizeof *found);
    *count = n;
    return MICA_OK;
}

mica_yaml_node mica_schema_find(const mica_yaml *yaml, mica_yaml_node map, const char *key) {
    const yaml_node_t *it = mica_yaml_get(yaml, map);
    for (const yaml_node_pair_t *pair = it->data.mapping.pairs.start;
         pair < it->data.mapping.pairs.top; pair++)
        if (!strcmp(mica_yaml_scalar(yaml, pair->key), key))
            return pair->value;
    return 0;
}

/* ---- the reference ---- */

static void add_default(mica_text *text, const mica_key *key) {
    if (key->required)
        mica_text_add(text, "required");
    else if (key->fallback_note)
        mica_text_add(text, "%s", key->fallback_note);
    else if (key->kind == MICA_KEY_BOOLEAN)
        mica_text_add(text, key->fallback != 0 ? "true" : "false");
    else if (key->kind == MICA_KEY_CHOICE)
        mica_text_add(text, "%s", key->choices[0]);
    else if (key->kind <= MICA_KEY_FLOAT)
        mica_text_add(text, "%.10g", key->fallback);
    else
        mica_text_add(text, "none");
}

void mica_schema_reference(mica_text *text, mica_block block) {
    mica_text_add(text, "| key | value | default | meaning |\n| --- | --- | --- | --- |\n");
    for (size_t k = 0; k < block.count; k++) {
        mica_text_add(text, "| `%s` | ", block.keys[k].name);
        add_type(text, &block.keys[k]);
        mica_text_add(text, " | ");
        add_default(text, &block.keys[k]);
        mica_text_add(text, " | %s |\n", block.keys[k].help);
    }
}
