/* Everything of libmica. */
#ifndef MICA_MICA_H
#define MICA_MICA_H

#include <mica/data.h>
#include <mica/device.h>
#include <mica/graph.h>
#include <mica/io.h>
#include <mica/nn.h>
#include <mica/onnx.h>
#include <mica/ops.h>
#include <mica/optim.h>
#include <mica/ratings.h>
#include <mica/recommend.h>
#include <mica/sequence.h>
#include <mica/status.h>
#include <mica/tensor.h>
#include <mica/train.h>

#endif
