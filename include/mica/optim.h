/* Optimizers and learning-rate schedules. */
#ifndef MICA_OPTIM_H
#define MICA_OPTIM_H

#include <mica/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mica_optimizer_kind { MICA_SGD, MICA_ADAM, MICA_ADAMW } mica_optimizer_kind;
typedef enum mica_schedule_kind {
    MICA_SCHEDULE_CONSTANT,
    MICA_SCHEDULE_STEP,  /* learning_rate * gamma^floor(t / every) */
    MICA_SCHEDULE_COSINE /* from learning_rate to `final` over `total` steps: Loshchilov and
                            Hutter, "SGDR", 2017, without restarts */
} mica_schedule_kind;

/* All counts are in steps (updates). */
typedef struct mica_schedule {
    mica_schedule_kind kind;
    uint64_t warmup; /* linear from learning_rate / warmup to learning_rate; t counts after it */
    uint64_t every;  /* STEP */
    float gamma;     /* STEP; 0 means 0.1 */
    uint64_t total;  /* COSINE, warm-up included */
    float final;     /* COSINE: the last learning rate */
} mica_schedule;

/* SGD:   v = momentum * v + g;  w -= lr * v  (nesterov: w -= lr * (g + momentum * v)).
 *        Sutskever et al., "On the importance of initialization and momentum", 2013, in PyTorch's
 *        form. weight_decay adds weight_decay * w to g.
 * ADAM:  Kingma and Ba, 2015, with bias correction; weight_decay adds to g.
 * ADAMW: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019: w -= lr *
 *        weight_decay * w apart from the gradient.
 * Weight decay applies to parameters of rank 2 and more, not to biases. In a sparse table
 * (mica_parameter_sparse) all of this applies to the rows that a step looks up, and the others keep
 * their numbers, v and both moments of Adam as they are; t counts all steps. */
typedef struct mica_optimizer {
    mica_optimizer_kind kind;
    float learning_rate; /* > 0 */
    float momentum;      /* SGD: 0 .. <1 */
    bool nesterov;
    float beta1, beta2, epsilon; /* ADAM: 0 means 0.9, 0.999, 1e-8 */
    float weight_decay;
    float clip_norm; /* > 0: gradients are scaled so that their global norm is at most this */
    mica_schedule schedule;
} mica_optimizer;

/* The learning rate that update number `step` (from 0) uses. */
MICA_API float mica_learning_rate(const mica_optimizer *optimizer, uint64_t step);

/* MICA_E_INVALID with the field, its range and what came, if an option cannot be. */
MICA_API mica_status mica_optimizer_check(const mica_optimizer *optimizer);

#ifdef __cplusplus
}
#endif
#endif
