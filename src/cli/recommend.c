/* `mica recommend`: the best items for a user, and what is similar to an item. */
#include "cli/cli.h"

#include "base/mem.h"
#include "base/text.h"
#include "train/recommend.h"

#include <mica/recommend.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: mica recommend RUN --user ID [--exclude-seen] [--top N] [--data DIR] [--device D] [--json]\n"
    "       mica recommend RUN --item ID|TITLE [--top N] [--data DIR] [--device D] [--json]\n"
    "\n"
    "The items that a run on ratings would recommend to a user, or those most similar to an item:\n"
    "neighbours of a model by items, the cosine of ratings of one by users, the cosine of embeddings\n"
    "of a network.\n"
    "\n"
    "  --user ID        as in the ratings\n"
    "  --item ID        as in the ratings, or its title, or a part of one that no other has\n"
    "  --top N          how many (default: 10)\n"
    "  --exclude-seen   leave out what the user has rated, the test ratings included\n"
    "  --data DIR       where the ratings lie (default: $MICA_DATA,\n"
    "                   ~/.cache/mica/data, or ../shared/data)\n"
    "  --device D       for networks, as 'mica devices' names it (default: auto)\n"
    "  --json           one JSON object, the last line on stdout\n";

enum { TOP_LIMIT = 1 << 20, SHOWN = 5 };

typedef struct arguments {
    const char *run, *device, *data, *user, *item;
    int64_t top;
    bool exclude_seen, json;
} arguments;

static int parse(int argc, char **argv, arguments *a) {
    static const struct option longs[] = {{"device", required_argument, NULL, 'd'},
        {"data", required_argument, NULL, 'D'}, {"user", required_argument, NULL, 'u'},
        {"item", required_argument, NULL, 'i'}, {"top", required_argument, NULL, 'n'},
        {"exclude-seen", no_argument, NULL, 'x'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'}, {0}};
    for (int c; (c = mica_cli_option(argc, argv, "h", longs)) != -1;) {
        switch (c) {
        case 'd':
            a->device = optarg;
            break;
        case 'D':
            a->data = optarg;
            break;
        case 'u':
            a->user = optarg;
            break;
        case 'i':
            a->item = optarg;
            break;
        case 'n':
            if (!mica_cli_integer("--top", optarg, 1, TOP_LIMIT, &a->top))
                return 2;
            break;
        case 'x':
            a->exclude_seen = true;
            break;
        case 'j':
            a->json = true;
            break;
        case 'h':
            return -1;
        default:
            return 2;
        }
    }
    if (optind != argc - 1)
        return mica_cli_usage("recommend: expected one RUN; see mica recommend --help");
    if (!a->user == !a->item)
        return mica_cli_usage("recommend: expected --user ID or --item ID");
    if (a->item && a->exclude_seen)
        return mica_cli_usage("recommend: --exclude-seen goes with --user");
    a->run = argv[optind];
    return 0;
}

/* ---- who is meant ---- */

static const char *title_of(const mica_ratings_info *info, int32_t item) {
    return info->titles ? info->titles[item] : NULL;
}

/* "N100 (Blue Kettle)" */
static void add_item(mica_text *text, const mica_ratings_info *info, int32_t item) {
    const char *title = title_of(info, item);
    mica_text_add(text, title ? "%s (%s)" : "%s", info->item_ids[item], title);
}

static int find_user(const mica_ratings *ratings, const char *id, int32_t *user) {
    const mica_ratings_info *info = mica_ratings_get_info(ratings);
    if ((*user = mica_ratings_user(ratings, id)) >= 0)
        return 0;
    const char *near = mica_nearest(id, info->user_ids, (size_t)info->users);
    return near ? mica_cli_usage("no user \"%s\"; did you mean %s?", id, near)
                : mica_cli_usage("no user \"%s\" among the %" PRId32 " of the ratings: %s, %s, ...",
                      id, info->users, info->user_ids[0],
                      info->user_ids[info->users > 1 ? info->users - 1 : 0]);
}

static int several(const mica_ratings_info *info, const char *part) {
    mica_text text = {0};
    int shown = 0;
    for (int32_t i = 0; i < info->items; i++) {
        const char *title = title_of(info, i);
        if (!title || !strcasestr(title, part))
            continue;
        if (shown++ == SHOWN) {
            mica_text_add(&text, ", ...");
            break;
        }
        mica_text_add(&text, shown > 1 ? ", " : "");
        add_item(&text, info, i);
    }
    int code = text.failed ? mica_cli_fail(MICA_E_MEMORY)
                           : mica_cli_usage("several items are called \"%s\": %s", part, text.data);
    free(text.data);
    return code;
}

static int unknown_item(const mica_ratings_info *info, const char *name) {
    const char **titles = mica_alloc((size_t)info->items, sizeof *titles);
    if (!titles)
        return mica_cli_fail(MICA_E_MEMORY);
    for (int32_t i = 0; i < info->items; i++)
        titles[i] = title_of(info, i) ? title_of(info, i) : "";
    const char *id = mica_nearest(name, info->item_ids, (size_t)info->items);
    const char *title = mica_nearest(name, titles, (size_t)info->items);
    free(titles);
    if (title && *title)
        return mica_cli_usage("no item \"%s\"; did you mean \"%s\"?", name, title);
    if (id)
        return mica_cli_usage("no item \"%s\"; did you mean %s?", name, id);
    return mica_cli_usage("no item \"%s\" among the %" PRId32 " of the ratings, neither an id "
                          "nor a part of a title",
        name, info->items);
}

/* An id, a title, or a part of one. */
static int find_item(const mica_ratings *ratings, const char *name, int32_t *item) {
    const mica_ratings_info *info = mica_ratings_get_info(ratings);
    if ((*item = mica_ratings_item(ratings, name)) >= 0)
        return 0;
    int found = 0;
    for (int32_t i = 0; i < info->items && *name; i++) {
        const char *title = title_of(info, i);
        if (title && !strcasecmp(title, name)) {
            *item = i;
            return 0;
        }
        if (title && strcasestr(title, name)) {
            *item = i;
            found++;
        }
    }
    return found == 1 ? 0 : found ? several(info, name) : unknown_item(info, name);
}

/* ---- output ---- */

static json_t *item_json(const mica_ratings_info *info, int32_t item) {
    json_t *object = json_pack("{s:o}", "id", mica_cli_string(info->item_ids[item]));
    if (title_of(info, item))
        json_object_set_new(object, "title", mica_cli_string(title_of(info, item)));
    return object;
}

static int print_json(const mica_ratings_info *info, const arguments *a, int32_t number,
    const mica_recommendation *items, size_t count) {
    json_t *object = json_object(), *list = json_array();
    if (a->user)
        json_object_set_new(object, "user", mica_cli_string(info->user_ids[number]));
    else
        json_object_set_new(object, "item", item_json(info, number));
    for (size_t i = 0; i < count; i++) {
        json_t *entry = item_json(info, items[i].item);
        json_object_set_new(entry, "score", mica_cli_real((double)items[i].score));
        json_array_append_new(list, entry);
    }
    json_object_set_new(object, "items", list);
    return mica_cli_json(object);
}

static int print_text(const mica_ratings_info *info, const arguments *a, int32_t number,
    const mica_recommendation *items, size_t count) {
    if (!count)
        mica_cli_err("note: the model knows nothing %s %s\n", a->user ? "for user" : "similar to",
            a->user ? info->user_ids[number] : info->item_ids[number]);
    if (a->item && title_of(info, number))
        mica_cli_out("similar to %s:\n", title_of(info, number));
    int width = 0;
    for (size_t i = 0; i < count; i++) {
        const int length = (int)strlen(info->item_ids[items[i].item]);
        width = length > width ? length : width;
    }
    for (size_t i = 0; i < count; i++) {
        const char *title = title_of(info, items[i].item);
        mica_cli_out("%3zu  %8.3f  %-*s%s%s\n", i + 1, (double)items[i].score, title ? width : 0,
            info->item_ids[items[i].item], title ? "  " : "", title ? title : "");
    }
    return 0;
}

static int recommend(const arguments *a, mica_recommender *recommender) {
    const mica_ratings *ratings = mica_recommender_ratings(recommender);
    const mica_ratings_info *info = mica_ratings_get_info(ratings);
    mica_cli_note(mica_recommender_note(recommender));
    const size_t room = a->top < info->items ? (size_t)a->top : (size_t)info->items;
    int32_t number = -1;
    int code =
        a->user ? find_user(ratings, a->user, &number) : find_item(ratings, a->item, &number);
    if (code)
        return code;
    mica_recommendation *items = mica_alloc(room, sizeof *items);
    size_t count = 0;
    mica_status status = MICA_E_MEMORY;
    if (items)
        status =
            a->user ? mica_recommend_user(recommender, number, a->exclude_seen, items, room, &count)
                    : mica_recommend_item(recommender, number, items, room, &count);
    code = status != MICA_OK ? mica_cli_fail(status)
           : a->json         ? print_json(info, a, number, items, count)
                             : print_text(info, a, number, items, count);
    free(items);
    return code;
}

int mica_cli_recommend(int argc, char **argv) {
    arguments a = {.data = getenv("MICA_DATA"), .top = 10};
    int code = parse(argc, argv, &a);
    if (code == -1)
        return fputs(help, stdout) < 0;
    if (code)
        return code;
    mica_recommender *recommender = NULL;
    mica_status status = mica_recommender_open(a.run, a.data, a.device, &recommender);
    if (status == MICA_OK)
        mica_cli_device_note(mica_recommender_device_note(recommender));
    code = status == MICA_OK ? recommend(&a, recommender) : mica_cli_fail(status);
    mica_recommender_destroy(&recommender);
    return code;
}
