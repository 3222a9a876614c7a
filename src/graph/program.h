/* A compiled program's parts, shared by compile.c (makes it) and program.c (runs it). */
#ifndef MICA_GRAPH_PROGRAM_H
#define MICA_GRAPH_PROGRAM_H

#include "graph/plan.h"
#include "graph/update.h"

struct mica_program {
    mica_model *model;
    mica_optimizer optimizer;
    bool updates;   /* has an optimizer */
    bool gradients; /* gradients and their norms are computed */
    bool keep_all;
    bool ran;
    size_t n_values;    /* of the graph when this was compiled */
    mica_range *places; /* by value id; no buffer: not in this program */
    bool *readable;     /* by value id */
    mica_node **nodes;  /* in order; NULL where absorbed */
    size_t n_nodes;
    mica_node **fused;
    size_t n_fused;
    mica_buffer **arenas;
    size_t n_arenas;
    mica_buffer *host; /* inputs, the step, the optimizer's numbers */
    mica_buffer *constants;
    mica_range hyper;
    mica_commands *commands;
    size_t n_launches;
    mica_program_row *rows;
    char **row_texts; /* strings of the rows that are not the nodes' */
    uint64_t *times;
    bool timed;
    mica_program_report report;
};

#endif
