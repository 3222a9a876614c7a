/* Convolution by Winograd's method for CPUs under OpenCL (cl/conv2d_winograd.cl). */
#ifndef MICA_OP_CONV2D_WINOGRAD_H
#define MICA_OP_CONV2D_WINOGRAD_H

#include "op/conv2d.h"

/* Adds the launches of a forward or data pass by Winograd's method if it can serve the node and was
 * measured faster than `direct`, the launch that serves it otherwise; *planned says whether. */
mica_status mica_conv2d_plan_winograd(
    const mica_node *node, const mica_plan_launch_desc *direct, mica_plan *plan, bool *planned);

#endif
