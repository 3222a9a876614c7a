/* Which column of a file holds what of a rating. For the readers of ratings and titles alone. */
#ifndef MICA_DATA_RATINGS_COLUMNS_H
#define MICA_DATA_RATINGS_COLUMNS_H

#include "base/text.h"

#include <mica/ratings.h>

enum { MICA_COLUMN_USER, MICA_COLUMN_ITEM, MICA_COLUMN_VALUE, MICA_COLUMN_TIME, MICA_COLUMNS };

/* Columns that a line can have. */
#define MICA_COLUMNS_MOST 256

/* Finds the columns by the fields of the file's first line and the options; place[i] of each is
 * then from 0 on, or -1 where the file has none. *header: the line is one of names. Names are known
 * by their usual spellings (userId, item_id, ...), whatever their case, blanks, underscores and
 * quotes. Without names and without options->columns they are user, item, value and time, in this
 * order. What was taken for what is added to note, unless it is just that. Columns that cannot be
 * told are MICA_E_FORMAT, or MICA_E_INVALID where the options are wrong. */
mica_status mica_rating_columns_find(char *const *fields, int count,
    const mica_ratings_options *options, int place[MICA_COLUMNS], bool *header, mica_text *note);

/* Is this a file's first line of names, of items' ids and titles? Then place is where they are. */
bool mica_title_columns(char *const *fields, int count, int place[2]);

#endif
