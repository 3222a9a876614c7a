/* Compares the recipe that a run was begun with and another, by the tables of keys. */
#include "recipe/changes.h"

#include "recipe/connect.h"
#include "recipe/data.h"
#include "recipe/loss.h"
#include "recipe/neighbours.h"
#include "recipe/reference.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 256, SHOWN = 60, BLOCKS = 2 };

/* A node of both recipes; 0: not there. */
typedef struct pair {
    mica_yaml_node before, now;
} pair;

typedef struct comparison {
    const mica_yaml *before, *now;
    const char *run;
    char path[PATH_SIZE]; /* of the pair */
} comparison;

/* ---- what is said ---- */

static void value_add(mica_text *text, const mica_yaml *yaml, mica_yaml_node node) {
    const yaml_node_t *it = mica_yaml_get(yaml, node);
    const char *between = "";
    if (it->type == YAML_SCALAR_NODE) {
        const char *scalar = mica_yaml_scalar(yaml, node);
        mica_text_add(text, "%s", scalar ? scalar : "text with a zero byte");
    } else if (it->type == YAML_SEQUENCE_NODE) {
        for (yaml_node_item_t *i = it->data.sequence.items.start; i < it->data.sequence.items.top;
             i++, between = ", ") {
            mica_text_add(text, "%s", *between ? between : "[");
            value_add(text, yaml, *i);
        }
        mica_text_add(text, *between ? "]" : "[]");
    } else {
        for (yaml_node_pair_t *i = it->data.mapping.pairs.start; i < it->data.mapping.pairs.top;
             i++, between = ", ") {
            mica_text_add(text, "%s", *between ? between : "{");
            value_add(text, yaml, i->key);
            mica_text_add(text, ": ");
            value_add(text, yaml, i->value);
        }
        mica_text_add(text, *between ? "}" : "{}");
    }
}

static bool fallback_add(mica_text *text, const mica_key *key) {
    if (!key || key->fallback_note || key->required)
        return false;
    switch (key->kind) {
    case MICA_KEY_INTEGER:
    case MICA_KEY_NUMBER:
    case MICA_KEY_FLOAT:
        mica_text_add(text, "%.9g", key->fallback);
        return true;
    case MICA_KEY_BOOLEAN:
        mica_text_add(text, key->fallback != 0 ? "true" : "false");
        return true;
    case MICA_KEY_CHOICE:
        mica_text_add(text, "%s", key->choices[0]);
        return true;
    case MICA_KEY_TEXT:
    case MICA_KEY_TEXTS:
    case MICA_KEY_BLOCK:
    case MICA_KEY_HOOK:
        break;
    }
    return false;
}

/* The value or, where the key is left out, its default. */
static void side_add(
    mica_text *text, const mica_yaml *yaml, mica_yaml_node node, const mica_key *key) {
    if (node)
        value_add(text, yaml, node);
    else if (!fallback_add(text, key))
        mica_text_add(text, "not given");
}

static mica_status differs(const comparison *c, pair at, const mica_key *key) {
    mica_text before = {0}, now = {0};
    side_add(&before, c->before, at.before, key);
    side_add(&now, c->now, at.now, key);
    mica_status status = MICA_E_MEMORY;
    if (!before.failed && !now.failed)
        status = mica_fail(MICA_E_INVALID,
            "%s was begun with another recipe: %s was %.*s%s and is %.*s%s: give what it was, or "
            "start another run",
            c->run, c->path, SHOWN, before.data, before.size > SHOWN ? "..." : "", SHOWN, now.data,
            now.size > SHOWN ? "..." : "");
    free(before.data);
    free(now.data);
    return status;
}

/* ---- what is the same ---- */

static bool scalars_equal(const char *a, const char *b) {
    if (!a || !b || !strcmp(a, b))
        return a && b;
    if (!*a || !*b || a[strspn(a, "0123456789+-.eE")] || b[strspn(b, "0123456789+-.eE")])
        return false;
    char *end_a, *end_b;
    double x = strtod(a, &end_a), y = strtod(b, &end_b);
    return !*end_a && !*end_b && x == y;
}

static bool nodes_equal(const comparison *c, mica_yaml_node before, mica_yaml_node now) {
    const yaml_node_t *a = mica_yaml_get(c->before, before), *b = mica_yaml_get(c->now, now);
    if (a->type != b->type)
        return false;
    if (a->type == YAML_SCALAR_NODE)
        return scalars_equal(mica_yaml_scalar(c->before, before), mica_yaml_scalar(c->now, now));
    if (a->type == YAML_SEQUENCE_NODE) {
        const yaml_node_item_t *x = a->data.sequence.items.start, *y = b->data.sequence.items.start;
        const yaml_node_item_t *end = a->data.sequence.items.top;
        if (end - x != b->data.sequence.items.top - y)
            return false;
        while (x < end && nodes_equal(c, *x, *y))
            x++, y++;
        return x == end;
    }
    const yaml_node_pair_t *x = a->data.mapping.pairs.start, *end = a->data.mapping.pairs.top;
    if (end - x != b->data.mapping.pairs.top - b->data.mapping.pairs.start)
        return false;
    for (; x < end; x++) {
        mica_yaml_node other = mica_schema_find(c->now, now, mica_yaml_scalar(c->before, x->key));
        if (!other || !nodes_equal(c, x->value, other))
            return false;
    }
    return true;
}

static bool values_equal(const comparison *c, pair at, const mica_key *key) {
    if (at.before && at.now)
        return nodes_equal(c, at.before, at.now);
    mica_text fallback = {0};
    const mica_yaml *yaml = at.before ? c->before : c->now;
    bool equal =
        fallback_add(&fallback, key) && !fallback.failed &&
        scalars_equal(mica_yaml_scalar(yaml, at.before ? at.before : at.now), fallback.data);
    free(fallback.data);
    return equal;
}

/* ---- walking ---- */

static mica_yaml_node child(const mica_yaml *yaml, mica_yaml_node map, const char *key) {
    return map ? mica_schema_find(yaml, map, key) : 0;
}

static mica_status walk(comparison *c, pair at, const mica_block *blocks, size_t n_blocks);

static yaml_node_type_t type_of(const mica_yaml *yaml, mica_yaml_node node) {
    return node ? mica_yaml_get(yaml, node)->type : YAML_NO_NODE;
}

/* A value that is both times a mapping or, with `block`, perhaps left out. */
static bool is_mapping(const comparison *c, pair at) {
    yaml_node_type_t before = type_of(c->before, at.before), now = type_of(c->now, at.now);
    return (before == YAML_MAPPING_NODE || before == YAML_NO_NODE) &&
           (now == YAML_MAPPING_NODE || now == YAML_NO_NODE);
}

static size_t layer_blocks(const comparison *c, pair at, mica_block blocks[BLOCKS]) {
    blocks[0] = mica_layer_common;
    mica_yaml_node node = mica_schema_find(c->before, at.before, "type");
    const char *name = node ? mica_yaml_scalar(c->before, node) : NULL;
    const mica_layer_type *type = name ? mica_layer_type_find(name) : NULL;
    if (type)
        blocks[1] = type->block;
    return type ? 2 : 1;
}

/* The name of an item where it is the same in both, else NULL. */
static const char *item_name(const comparison *c, pair at) {
    if (!is_mapping(c, at))
        return NULL;
    pair name = {child(c->before, at.before, "name"), child(c->now, at.now, "name")};
    const bool same = name.before && name.now && nodes_equal(c, name.before, name.now);
    return same ? mica_yaml_scalar(c->before, name.before) : NULL;
}

/* The items of two lists of mappings. */
static mica_status walk_list(comparison *c, pair at, const mica_key *key, bool layers) {
    const yaml_node_t *a = mica_yaml_get(c->before, at.before), *b = mica_yaml_get(c->now, at.now);
    const yaml_node_item_t *x = a->data.sequence.items.start, *y = b->data.sequence.items.start;
    const ptrdiff_t n = a->data.sequence.items.top - x, length = (ptrdiff_t)strlen(c->path);
    if (n != b->data.sequence.items.top - y)
        return differs(c, at, key);
    for (ptrdiff_t i = 0; i < n; i++) {
        pair item = {x[i], y[i]};
        mica_block blocks[BLOCKS] = {mica_loss_block};
        const char *name = item_name(c, item);
        char *end = c->path + length;
        const size_t room = sizeof c->path - (size_t)length;
        if (name)
            snprintf(end, room, ".%s", name);
        else
            snprintf(end, room, ".%td", i);
        if (!is_mapping(c, item)) {
            if (!nodes_equal(c, item.before, item.now))
                return differs(c, item, NULL);
        } else {
            MICA_TRY(walk(c, item, blocks, layers ? layer_blocks(c, item, blocks) : 1));
        }
    }
    c->path[length] = 0;
    return MICA_OK;
}

/* The keys that a hook reads; NULL: its value is compared as a whole. */
static const mica_block *hook_block(const char *name) {
    static const struct {
        const char *name;
        const mica_block *block;
    } hooks[] = {{"data", &mica_recipe_data_block}, {"preprocess", &mica_recipe_preprocess_block},
        {"loss", &mica_loss_block}, {"neighbours", &mica_recipe_neighbours_keys}};
    for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++)
        if (!strcmp(hooks[i].name, name))
            return hooks[i].block;
    return NULL;
}

static mica_status walk_key(comparison *c, pair at, const mica_key *key) {
    if (key->may_change || (!at.before && !at.now))
        return MICA_OK;
    bool layers = !strcmp(key->name, "layers");
    bool lists = type_of(c->before, at.before) == YAML_SEQUENCE_NODE &&
                 type_of(c->now, at.now) == YAML_SEQUENCE_NODE;
    if (key->kind == MICA_KEY_BLOCK && is_mapping(c, at))
        return walk(c, at, &key->block, 1);
    const mica_block *block = key->kind == MICA_KEY_HOOK ? hook_block(key->name) : NULL;
    if (key->kind == MICA_KEY_HOOK && lists && (layers || block))
        return walk_list(c, at, key, layers);
    if (block && at.before && at.now && is_mapping(c, at))
        return walk(c, at, block, 1);
    return values_equal(c, at, key) ? MICA_OK : differs(c, at, key);
}

static mica_status walk(comparison *c, pair at, const mica_block *blocks, size_t n_blocks) {
    const size_t length = strlen(c->path);
    for (size_t b = 0; b < n_blocks; b++)
        for (size_t k = 0; k < blocks[b].count; k++) {
            const mica_key *key = &blocks[b].keys[k];
            snprintf(
                c->path + length, sizeof c->path - length, "%s%s", length ? "." : "", key->name);
            MICA_TRY(walk_key(c,
                (pair){child(c->before, at.before, key->name), child(c->now, at.now, key->name)},
                key));
        }
    c->path[length] = 0;
    return MICA_OK;
}

mica_status mica_recipe_same(const char *run, const char *before, const char *now) {
    mica_yaml a = {0}, b = {0};
    mica_status status = mica_yaml_parse(&a, run, before);
    if (status == MICA_OK)
        status = mica_yaml_parse(&b, run, now);
    comparison c = {.before = &a, .now = &b, .run = run};
    mica_block blocks[MICA_RECIPE_BLOCKS];
    mica_recipe_blocks(blocks);
    if (status == MICA_OK)
        status =
            walk(&c, (pair){mica_yaml_root(&a), mica_yaml_root(&b)}, blocks, MICA_RECIPE_BLOCKS);
    mica_yaml_close(&a);
    mica_yaml_close(&b);
    return status;
}
