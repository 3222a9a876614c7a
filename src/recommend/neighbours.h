/* Creating a neighbourhood model with tiles of a given size, for tests. */
#ifndef MICA_RECOMMEND_NEIGHBOURS_H
#define MICA_RECOMMEND_NEIGHBOURS_H

#include <mica/recommend.h>

/* Damping of the biases that predictions start from. */
#define MICA_NEIGHBOURS_DAMPING 5.0f

/* mica_neighbours_create with at most `tile` rows in a tile and `block` entries of the other side
 * at a time; 0: the defaults. */
mica_status mica_neighbours_tiled(const mica_ratings *ratings, mica_device *device,
    const mica_neighbours_options *options, int32_t tile, int32_t block, mica_neighbours **model);

#endif
