#include "graph/plan.h"

#include "base/error.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* A recurrent network has some for each step; each takes some KB of the host's memory. */
enum { LAUNCHES_MOST = 1 << 17 };

const mica_traits *mica_plan_traits(const mica_plan *plan) {
    return mica_device_traits(plan->device);
}

mica_device *mica_plan_device(const mica_plan *plan) {
    return plan->device;
}

bool mica_plan_training(const mica_plan *plan) {
    return plan->training;
}

int mica_plan_scratch(mica_plan *plan, uint64_t count) {
    mica_scratch *scratches =
        mica_grow(plan->scratches, plan->n_scratches, &plan->scratches_capacity, sizeof *scratches);
    if (!scratches) {
        plan->status = MICA_E_MEMORY;
        return -1;
    }
    plan->scratches = scratches;
    scratches[plan->n_scratches] = (mica_scratch){count, plan->position};
    return (int)plan->n_scratches++;
}

mica_status mica_plan_launch(mica_plan *plan, const mica_plan_launch_desc *desc) {
    if (desc->n_slots > MICA_MAX_BINDINGS || desc->params_size > MICA_MAX_PARAMS)
        return mica_fail(MICA_E_UNSUPPORTED,
            "kernel %s: %u buffers and %u bytes of parameters, but at most %d and %d are possible",
            desc->kernel.entry, desc->n_slots, desc->params_size, MICA_MAX_BINDINGS,
            MICA_MAX_PARAMS);
    const uint32_t steps_most = mica_plan_traits(plan)->max_loop_steps;
    if (desc->steps > steps_most)
        return plan->status = mica_fail(MICA_E_UNSUPPORTED,
                   "for this shape a work-item of kernel %s would loop %llu times, but the device "
                   "ends loops behind %u; take a smaller shape or another device",
                   desc->kernel.entry, (unsigned long long)desc->steps, steps_most);
    if (plan->n_launches == LAUNCHES_MOST)
        return plan->status = mica_fail(MICA_E_UNSUPPORTED,
                   "the program needs more than %d launches of kernels", LAUNCHES_MOST);
    mica_planned *launches =
        mica_grow(plan->launches, plan->n_launches, &plan->launches_capacity, sizeof *launches);
    if (!launches)
        return plan->status = MICA_E_MEMORY;
    plan->launches = launches;
    mica_planned *planned = &launches[plan->n_launches++];
    *planned = (mica_planned){.desc = *desc, .position = plan->position};
    planned->desc.kernel.n_bindings = desc->n_slots;
    planned->desc.kernel.params_size = desc->params_size;
    for (int i = 0; i < 3; i++) {
        planned->desc.groups[i] += desc->groups[i] == 0;
        planned->desc.kernel.local[i] += desc->kernel.local[i] == 0;
    }
    if (desc->params_size)
        memcpy(planned->params, desc->params, desc->params_size);
    planned->desc.params = NULL; /* the caller's */
    return MICA_OK;
}

mica_status mica_plan_node(mica_plan *plan, const mica_node *node, size_t position) {
    plan->position = position;
    mica_status status = node->op->plan(node, plan);
    if (status == MICA_OK)
        status = plan->status;
    return status == MICA_OK ? MICA_OK : mica_fail_in(status, "%s", node->label);
}

void mica_plan_clear(mica_plan *plan) {
    free(plan->launches);
    free(plan->scratches);
    *plan = (mica_plan){0};
}
