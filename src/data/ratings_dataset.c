/* Ratings as samples to train on. */
#include "base/error.h"
#include "base/mem.h"
#include "data/dataset.h"

#include <math.h>
#include <mica/ratings.h>
#include <stdlib.h>

/* What each user has rated, for drawing items that they have not. */
static mica_status seen_make(
    const mica_ratings_info *info, const mica_ratings_info *of, mica_seen *seen) {
    const mica_ratings_rows *rows = &of->by_user;
    if (of->users != info->users || of->items != info->items)
        return mica_fail(MICA_E_INVALID,
            "pairs: %d users and %d items, but %d and %d in what they have seen: wanted parts of "
            "one split",
            info->users, info->items, of->users, of->items);
    for (int32_t u = 0; u < rows->rows; u++)
        if (rows->start[u + 1] - rows->start[u] == info->items)
            return mica_fail(MICA_E_INVALID,
                "pairs: user \"%.40s\" has rated all %d items: there is no other to compare with",
                info->user_ids[u], info->items);
    seen->start = mica_copy(rows->start, ((size_t)rows->rows + 1) * sizeof *seen->start);
    seen->item = mica_copy(rows->other, (size_t)of->count * sizeof *seen->item);
    return seen->start && seen->item ? MICA_OK : MICA_E_MEMORY;
}

static mica_status samples_make(const mica_ratings_info *info, const mica_ratings_info *seen,
    float middle, mica_samples *samples) {
    size_t count = (size_t)info->count;
    if (seen)
        MICA_TRY(seen_make(info, seen, &samples->seen));
    samples->ids = mica_alloc(count, 2 * sizeof *samples->ids);
    if (seen)
        samples->labels = mica_alloc(count, sizeof *samples->labels);
    else
        samples->targets = mica_alloc(count, sizeof *samples->targets);
    if (!samples->ids || (!samples->labels && !samples->targets))
        return MICA_E_MEMORY;
    for (size_t i = 0; i < count; i++) {
        samples->ids[2 * i] = info->user[i];
        samples->ids[2 * i + 1] = info->item[i];
        if (!seen)
            samples->targets[i] = info->value[i] - middle;
    }
    if (!seen) {
        samples->target_lowest = info->lowest - middle;
        samples->target_highest = info->highest - middle;
    }
    return MICA_OK;
}

mica_status mica_dataset_from_ratings(
    const mica_ratings *ratings, const mica_ratings *seen, float middle, mica_dataset **dataset) {
    if (!isfinite(middle))
        return mica_fail(
            MICA_E_INVALID, "ratings: middle %g: wanted a finite number", (double)middle);
    const mica_ratings_info *info = mica_ratings_get_info(ratings);
    mica_samples samples = {.count = info->count,
        .sample = MICA_SHAPE(2),
        .users = info->users,
        .items = info->items,
        .ids_hash = info->ids_hash,
        .note = info->note ? mica_strdup(info->note) : NULL};
    if (info->note && !samples.note)
        return MICA_E_MEMORY;
    mica_status status =
        samples_make(info, seen ? mica_ratings_get_info(seen) : NULL, middle, &samples);
    if (status == MICA_OK)
        status = mica_dataset_adopt(&samples,
            &(mica_dataset_options){.mean = seen ? NULL : &middle, .channels = !seen}, dataset);
    if (status != MICA_OK)
        mica_samples_free(&samples);
    return status;
}
