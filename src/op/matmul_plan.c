/* The cost of a partition is counted in vector operations: enough to rank partitions, no more. */
#include "op/matmul_plan.h"

#include "op/linear.h"

#include <string.h>

typedef mica_matmul_launch launch;
typedef mica_matmul_variant variant;
typedef mica_matmul_shape shape;

static uint32_t ceil_div(uint32_t a, uint32_t b) {
    return a / b + (a % b != 0);
}

static uint32_t round_up(uint32_t a, uint32_t b) {
    return ceil_div(a, b) * b;
}

static uint32_t min_u(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* Work-items run one after the other and kernels write out vectors (OpenCL on a CPU). */
static bool is_vector_cpu(const mica_traits *t) {
    return t->kind == MICA_CPU && t->vector_width > 1;
}

static void constant(launch *l, const char *name, int32_t value) {
    mica_constant_set(&l->kernel, name, value);
}

static void start(launch *l, const char *entry, const shape *s) {
    *l = (launch){.kernel = {.source = "matmul", .entry = entry, .local = {1, 1, 1}},
        .kernel.params_size = sizeof l->params.own,
        .params.own = {.m = s->m,
            .n = s->n,
            .k = s->k,
            .lda = s->ta ? s->m : s->k,
            .ldb = s->tb ? s->k : s->n,
            .ldc = s->n,
            .sa = s->sa,
            .sb = s->sb,
            .sc = s->sc,
            .splits = 1,
            .kper = s->k,
            .act_k = s->act_k}};
}

/* The launch that makes the product, or with `split` its parts. */
static void product(launch *l, const char *entry, const shape *s, bool split) {
    start(l, entry, s);
    bool bias = s->bias && !split;
    constant(l, "TA", s->ta);
    constant(l, "TB", s->tb);
    constant(l, "HAS_BIAS", bias);
    constant(l, "ACT", split ? -1 : s->act);
    constant(l, "SPLIT", split);
    l->kernel.n_bindings = 4;
    l->bindings[0] = MICA_MATMUL_A;
    l->bindings[1] = MICA_MATMUL_B;
    l->bindings[2] = bias ? MICA_MATMUL_BIAS : MICA_MATMUL_A;
    l->bindings[3] = split ? MICA_MATMUL_PARTS : MICA_MATMUL_C;
    if (split)
        l->params.own.sc = s->m * s->n;
}

/* Adds the parts of a split over k, then the epilogue. */
static void sum(const mica_traits *t, const shape *s, uint32_t splits, variant *v) {
    launch *l = &v->launches[v->n_launches++];
    start(l, "matmul_fwd_sum", s);
    constant(l, "TA", 0);
    constant(l, "TB", 0);
    constant(l, "HAS_BIAS", s->bias);
    constant(l, "ACT", s->act);
    constant(l, "SPLIT", 0);
    l->kernel.n_bindings = 3;
    l->bindings[0] = MICA_MATMUL_PARTS;
    l->bindings[1] = s->bias ? MICA_MATMUL_BIAS : MICA_MATMUL_PARTS;
    l->bindings[2] = MICA_MATMUL_C;
    l->params.own.splits = splits;
    if (is_vector_cpu(t)) {
        constant(l, "VW", (int32_t)t->vector_width);
        l->params.own.cols = min_u(round_up(s->n, t->vector_width), 1024);
        l->params.own.rows = min_u(s->m, ceil_div(8192, l->params.own.cols));
        l->groups[0] = ceil_div(s->n, l->params.own.cols);
        l->groups[1] = ceil_div(s->m, l->params.own.rows);
    } else {
        constant(l, "VW", 4);
        l->kernel.local[0] = 64; /* work-items past the edge own no column */
        l->params.own.cols = 1;
        l->params.own.rows = ceil_div(s->m, t->max_groups[1]);
        l->groups[0] = ceil_div(s->n, 64);
        l->groups[1] = ceil_div(s->m, l->params.own.rows);
    }
    l->groups[2] = s->batch;
    l->steps = splits;
    v->parts = (uint64_t)s->m * s->n * splits * s->batch;
}

/* ---- vector CPUs: matmul_fwd_panel ---- */

typedef struct panel_blocks {
    uint32_t vw, mr, nv, kc, bp;
} panel_blocks;

static panel_blocks blocks_for(const mica_traits *t, uint32_t n) {
    panel_blocks b = {.vw = t->vector_width, .nv = n <= t->vector_width ? 1 : 2, .kc = 512};
    b.mr = b.vw >= 16 ? 14 : 6; /* lanes of 512 bits come with 32 registers */
    /* Packed B may fill 9/16 of the cache: the rest is for A and C passing by. 36 KiB remain for a
     * pack of A and the edge tile. */
    uint64_t bytes = (t->cache_bytes ? t->cache_bytes : 256 * 1024) * 9 / 16;
    if (bytes + 40 * 1024 > t->local_bytes) {
        if (t->local_bytes >= 96 * 1024) {
            bytes = t->local_bytes - 40 * 1024;
        } else { /* small local memory: shorter blocks, so that A and B both fit */
            b.kc = 128;
            bytes = t->local_bytes > 28 * 1024 ? t->local_bytes - 12 * 1024 : 16 * 1024;
        }
    }
    b.bp = (uint32_t)(bytes / 4 / 1024 * 1024);
    return b;
}

/* Cycles of one work-group. */
static double group_cost(const shape *s, const panel_blocks *b, uint32_t rows, uint32_t cols,
    uint32_t k, uint32_t kblocks) {
    /* An A that the cache does not hold comes from memory again for each block of columns. */
    double load_a = (double)s->m * s->k > b->bp ? 9.0 : 4.0;
    uint32_t nr = b->nv * b->vw, tiles = ceil_div(cols, nr);
    uint32_t full = rows / b->mr, left = rows % b->mr, panels = full;
    double row_steps = (double)full * b->mr * b->nv; /* multiply-adds a step over k and a tile */
    if (cols < nr) {
        row_steps += left ? b->mr * b->nv : 0;
        panels += left != 0;
    } else {
        row_steps += (left / 4) * 4.0 * b->nv + (left % 4) * 4.0;
        panels += left / 4 + left % 4;
    }
    double flops = row_steps * tiles * k;
    double c_traffic = 4.0 * rows * tiles * b->nv * kblocks + 30.0 * panels * tiles * kblocks;
    double pack_a = s->ta ? (load_a + 6) * panels * k : load_a * rows * k / b->vw;
    double pack_b = (s->tb ? 20.0 : 14.0) * tiles * nr / b->vw * k;
    return flops + c_traffic + pack_a + 40.0 * panels * kblocks + pack_b +
           3000; /* the last: a work-group's start */
}

typedef struct partition {
    uint32_t rows, cols, kc, splits, kper;
    double cost;
} partition;

/* Tries all heights of a work-group's block for one width and one split. */
static void try_rows(
    const mica_traits *t, const shape *s, const panel_blocks *b, partition p, partition *best) {
    uint32_t cores = t->compute_units, last = 0;
    uint32_t gx = ceil_div(s->n, p.cols);
    for (uint32_t panels = ceil_div(s->m, b->mr); panels >= 1;
         panels = panels > 16 ? panels * 7 / 8 : panels - 1) {
        p.rows = min_u(panels * b->mr, s->m);
        uint32_t gy = ceil_div(s->m, p.rows);
        if (gy == last)
            continue;
        last = gy;
        double groups = (double)gx * gy * p.splits * s->batch;
        double one = group_cost(s, b, p.rows, min_u(p.cols, s->n), p.kper, ceil_div(p.kper, p.kc));
        /* whole rounds if few, and a straggler, since cores are seldom equally free */
        double rounds =
            groups <= 4 * cores ? (double)ceil_div((uint32_t)groups, cores) : groups / cores;
        p.cost = rounds * one + 0.25 * one * (cores > 1);
        if (groups > 1)
            p.cost += 12000; /* waking another thread */
        if (p.splits > 1)
            p.cost += 15000 + 4.0 * s->m * s->n / b->vw * p.splits * s->batch / cores;
        if (best->cost < 0 || p.cost < best->cost)
            *best = p;
    }
}

static partition best_partition(const mica_traits *t, const shape *s, const panel_blocks *b) {
    uint32_t nr = b->nv * b->vw, cores = t->compute_units;
    uint32_t max_cols = round_up(s->n, nr), max_panels = ceil_div(s->m, b->mr);
    partition best = {.cost = -1};
    for (uint32_t splits = 1; splits <= 4 * cores; splits++) {
        /* Only where C has too few tiles for the cores, and each part pays for its sum. */
        double tiles = (double)max_panels * (max_cols / nr) * s->batch;
        if (splits > 1 && (tiles >= 4.0 * cores || s->k / splits < 256))
            break;
        partition p = {.kper = splits == 1 ? s->k : round_up(ceil_div(s->k, splits), b->vw)};
        p.splits = ceil_div(s->k, p.kper);
        /* Blocks of equal length, a multiple of the vector. */
        uint32_t blocks = ceil_div(p.kper, b->kc);
        p.kc = min_u(round_up(ceil_div(p.kper, blocks), b->vw), b->kc);
        uint32_t limit = b->bp / p.kc / nr * nr;
        for (p.cols = nr; p.cols <= max_cols && p.cols <= limit; p.cols += nr) {
            bool fewer = p.cols == nr || p.cols == limit || p.cols == max_cols ||
                         ceil_div(max_cols, p.cols) != ceil_div(max_cols, p.cols - nr);
            if (fewer)
                try_rows(t, s, b, p, &best);
        }
    }
    return best;
}

static void panel(const mica_traits *t, const shape *s, variant *v) {
    panel_blocks b = blocks_for(t, s->n);
    partition p = best_partition(t, s, &b);
    *v = (variant){.name = "panel"};
    launch *l = &v->launches[v->n_launches++];
    product(l, "matmul_fwd_panel", s, p.splits > 1);
    constant(l, "VW", (int32_t)b.vw);
    constant(l, "MR", (int32_t)b.mr);
    constant(l, "NV", (int32_t)b.nv);
    constant(l, "KC", (int32_t)b.kc);
    constant(l, "BP", (int32_t)b.bp);
    l->params.own.rows = p.rows;
    l->params.own.cols = p.cols;
    l->params.own.kc = p.kc;
    l->params.own.splits = p.splits;
    l->params.own.kper = p.kper;
    l->groups[0] = ceil_div(s->n, p.cols);
    l->groups[1] = ceil_div(s->m, p.rows);
    l->groups[2] = s->batch * p.splits;
    if (p.splits > 1)
        sum(t, s, p.splits, v);
}

static void row(const mica_traits *t, const shape *s, variant *v) {
    uint32_t vw = t->vector_width;
    *v = (variant){.name = "row", .n_launches = 1};
    launch *l = &v->launches[0];
    product(l, "matmul_fwd_row", s, false);
    constant(l, "VW", (int32_t)vw);
    /* at least 16 Ki multiply-adds a work-group, in tiles of four vectors */
    uint32_t cols = ceil_div(s->n, 8 * t->compute_units), least = ceil_div(16384, s->k);
    if (cols < least)
        cols = least;
    l->params.own.cols = min_u(round_up(cols, 4 * vw), round_up(s->n, 4 * vw));
    l->groups[0] = ceil_div(s->n, l->params.own.cols);
    l->groups[1] = s->m;
    l->groups[2] = s->batch;
}

/* ---- elsewhere: matmul_fwd_tile, matmul_fwd_reg ---- */

/* Elements of C of a work-item, at most. */
#define STORED_MOST 64

/* `l` is a launch of work-groups of x * y work-items, each group making gm x gn elements, with the
 * sum over k split where C has too few of such blocks for the device, or where a work-item, which
 * needs `steps` loop iterations for a block of k, would need more than the device makes. */
static void spread(const mica_traits *t, const shape *s, const char *entry, const uint32_t local[2],
    const uint32_t block[3], uint32_t steps, variant *v) {
    uint32_t gx = ceil_div(s->n, block[1]), gy = ceil_div(s->m, block[0]), splits = 1;
    double groups = (double)gx * gy * s->batch, want = 2.0 * t->compute_units;
    while (groups * splits < want && s->k / (splits + 1) >= 256 && splits < 64)
        splits++;
    const uint32_t fits = (uint32_t)mica_turns_most(t, 1 + steps) * block[2];
    splits = splits > ceil_div(s->k, fits) ? splits : ceil_div(s->k, fits);
    uint32_t kper = splits == 1 ? s->k : round_up(ceil_div(s->k, splits), block[2]);
    splits = ceil_div(s->k, kper);
    launch *l = &v->launches[v->n_launches++];
    product(l, entry, s, splits > 1);
    constant(l, "GM", (int32_t)block[0]);
    constant(l, "GN", (int32_t)block[1]);
    constant(l, "GK", (int32_t)block[2]);
    l->kernel.local[0] = local[0];
    l->kernel.local[1] = local[1];
    l->params.own.splits = splits;
    l->params.own.kper = kper;
    /* Behind the sums, the loops over the elements that a work-item stores. */
    l->steps = (uint64_t)ceil_div(kper, block[2]) * steps + 3 * STORED_MOST;
    l->groups[0] = gx;
    l->groups[1] = gy;
    l->groups[2] = s->batch * splits;
    if (splits > 1)
        sum(t, s, splits, v);
}

/* CPUs whose lanes are work-items: 8 x 8 elements a work-item, from registers. Fewer than 64 rows
 * need no taller block; powers of two keep the kernels few. */
static void reg(const mica_traits *t, const shape *s, variant *v) {
    uint32_t local[2] = {8, 1};
    while (local[1] < 8 && 8 * local[1] < s->m)
        local[1] *= 2;
    const uint32_t block[3] = {8 * local[1], 64, 16};
    *v = (variant){.name = "reg"};
    spread(t, s, "matmul_fwd_reg", local, block, block[2], v);
}

static void tile(const mica_traits *t, const shape *s, uint32_t size, variant *v) {
    const uint32_t local[2] = {16, 16};
    const uint32_t block[3] = {size, size, size == 32 ? 32 : 16};
    *v = (variant){.name = size == 128 ? "tile128" : size == 64 ? "tile64" : "tile32"};
    const uint32_t loads = 2 * block[2] * size / (local[0] * local[1]);
    spread(t, s, "matmul_fwd_tile", local, block, 1 + block[2] + loads, v);
}

/* The largest tiles that give each compute unit two work-groups come first. */
static int tiles(const mica_traits *t, const shape *s, variant *variants) {
    static const uint32_t sizes[3] = {128, 64, 32};
    double want = 2.0 * t->compute_units;
    int first = 2;
    for (int i = 2; i >= 0; i--)
        if ((double)ceil_div(s->m, sizes[i]) * ceil_div(s->n, sizes[i]) * s->batch >= want)
            first = i;
    for (int i = 0; i < 3; i++)
        tile(t, s, sizes[i == 0 ? first : i <= first ? i - 1 : i], &variants[i]);
    return 3;
}

static void clblast(const mica_traits *t, const shape *s, variant *v) {
    bool epilogue = s->bias || s->act >= 0;
    *v = (variant){.name = "clblast", .n_launches = 1};
    v->launches[0] = (launch){.kernel = {.source = "clblast",
                                  .entry = "clblast_sgemm",
                                  .n_bindings = 3,
                                  .params_size = sizeof(mica_clblast_sgemm_params),
                                  .local = {1, 1, 1}},
        .bindings = {MICA_MATMUL_A, MICA_MATMUL_B, epilogue ? MICA_MATMUL_PARTS : MICA_MATMUL_C},
        .groups = {1, 1, 1},
        .params.clblast = {.m = s->m,
            .n = s->n,
            .k = s->k,
            .ta = s->ta,
            .tb = s->tb,
            .batch = s->batch,
            .a_stride = s->sa,
            .b_stride = s->sb,
            .c_stride = s->m * s->n}};
    if (epilogue)
        sum(t, s, 1, v);
}

int mica_matmul_variants(const mica_traits *traits, const mica_matmul_shape *wanted,
    mica_matmul_variant variants[MICA_MATMUL_VARIANTS]) {
    shape s = *wanted;
    int n = 0;
    if (s.m == 1) /* a vector lies the same way either way */
        s.ta = false;
    if (traits->kind != MICA_CPU) {
        n = tiles(traits, &s, variants);
        if (traits->clblast)
            clblast(traits, &s, &variants[n++]);
        return n;
    }
    if (!is_vector_cpu(traits)) {
        reg(traits, &s, &variants[n++]);
        return n;
    }
    if (s.m > 2)
        panel(traits, &s, &variants[n++]);
    if (s.m <= 8)
        row(traits, &s, &variants[n++]);
    return n;
}
