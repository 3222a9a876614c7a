/* Reading a YAML file into a checked tree. */
#include "recipe/yaml.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_LIMIT = 256 * 1024, KEYS_LIMIT = 256, SCALAR_LIMIT = 4096, DEPTH_LIMIT = 32 };

const yaml_node_t *mica_yaml_get(const mica_yaml *yaml, mica_yaml_node node) {
    return yaml->document.nodes.start + node - 1;
}

mica_yaml_node mica_yaml_root(const mica_yaml *yaml) {
    return yaml->document.nodes.top > yaml->document.nodes.start ? 1 : 0;
}

const char *mica_yaml_scalar(const mica_yaml *yaml, mica_yaml_node node) {
    const yaml_node_t *it = mica_yaml_get(yaml, node);
    if (it->type != YAML_SCALAR_NODE)
        return NULL;
    const char *text = (const char *)it->data.scalar.value;
    return strlen(text) == it->data.scalar.length ? text : NULL;
}

char *mica_yaml_place(const mica_yaml *yaml, mica_yaml_node node) {
    for (size_t i = yaml->n_overrides; i-- > 0;)
        if (yaml->first[i] && node >= yaml->first[i])
            return mica_format("--set %s", yaml->overrides[i]);
    if (!node)
        return mica_format("%s:1:1", yaml->path);
    yaml_mark_t mark = mica_yaml_get(yaml, node)->start_mark;
    return mica_format("%s:%zu:%zu", yaml->path, mark.line + 1, mark.column + 1);
}

mica_status mica_yaml_fail(const mica_yaml *yaml, mica_yaml_node node, const char *format, ...) {
    char text[768];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char *place = mica_yaml_place(yaml, node);
    if (!place)
        return MICA_E_MEMORY;
    mica_fail(MICA_E_INVALID, "%s: %s", place, text);
    free(place);
    return MICA_E_INVALID;
}

const char *mica_yaml_describe(
    const mica_yaml *yaml, mica_yaml_node node, char *text, size_t size) {
    const yaml_node_t *it = mica_yaml_get(yaml, node);
    if (it->type == YAML_MAPPING_NODE)
        return "a mapping";
    if (it->type == YAML_SEQUENCE_NODE)
        return "a list";
    const char *scalar = mica_yaml_scalar(yaml, node);
    if (!scalar)
        return "text with a zero byte";
    if (!*scalar)
        return "nothing";
    snprintf(text, size, strlen(scalar) > 40 ? "\"%.40s...\"" : "\"%s\"", scalar);
    return text;
}

static const char *plain(const mica_yaml *yaml, mica_yaml_node node) {
    const yaml_node_t *it = mica_yaml_get(yaml, node);
    bool is = it->type == YAML_SCALAR_NODE && it->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return is ? mica_yaml_scalar(yaml, node) : NULL;
}

bool mica_yaml_integer(const mica_yaml *yaml, mica_yaml_node node, int64_t *number) {
    const char *text = plain(yaml, node);
    size_t sign = text && (*text == '-' || *text == '+');
    if (!text || !text[sign] || text[sign + strspn(text + sign, "0123456789")])
        return false;
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    if (errno)
        return false;
    *number = value;
    return true;
}

bool mica_yaml_number(const mica_yaml *yaml, mica_yaml_node node, double *number) {
    const char *text = plain(yaml, node);
    if (!text || !*text || text[strspn(text, "0123456789+-.eE")])
        return false;
    locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!c)
        return false;
    char *end;
    double value = strtod_l(text, &end, c);
    freelocale(c);
    if (*end || value - value != 0)
        return false;
    *number = value;
    return true;
}

bool mica_yaml_boolean(const mica_yaml *yaml, mica_yaml_node node, bool *truth) {
    const char *text = plain(yaml, node);
    bool yes = text && !strcmp(text, "true");
    if (!yes && !(text && !strcmp(text, "false")))
        return false;
    *truth = yes;
    return true;
}

/* ---- checks ---- */

static mica_status keys_check(const mica_yaml *yaml, const yaml_node_t *map, mica_yaml_node node) {
    const yaml_node_pair_t *start = map->data.mapping.pairs.start;
    char got[64];
    size_t count = (size_t)(map->data.mapping.pairs.top - start);
    if (count > KEYS_LIMIT)
        return mica_yaml_fail(
            yaml, node, "a mapping of %zu keys; at most %d are allowed", count, KEYS_LIMIT);
    for (size_t i = 0; i < count; i++) {
        const char *key = mica_yaml_scalar(yaml, start[i].key);
        if (!key)
            return mica_yaml_fail(yaml, start[i].key, "expected a key, got %s",
                mica_yaml_describe(yaml, start[i].key, got, sizeof got));
        for (size_t j = 0; j < i; j++)
            if (!strcmp(key, mica_yaml_scalar(yaml, start[j].key)))
                return mica_yaml_fail(yaml, start[i].key, "the key %.64s is here twice", key);
    }
    return MICA_OK;
}

static mica_status nodes_check(const mica_yaml *yaml) {
    int count = (int)(yaml->document.nodes.top - yaml->document.nodes.start);
    for (mica_yaml_node n = 1; n <= count; n++) {
        const yaml_node_t *it = mica_yaml_get(yaml, n);
        if (it->type == YAML_SCALAR_NODE && it->data.scalar.length > SCALAR_LIMIT)
            return mica_yaml_fail(yaml, n, "a text of %zu bytes; at most %d are allowed",
                it->data.scalar.length, SCALAR_LIMIT);
        if (it->type == YAML_MAPPING_NODE)
            MICA_TRY(keys_check(yaml, it, n));
    }
    return MICA_OK;
}

/* Without aliases the document is a tree, and walks of it end. */
static const char *event_problem(const yaml_event_t *event, int depth) {
    bool anchor = event->type == YAML_ALIAS_EVENT ||
                  (event->type == YAML_SCALAR_EVENT && event->data.scalar.anchor) ||
                  (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.anchor) ||
                  (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.anchor);
    if (anchor)
        return "anchors and aliases (&, *) are not supported";
    if (event->type == YAML_DOCUMENT_START_EVENT &&
        event->data.document_start.tag_directives.start !=
            event->data.document_start.tag_directives.end)
        return "%TAG is not supported";
    return depth > DEPTH_LIMIT ? "nested too deep" : NULL;
}

/* A pass over the events before the document is made: the parser's time is quadratic in the depth.
 * What is not YAML is left to the second pass to report. */
static mica_status events_check(const mica_yaml *yaml, const char *text, size_t size) {
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return mica_fail(MICA_E_MEMORY, "out of host memory: wanted a YAML parser");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    mica_status status = MICA_OK;
    yaml_event_t event;
    int depth = 0;
    for (bool more = true; more && yaml_parser_parse(&parser, &event);) {
        depth += event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_MAPPING_START_EVENT;
        depth -= event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        const char *problem = event_problem(&event, depth);
        if (problem)
            status = mica_fail(MICA_E_INVALID, "%s:%zu:%zu: %s", yaml->path,
                event.start_mark.line + 1, event.start_mark.column + 1, problem);
        more = !problem && event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return status;
}

/* `empty` says what to expect where there is nothing. */
static mica_status parse(mica_yaml *yaml, const char *text, size_t size, const char *empty) {
    const char *tag = strstr(text, "%TAG"); /* many take quadratic time to parse */
    if (tag && (tag == text || tag[-1] == '\n' || tag[-1] == '\r'))
        return mica_fail(MICA_E_INVALID, "%s: %%TAG is not supported", yaml->path);
    MICA_TRY(events_check(yaml, text, size));
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return mica_fail(MICA_E_MEMORY, "out of host memory: wanted a YAML parser");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    mica_status status = MICA_OK;
    yaml_document_t second;
    if (!yaml_parser_load(&parser, &yaml->document)) {
        status = MICA_E_FORMAT;
    } else {
        yaml->parsed = true;
        if (!mica_yaml_root(yaml))
            status = mica_yaml_fail(yaml, 0, "%s", empty);
        else if (!yaml_parser_load(&parser, &second))
            status = MICA_E_FORMAT;
        else {
            if (yaml_document_get_root_node(&second))
                status = mica_fail(MICA_E_FORMAT,
                    "%s:%zu:%zu: a second document begins here; "
                    "expected one",
                    yaml->path, second.start_mark.line + 1, second.start_mark.column + 1);
            yaml_document_delete(&second);
        }
    }
    if (parser.error == YAML_MEMORY_ERROR)
        status = mica_fail(MICA_E_MEMORY, "out of host memory: reading %s", yaml->path);
    else if (parser.error == YAML_READER_ERROR)
        mica_fail(status, "%s: byte %zu: %s; expected UTF-8 text", yaml->path,
            parser.problem_offset, parser.problem);
    else if (parser.error != YAML_NO_ERROR)
        mica_fail(status, "%s:%zu:%zu: %s%s%s", yaml->path, parser.problem_mark.line + 1,
            parser.problem_mark.column + 1, parser.context ? parser.context : "",
            parser.context ? ": " : "", parser.problem ? parser.problem : "not YAML");
    yaml_parser_delete(&parser);
    return status == MICA_OK ? nodes_check(yaml) : status;
}

/* ---- overrides ---- */

static mica_status no_memory(void) {
    return mica_fail(MICA_E_MEMORY, "out of host memory: applying --set");
}

/* A copy of a node of another document, whose depth was checked. */
static mica_yaml_node copy_node(mica_yaml *to, const mica_yaml *from, mica_yaml_node node) {
    const yaml_node_t *it = mica_yaml_get(from, node);
    yaml_document_t *document = &to->document;
    int made = 0;
    if (it->type == YAML_SCALAR_NODE)
        return yaml_document_add_scalar(document, NULL, it->data.scalar.value,
            (int)it->data.scalar.length, it->data.scalar.style);
    if (it->type == YAML_SEQUENCE_NODE) {
        made = yaml_document_add_sequence(document, NULL, YAML_FLOW_SEQUENCE_STYLE);
        for (yaml_node_item_t *i = it->data.sequence.items.start;
             made && i < it->data.sequence.items.top; i++) {
            mica_yaml_node item = copy_node(to, from, *i);
            if (!item || !yaml_document_append_sequence_item(document, made, item))
                return 0;
        }
        return made;
    }
    made = yaml_document_add_mapping(document, NULL, YAML_FLOW_MAPPING_STYLE);
    for (yaml_node_pair_t *p = it->data.mapping.pairs.start; made && p < it->data.mapping.pairs.top;
         p++) {
        mica_yaml_node key = copy_node(to, from, p->key);
        mica_yaml_node value = key ? copy_node(to, from, p->value) : 0;
        if (!value || !yaml_document_append_mapping_pair(document, made, key, value))
            return 0;
    }
    return made;
}

static yaml_node_pair_t *find_pair(const mica_yaml *yaml, mica_yaml_node map, const char *key) {
    const yaml_node_t *it = mica_yaml_get(yaml, map);
    for (yaml_node_pair_t *p = it->data.mapping.pairs.start; p < it->data.mapping.pairs.top; p++)
        if (!strcmp(mica_yaml_scalar(yaml, p->key), key))
            return p;
    return NULL;
}

/* The item of a list by number or name. */
static yaml_node_item_t *find_item(const mica_yaml *yaml, mica_yaml_node list, const char *key) {
    const yaml_node_t *it = mica_yaml_get(yaml, list);
    size_t count = (size_t)(it->data.sequence.items.top - it->data.sequence.items.start);
    if (!key[strspn(key, "0123456789")]) {
        unsigned long long index = strtoull(key, NULL, 10);
        return *key && index < count ? it->data.sequence.items.start + index : NULL;
    }
    for (size_t i = 0; i < count; i++) {
        mica_yaml_node item = it->data.sequence.items.start[i];
        if (mica_yaml_get(yaml, item)->type != YAML_MAPPING_NODE)
            continue;
        const yaml_node_pair_t *name = find_pair(yaml, item, "name");
        const char *text = name ? mica_yaml_scalar(yaml, name->value) : NULL;
        if (text && !strcmp(text, key))
            return it->data.sequence.items.start + i;
    }
    return NULL;
}

/* Puts `value` where `keys` (a path, which is cut up) leads from the root. */
static mica_status place_value(
    mica_yaml *yaml, const char *override, char *keys, mica_yaml_node value) {
    mica_yaml_node node = mica_yaml_root(yaml);
    for (char *key = keys, *rest = NULL; key; key = rest) {
        char *dot = strchr(key, '.');
        rest = dot ? dot + 1 : NULL;
        if (dot)
            *dot = 0;
        if (!*key)
            return mica_fail(MICA_E_INVALID, "--set %s: a key is empty", override);
        yaml_node_type_t type = mica_yaml_get(yaml, node)->type;
        if (type == YAML_SCALAR_NODE)
            return mica_fail(MICA_E_INVALID,
                "--set %s: there is no %s: what is above it has no keys", override, key);
        int *place = NULL; /* where the number of the node at this key stands */
        if (type == YAML_SEQUENCE_NODE) {
            place = find_item(yaml, node, key);
            if (!place)
                return mica_fail(MICA_E_INVALID,
                    "--set %s: the list has no item with number or name %s", override, key);
        } else {
            if (!find_pair(yaml, node, key)) {
                int at = yaml_document_add_scalar(
                    &yaml->document, NULL, (const yaml_char_t *)key, -1, YAML_ANY_SCALAR_STYLE);
                int below =
                    rest ? yaml_document_add_mapping(&yaml->document, NULL, YAML_ANY_MAPPING_STYLE)
                         : value;
                if (!at || !below ||
                    !yaml_document_append_mapping_pair(&yaml->document, node, at, below))
                    return no_memory();
            }
            place = &find_pair(yaml, node, key)->value;
        }
        if (!rest)
            *place = value;
        node = *place;
    }
    return MICA_OK;
}

static mica_status apply(mica_yaml *yaml, size_t index) {
    const char *override = yaml->overrides[index];
    const char *equals = strchr(override, '=');
    if (!equals || equals == override)
        return mica_fail(
            MICA_E_INVALID, "--set %s: expected key=value or key.subkey=value", override);
    char *place = mica_format("--set %s", override);
    char *keys = mica_format("%.*s", (int)(equals - override), override);
    mica_yaml value = {.path = place};
    mica_status status = place && keys ? MICA_OK : MICA_E_MEMORY;
    if (status == MICA_OK)
        status = parse(&value, equals + 1, strlen(equals + 1),
            "expected a value after the equals sign; \"\" is empty text");
    if (status == MICA_OK) {
        mica_yaml_node first = (int)(yaml->document.nodes.top - yaml->document.nodes.start) + 1;
        mica_yaml_node copied = copy_node(yaml, &value, 1);
        status = copied ? place_value(yaml, override, keys, copied) : no_memory();
        yaml->first[index] = first;
    }
    if (value.parsed)
        yaml_document_delete(&value.document);
    free(place);
    free(keys);
    return status;
}

/* ---- open, close, text ---- */

static mica_status parse_mapping(mica_yaml *yaml, const char *text, size_t size) {
    MICA_TRY(parse(yaml, text, size, "expected a mapping of keys, got nothing"));
    if (mica_yaml_get(yaml, 1)->type == YAML_MAPPING_NODE)
        return MICA_OK;
    char got[64];
    return mica_yaml_fail(yaml, 1, "expected a mapping of keys, got %s",
        mica_yaml_describe(yaml, 1, got, sizeof got));
}

mica_status mica_yaml_open(
    mica_yaml *yaml, const char *path, const char *const *overrides, size_t n_overrides) {
    *yaml = (mica_yaml){.path = mica_strdup(path),
        .overrides = overrides,
        .n_overrides = n_overrides,
        .first = mica_alloc(n_overrides, sizeof *yaml->first)};
    if (!yaml->path || !yaml->first)
        return MICA_E_MEMORY;
    size_t size;
    MICA_TRY(mica_file_read(path, FILE_LIMIT, &yaml->text, &size));
    MICA_TRY(parse_mapping(yaml, yaml->text, size));
    for (size_t i = 0; i < n_overrides; i++)
        MICA_TRY(apply(yaml, i));
    return MICA_OK;
}

mica_status mica_yaml_parse(mica_yaml *yaml, const char *path, const char *text) {
    *yaml = (mica_yaml){.path = mica_strdup(path)};
    if (!yaml->path)
        return MICA_E_MEMORY;
    const size_t size = strlen(text);
    if (size > 4 * FILE_LIMIT) /* with overrides it may be larger than its file */
        return mica_fail(MICA_E_FORMAT, "%s: a recipe of %zu bytes; at most %d are allowed", path,
            size, 4 * FILE_LIMIT);
    return parse_mapping(yaml, text, size);
}

void mica_yaml_close(mica_yaml *yaml) {
    if (yaml->parsed)
        yaml_document_delete(&yaml->document);
    free(yaml->path);
    free(yaml->text);
    free(yaml->first);
    *yaml = (mica_yaml){0};
}

static int write_text(void *data, unsigned char *buffer, size_t size) {
    mica_text_bytes(data, buffer, size);
    return !((mica_text *)data)->failed;
}

mica_status mica_yaml_text(mica_yaml *yaml, char **text) {
    if (!yaml->n_overrides) {
        *text = yaml->text;
        yaml->text = NULL;
        return MICA_OK;
    }
    mica_text written = {0};
    yaml_emitter_t emitter;
    if (!yaml_emitter_initialize(&emitter))
        return no_memory();
    yaml_emitter_set_output(&emitter, write_text, &written);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, 100);
    yaml->parsed = false; /* dumping destroys the document, whatever comes of it */
    bool done = yaml_emitter_open(&emitter) && yaml_emitter_dump(&emitter, &yaml->document) &&
                yaml_emitter_close(&emitter);
    yaml_emitter_delete(&emitter);
    if (!done || written.failed) {
        free(written.data);
        return no_memory();
    }
    *text = written.data;
    return MICA_OK;
}
