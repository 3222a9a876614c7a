/* A table of neighbours as a file. */
#ifndef MICA_RECOMMEND_STORED_H
#define MICA_RECOMMEND_STORED_H

#include <mica/recommend.h>

/* The names of mica_neighbours_by and mica_similarity in files and recipes; NULL ends them. */
extern const char *const mica_neighbours_by_names[], *const mica_similarity_names[];

mica_status mica_neighbours_write(const mica_neighbours_info *info, const char *path);

/* Fills info and the arrays, which info points to and the caller frees, whatever the status.
 * Neighbours out of range, or similarities that are no numbers, are MICA_E_FORMAT. */
mica_status mica_neighbours_read(
    const char *path, mica_neighbours_info *info, int32_t **ids, float **similarities);

#endif
