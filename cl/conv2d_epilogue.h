/* Bias and activation at the end of a sum, by the constants HAS_BIAS and ACT; p is the kernel's
 * parameters. */
#ifndef MICA_CONV2D_EPILOGUE_H
#define MICA_CONV2D_EPILOGUE_H

#include "elementwise_apply.h"
#if HAS_BIAS
#define BIAS_AT(load) (load)
#else
#define BIAS_AT(load) 0.0f
#endif
#if ACT >= 0
ELEMENTWISE_FUNCTION(activate, float)
ELEMENTWISE_FUNCTION(activate_vec, floatv)
#define EPILOGUE(v, col)     activate(ACT, (v) + (col), 0.0f, 0.0f, p.act_k)
#define EPILOGUE_VEC(v, col) activate_vec(ACT, (v) + (col), (floatv)(0.0f), (floatv)(0.0f), p.act_k)
#else
#define EPILOGUE(v, col)     ((v) + (col))
#define EPILOGUE_VEC(v, col) ((v) + (col))
#endif

#endif
