/* One dimension of a padded tensor, for OpenCL C and GLSL alike: element i of n lies at before + i
 * of the result, which has `after` more behind. The modes are those of mica_pad_mode. */
#ifndef MICA_PAD_H
#define MICA_PAD_H

#define PAD_CONSTANT  0
#define PAD_REFLECT   1
#define PAD_SYMMETRIC 2
#define PAD_EDGE      3

/* The element that place i of the result copies; -1: none. */
int pad_source(int mode, int n, int before, int i) {
    const int at = i - before, mirror = mode == PAD_REFLECT ? 0 : 1;
    if (at >= 0 && at < n)
        return at;
    if (mode == PAD_CONSTANT)
        return -1;
    if (mode == PAD_EDGE)
        return at < 0 ? 0 : n - 1;
    return at < 0 ? -at - mirror : 2 * n - 2 - at + mirror;
}

/* Whether an element is mirrored to the side that is `distance` elements away and has `amount`. */
int pad_mirrored(int mode, int distance, int amount) {
    const int skip = mode == PAD_REFLECT ? 1 : 0;
    return distance >= skip && distance - skip < amount ? 1 : 0;
}

/* In how many places of the result element i is. */
int pad_count(int mode, int n, int before, int after, int i) {
    if (mode == PAD_EDGE)
        return 1 + (i == 0 ? before : 0) + (i == n - 1 ? after : 0);
    return 1 + pad_mirrored(mode, i, before) + pad_mirrored(mode, n - 1 - i, after);
}

/* The k-th of them. */
int pad_place(int mode, int n, int before, int i, int k) {
    if (mode == PAD_EDGE)
        return (i == 0 ? 0 : before + i) + k;
    const int skip = mode == PAD_REFLECT ? 1 : 0;
    k -= pad_mirrored(mode, i, before);
    return k < 0 ? before - 1 - i + skip : k == 0 ? before + i : before + 2 * n - 1 - i - skip;
}

#endif
