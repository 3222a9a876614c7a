/* Steps of recurrent networks: what the kernels of cl/recurrent_panel.cl and recurrent_tile (OpenCL
 * and Vulkan) and their plan share. Formulas: recurrent_fwd.h, recurrent_bwd.h.
 *
 * A launch is one step t of all samples: the product of a row of floats for each sample (the state,
 * or the gradients of gates) with the recurrent weights, and behind it, on the same sums, what is
 * elementwise in the cell. Rows of sequences, (batch, time, ...), lie where the sample's do: a row
 * is long and contiguous, so that nothing is gained by another order.
 *
 * The weights are (hidden, gates * hidden); a row of gates is gates * hidden floats, in the order
 * i, f, g, o (LSTM) or r, z, n (GRU). All indices fit in 32 bits. */
#ifndef MICA_RECURRENT_H
#define MICA_RECURRENT_H

/* STAGE: the cell, or its part that a launch computes. */
#define RECURRENT_TANH      0
#define RECURRENT_RELU      1
#define RECURRENT_LSTM      2
#define RECURRENT_GRU       3 /* the reset gate acts behind the product */
#define RECURRENT_RESET     4 /* GRU whose reset gate acts before the product: gates r and z */
#define RECURRENT_CANDIDATE 5 /* its n and the state */

/* The columns that a forward stage has in the product for each unit. */
#define RECURRENT_GATES(stage)                                                                     \
    ((stage) == RECURRENT_LSTM       ? 4                                                           \
        : (stage) == RECURRENT_GRU   ? 3                                                           \
        : (stage) == RECURRENT_RESET ? 2                                                           \
                                     : 1)

/* Of recurrent_params.flags. */
#define RECURRENT_IS_MASKED 1  /* there are lengths */
#define RECURRENT_HAS_DOUT  2  /* backward: gradients of the outputs come in */
#define RECURRENT_HAS_CARRY 4  /* backward: carry holds what passes a step without the product */
#define RECURRENT_HAS_CELL  8  /* backward: dcell holds the gradient of the cell's state */
#define RECURRENT_IS_START  16 /* backward: no step; carry gets the initial state's gradient */

/* The parameters of a step, with TYPE the unsigned integer. */
#define RECURRENT_PARAMS(TYPE)                                                                     \
    int t; /* the step */                                                                          \
    TYPE batch, time, hidden;                                                                      \
    TYPE width;        /* gates * hidden */                                                        \
    TYPE column;       /* the first column of the weights that takes part */                       \
    TYPE next;         /* forward: the step that starts from the new state; `time`: none */        \
    TYPE flags;        /* backward */                                                              \
    TYPE a_at, lda, k; /* the product's row of sample b begins at a_at + b * lda, k floats long */ \
    TYPE rows, tiles;  /* _panel: samples and tiles of a work-group */

#endif
