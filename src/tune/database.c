/* The file: a line of what it is, the scope, a line "key<tab>choice" an entry, and a check sum of
 * all before it. */
#include "tune/database.h"

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD  "mica tuning 2\n"
#define LIMIT ((size_t)1 << 20)

enum { SUM_SIZE = 17 }; /* 16 digits and a line end */

static void sum_text(const char *data, size_t size, char text[SUM_SIZE + 1]) {
    snprintf(text, SUM_SIZE + 1, "%016llx\n",
        (unsigned long long)mica_hash(MICA_HASH_START, data, size));
}

static mica_tune_entry *find(const mica_tune_database *database, const char *key) {
    for (size_t i = 0; i < database->count; i++)
        if (!strcmp(database->entries[i].key, key))
            return &database->entries[i];
    return NULL;
}

const char *mica_tune_find(const mica_tune_database *database, const char *key) {
    const mica_tune_entry *entry = find(database, key);
    return entry ? entry->choice : NULL;
}

mica_status mica_tune_set(mica_tune_database *database, const char *key, const char *choice) {
    mica_tune_entry *entry = find(database, key), added = {0};
    added.choice = mica_strdup(choice);
    if (!added.choice)
        return MICA_E_MEMORY;
    if (entry) {
        free(entry->choice);
        entry->choice = added.choice;
        return MICA_OK;
    }
    added.key = mica_strdup(key);
    mica_tune_entry *grown =
        added.key ? mica_grow(database->entries, database->count, &database->capacity, sizeof added)
                  : NULL;
    if (!grown) {
        free(added.key);
        free(added.choice);
        return MICA_E_MEMORY;
    }
    database->entries = grown;
    database->entries[database->count++] = added;
    return MICA_OK;
}

void mica_tune_clear(mica_tune_database *database) {
    for (size_t i = 0; i < database->count; i++) {
        free(database->entries[i].key);
        free(database->entries[i].choice);
    }
    free(database->entries);
    *database = (mica_tune_database){.scope = database->scope};
}

/* Ends the line at *at and moves *at behind it. NULL at the end of the text. */
static char *next_line(char **at) {
    char *line = *at, *end = strchr(line, '\n');
    if (!end)
        return NULL;
    *end = 0;
    *at = end + 1;
    return line;
}

static mica_status parse(mica_tune_database *database, char *text) {
    char *scope = next_line(&text);
    if (!scope || strcmp(scope, database->scope))
        return mica_fail(MICA_E_NOT_FOUND, "it was measured with another device, driver or build");
    for (char *line; (line = next_line(&text));) {
        char *tab = strchr(line, '\t');
        if (!tab)
            return mica_fail(MICA_E_FORMAT, "a line without a tab");
        *tab = 0;
        if (!find(database, line))
            MICA_TRY(mica_tune_set(database, line, tab + 1));
    }
    return MICA_OK;
}

mica_status mica_tune_load(mica_tune_database *database, const char *path) {
    char *data, sum[SUM_SIZE + 1];
    size_t size;
    const size_t head = strlen(HEAD);
    MICA_TRY(mica_private_read(path, LIMIT, &data, &size));
    mica_status status = MICA_OK;
    if (size < head + SUM_SIZE || memcmp(data, HEAD, head)) {
        status = mica_fail(MICA_E_FORMAT, "it is no tuning file");
    } else {
        sum_text(data, size - SUM_SIZE, sum);
        if (memcmp(data + size - SUM_SIZE, sum, SUM_SIZE))
            status = mica_fail(MICA_E_FORMAT, "it is damaged");
    }
    if (status == MICA_OK) {
        data[size - SUM_SIZE] = 0;
        status = parse(database, data + head);
    }
    free(data);
    return status == MICA_OK ? MICA_OK : mica_fail_in(status, "%s", path);
}

mica_status mica_tune_save(const mica_tune_database *database, const char *path) {
    mica_text text = {0};
    mica_text_add(&text, "%s%s\n", HEAD, database->scope);
    for (size_t i = 0; i < database->count; i++)
        mica_text_add(&text, "%s\t%s\n", database->entries[i].key, database->entries[i].choice);
    char sum[SUM_SIZE + 1];
    if (!text.failed) {
        sum_text(text.data, text.size, sum);
        mica_text_bytes(&text, sum, SUM_SIZE);
    }
    mica_file_writer *writer;
    mica_status status = text.failed ? MICA_E_MEMORY : mica_private_begin(path, &writer);
    if (status == MICA_OK) {
        mica_file_write(writer, text.data, text.size);
        status = mica_file_commit(&writer);
    }
    free(text.data);
    return status;
}
