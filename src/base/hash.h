/* FNV-1a, 64 bits: tables, keys of caches, and check sums against accidents. */
#ifndef MICA_BASE_HASH_H
#define MICA_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define MICA_HASH_START 0xcbf29ce484222325u

/* Continues `hash` (MICA_HASH_START at first) over size bytes. */
uint64_t mica_hash(uint64_t hash, const void *data, size_t size);
uint64_t mica_hash_text(uint64_t hash, const char *text); /* the final 0 counts */

/* A number in [0, 1) that depends on the seed and on all bits of the hash, by the finalizer of
 * SplitMix64 (Steele, Lea and Flood 2014). */
double mica_hash_unit(uint64_t seed, uint64_t hash);

#endif
