/* Launches of the recurrent operators: one a step (two where GRU's reset gate comes first). CPUs
 * with vectors first pack the weights, once for all steps. Knows no gradients. */
#include "base/error.h"
#include "cl/recurrent.h"
#include "op/recurrent.h"
#include "op/strided.h"

typedef struct step_params {
    RECURRENT_PARAMS(uint32_t)
} step_params;

typedef struct pack_params {
    uint32_t hidden, width, column, k;
} pack_params;

/* A launch of every step: the product of rows of `a` with columns of the weights. */
typedef struct stage {
    int number; /* STAGE */
    bool backward;
    const mica_value *a;
    uint32_t lda;        /* a's last dimension */
    uint32_t column;     /* the first of the weights, and backward of a */
    uint32_t k, columns; /* length of the product's rows; columns for each unit */
    bool earlier;        /* a's row is that of the step which came just before in this pass */
    mica_slot weights;   /* as the kernel takes them */
    mica_kernel_desc kernel;
    uint32_t rows, tiles, groups[2]; /* of a launch */
    uint64_t steps;
} stage;

/* What both passes know of a node. */
typedef struct pass {
    mica_plan *plan;
    const mica_recurrent_attrs *attrs;
    mica_recurrent_values v;
    uint32_t batch, time, hidden, width;
    stage stages[2];
    int n_stages;
} pass;

static uint32_t ceil_div(uint32_t a, uint32_t b) {
    return a / b + (a % b != 0);
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static uint32_t most(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

/* ---- CPUs with vectors ---- */

/* Rows of a register tile: as many as the registers hold besides nv vectors of weights and one of
 * a, or somewhat fewer if that leaves less of the last tile empty. Few answers, since each is a
 * kernel of its own. */
static uint32_t panel_rows(uint32_t vw, uint32_t nv, uint32_t batch) {
    uint32_t limit = ((vw >= 16 ? 31 : 15) - nv) / nv, best = limit;
    for (uint32_t mr = limit; mr > limit / 2; mr--)
        if (ceil_div(batch, mr) * (mr + 1) < ceil_div(batch, best) * (best + 1))
            best = mr;
    return batch == 1 ? 1 : best;
}

static mica_status pack(pass *p, stage *s, uint32_t tiles, uint32_t lanes) {
    int packed = mica_plan_scratch(p->plan, (uint64_t)tiles * s->k * lanes);
    s->weights = MICA_SCRATCH(packed);
    const pack_params params = {p->hidden, p->width, s->column, s->k};
    mica_plan_launch_desc desc = {.kernel = s->kernel,
        .slots = {MICA_SLOT(p->v.weights), s->weights},
        .n_slots = 2,
        .params = &params,
        .params_size = sizeof params,
        .groups = {tiles}};
    desc.kernel.entry = "recurrent_pack";
    return mica_plan_launch(p->plan, &desc);
}

static mica_status panel(pass *p, stage *s) {
    const mica_traits *traits = mica_plan_traits(p->plan);
    const uint32_t vw = traits->vector_width, units = s->columns == 1 ? 2 : 1;
    const uint32_t nv = s->columns * units, lanes = nv * vw;
    const uint32_t tiles = ceil_div(p->hidden, units * vw), mr = panel_rows(vw, nv, p->batch);
    const uint32_t panels = ceil_div(p->batch, mr);
    const bool roomy = traits->local_bytes >= 192 * 1024;
    const uint32_t kc = roomy ? 512 : 128, cp = roomy ? 32768 : 4096;

    /* Four groups a core level out what else the machine does; fewer where a step is small. */
    double cost = (double)panels * mr * tiles * nv * s->k;
    uint32_t groups = 4 * traits->compute_units;
    if (cost / 16000 < groups)
        groups = (uint32_t)(cost / 16000) + 1;
    s->tiles = ceil_div(tiles, groups);
    uint32_t high = ceil_div(panels, most(groups / ceil_div(tiles, s->tiles), 1));
    /* The sums fit in cp, and a block of weights in half of the cache. */
    uint64_t cache = traits->cache_bytes ? traits->cache_bytes : 256 * 1024;
    uint64_t block = 8 * (uint64_t)least(s->k, kc) * lanes;
    s->tiles = least(s->tiles, (uint32_t)most((uint32_t)(cache / block), 1));
    high = least(high, cp / (mr * lanes));
    s->tiles = least(s->tiles, cp / (high * mr * lanes));
    s->rows = least(high * mr, p->batch);
    s->groups[0] = ceil_div(tiles, s->tiles);
    s->groups[1] = ceil_div(p->batch, s->rows);

    s->kernel.source = "recurrent_panel";
    mica_constant_set(&s->kernel, "BACKWARD", s->backward);
    mica_constant_set(&s->kernel, "COLUMNS", (int32_t)s->columns);
    mica_constant_set(&s->kernel, "VW", (int32_t)vw);
    MICA_TRY(pack(p, s, tiles, lanes));
    mica_constant_set(&s->kernel, "STAGE", s->number);
    mica_constant_set(&s->kernel, "MR", (int32_t)mr);
    mica_constant_set(&s->kernel, "KC", (int32_t)kc);
    mica_constant_set(&s->kernel, "CP", (int32_t)cp);
    s->kernel.entry = s->backward ? "recurrent_bwd_panel" : "recurrent_fwd_panel";
    return MICA_OK;
}

/* ---- elsewhere ---- */

static mica_status tile(pass *p, stage *s) {
    const mica_traits *traits = mica_plan_traits(p->plan);
    const uint32_t gn = s->columns > 2 ? 16 : 32, wide = ceil_div(p->hidden, gn);
    bool low = p->batch <= 16 || ceil_div(p->batch, 32) * wide < 2 * traits->compute_units;
    const uint32_t gm = low ? 16 : 32;
    s->groups[0] = wide;
    s->groups[1] = ceil_div(p->batch, gm);
    /* Of each block of 16: the loads, then the products. */
    s->steps = (uint64_t)ceil_div(s->k, 16) * (17 + gm / 8 + s->columns * gn / 8);
    s->weights = MICA_SLOT(p->v.weights);
    s->kernel.local[0] = 16;
    s->kernel.local[1] = 8;
    s->kernel.source = "recurrent_tile";
    mica_constant_set(&s->kernel, "STAGE", s->number);
    mica_constant_set(&s->kernel, "BACKWARD", s->backward);
    mica_constant_set(&s->kernel, "GM", (int32_t)gm);
    mica_constant_set(&s->kernel, "GN", (int32_t)gn);
    mica_constant_set(&s->kernel, "GK", 16);
    s->kernel.entry = s->backward ? "recurrent_bwd_tile" : "recurrent_fwd_tile";
    return MICA_OK;
}

/* ---- steps ---- */

static mica_status begin(pass *p, const mica_node *node, mica_plan *plan) {
    const mica_shape *states = &p->v.states->shape;
    p->plan = plan;
    p->attrs = node->attrs;
    p->batch = (uint32_t)states->dim[0];
    p->time = (uint32_t)states->dim[1];
    p->hidden = (uint32_t)states->dim[2];
    p->width = (uint32_t)p->v.weights->shape.dim[1];
    for (int i = 0; i < p->n_stages; i++) {
        stage *s = &p->stages[i];
        s->lda = (uint32_t)s->a->shape.dim[2];
        MICA_TRY(mica_plan_traits(plan)->vector_width > 1 ? panel(p, s) : tile(p, s));
    }
    return MICA_OK;
}

/* Copies (batch, hidden) to step t of `to`, or to all of it if it is one state. */
static mica_status copy_state(
    const pass *p, const mica_value *from, const mica_value *to, uint32_t t) {
    int64_t row = to->shape.rank == 3 ? (int64_t)p->time * p->hidden : p->hidden;
    return mica_strided_copy(p->plan, from, to,
        (mica_strided){.rank = 2,
            .dim = {p->batch, p->hidden},
            .from = {p->hidden, 1},
            .to = {row, 1},
            .to_offset = (int64_t)t * p->hidden});
}

/* Step number i of the sequence in the order of the forward pass. */
static uint32_t step_at(const pass *p, uint32_t i) {
    return p->attrs->reverse ? p->time - 1 - i : i;
}

/* `values` are the buffers behind a and the weights; one that is missing is bound to a. */
static mica_status launch(const pass *p, const stage *s, step_params params,
    mica_value *const *values, uint32_t n_values, uint32_t row) {
    params.flags |= p->attrs->masked ? RECURRENT_IS_MASKED : 0u;
    params.batch = p->batch;
    params.time = p->time;
    params.hidden = p->hidden;
    params.width = p->width;
    params.column = s->column;
    params.a_at = row * s->lda + (s->backward ? s->column : 0);
    params.lda = p->time * s->lda;
    params.rows = s->rows;
    params.tiles = s->tiles;
    mica_plan_launch_desc desc = {.kernel = s->kernel,
        .slots = {MICA_SLOT(s->a), s->weights},
        .n_slots = n_values + 2,
        .params = &params,
        .params_size = sizeof params,
        .groups = {s->groups[0], s->groups[1]},
        .steps = s->steps,
        .flops = 2.0 * p->batch * p->hidden * s->columns * params.k};
    for (uint32_t i = 0; i < n_values; i++)
        desc.slots[i + 2] = MICA_SLOT(values[i] ? values[i] : s->a);
    return mica_plan_launch(p->plan, &desc);
}

mica_status mica_recurrent_plan_forward(const mica_node *node, mica_plan *plan) {
    const mica_cell cell = ((const mica_recurrent_attrs *)node->attrs)->cell;
    pass p = {.v = mica_recurrent_forward_values(node), .n_stages = 1};
    const uint32_t hidden = (uint32_t)p.v.weights->shape.dim[0];
    static const int stages[] = {[MICA_CELL_TANH] = RECURRENT_TANH,
        [MICA_CELL_RELU] = RECURRENT_RELU,
        [MICA_CELL_LSTM] = RECURRENT_LSTM,
        [MICA_CELL_GRU] = RECURRENT_GRU,
        [MICA_CELL_GRU_RESET_FIRST] = RECURRENT_RESET};
    p.stages[0] = (stage){.number = stages[cell], .a = p.v.states, .k = hidden};
    if (cell == MICA_CELL_GRU_RESET_FIRST)
        p.stages[p.n_stages++] = (stage){
            .number = RECURRENT_CANDIDATE, .a = p.v.extra, .k = hidden, .column = 2 * hidden};
    for (int i = 0; i < p.n_stages; i++)
        p.stages[i].columns = RECURRENT_GATES(p.stages[i].number);
    MICA_TRY(begin(&p, node, plan));
    MICA_TRY(copy_state(&p, p.v.h0, p.v.states, step_at(&p, 0)));
    if (p.v.c0)
        MICA_TRY(copy_state(&p, p.v.c0, p.v.extra, step_at(&p, 0)));
    mica_value *const values[] = {p.v.x, p.v.gates, p.v.states, p.v.h, p.v.outputs, p.v.extra,
        p.v.c, p.v.bias_n, p.v.lengths};
    for (uint32_t i = 0; i < p.time; i++)
        for (int k = 0; k < p.n_stages; k++) {
            const uint32_t t = step_at(&p, i);
            const step_params params = {
                .t = (int)t, .next = i + 1 < p.time ? step_at(&p, i + 1) : p.time, .k = hidden};
            MICA_TRY(launch(&p, &p.stages[k], params, values, 9, t));
        }
    return MICA_OK;
}

mica_status mica_recurrent_plan_backward(const mica_node *node, mica_plan *plan) {
    const mica_recurrent_attrs *attrs = node->attrs;
    pass p = {.v = mica_recurrent_backward_values(node), .n_stages = 1};
    const uint32_t hidden = (uint32_t)p.v.weights->shape.dim[0];
    static const int stages[] = {[MICA_CELL_TANH] = RECURRENT_TANH,
        [MICA_CELL_RELU] = RECURRENT_RELU,
        [MICA_CELL_LSTM] = RECURRENT_LSTM,
        [MICA_CELL_GRU] = RECURRENT_GRU,
        [MICA_CELL_GRU_RESET_FIRST] = RECURRENT_CANDIDATE};
    p.stages[0] = (stage){.number = stages[attrs->cell],
        .backward = true,
        .a = p.v.dinner ? p.v.dinner : p.v.dgates,
        .k = (uint32_t)p.v.weights->shape.dim[1],
        .columns = 1,
        .earlier = true};
    if (attrs->cell == MICA_CELL_GRU_RESET_FIRST) {
        p.stages[0].k = 2 * hidden;
        p.stages[p.n_stages++] = (stage){.number = RECURRENT_RESET,
            .backward = true,
            .a = p.v.dgates,
            .column = 2 * hidden,
            .k = hidden,
            .columns = 1};
    }
    MICA_TRY(begin(&p, node, plan));
    if (p.v.dh)
        MICA_TRY(copy_state(&p, p.v.dh, p.v.carry, 0));
    if (p.v.dc)
        MICA_TRY(copy_state(&p, p.v.dc, p.v.dcell, 0));
    mica_value *const values[] = {p.v.gates, p.v.states, p.v.extra, p.v.dout, p.v.dgates,
        p.v.dinner, p.v.carry, p.v.dcell, p.v.lengths};
    const bool carries = attrs->masked || attrs->cell >= MICA_CELL_GRU;
    for (uint32_t i = p.time; i-- > 0;)
        for (int k = 0; k < p.n_stages; k++) {
            const stage *s = &p.stages[k];
            const bool last = i + 1 == p.time;
            const uint32_t t = step_at(&p, i);
            const step_params params = {.t = (int)t,
                .k = s->earlier && last ? 0 : s->k,
                .flags = (p.v.dout ? RECURRENT_HAS_DOUT : 0u) |
                         ((last ? p.v.dh != NULL : carries) ? RECURRENT_HAS_CARRY : 0u) |
                         (!last || p.v.dc ? RECURRENT_HAS_CELL : 0u)};
            MICA_TRY(
                launch(&p, s, params, values, 9, s->earlier && !last ? step_at(&p, i + 1) : t));
        }
    if (!attrs->wants_start)
        return MICA_OK;
    const step_params start = {
        .k = p.stages[0].k, .flags = RECURRENT_IS_START | (carries ? RECURRENT_HAS_CARRY : 0u)};
    return launch(&p, &p.stages[0], start, values, 9, step_at(&p, 0));
}
