// TensorFlow Lite's reference kernels for int8 as functions of a few integers, so that benchmarks/small_cores.py can call
// them on an emulated core without an interpreter around them.
#include "tensorflow/lite/kernels/internal/reference/integer_ops/conv.h"
#include "tensorflow/lite/kernels/internal/reference/integer_ops/depthwise_conv.h"
#include "tensorflow/lite/kernels/internal/reference/integer_ops/fully_connected.h"

struct Layer {
  int32_t input[4], filter[4], output[4];
  int32_t stride_y, stride_x, dilation_y, dilation_x, pad_y, pad_x;
  int32_t input_offset, output_offset, low, high, multiplier;
  const int32_t *multipliers, *shifts;
  const int8_t *data, *weights;
  const int32_t *bias;
  int8_t *result;
};

template <typename Params>
static Params Common(const Layer *l) {
  Params p{};
  p.padding_values.height = static_cast<int16_t>(l->pad_y);
  p.padding_values.width = static_cast<int16_t>(l->pad_x);
  p.stride_height = static_cast<int16_t>(l->stride_y);
  p.stride_width = static_cast<int16_t>(l->stride_x);
  p.dilation_height_factor = static_cast<int16_t>(l->dilation_y);
  p.dilation_width_factor = static_cast<int16_t>(l->dilation_x);
  p.input_offset = l->input_offset;
  p.output_offset = l->output_offset;
  p.quantized_activation_min = l->low;
  p.quantized_activation_max = l->high;
  return p;
}

extern "C" __attribute__((used)) int conv(const Layer *l) {
  const tflite::RuntimeShape in(4, l->input), filter(4, l->filter), out(4, l->output), bias(1, l->output + 3);
  tflite::reference_integer_ops::ConvPerChannel(Common<tflite::ConvParams>(l), l->multipliers, l->shifts, in, l->data,
                                                filter, l->weights, bias, l->bias, out, l->result);
  return 0;
}

extern "C" __attribute__((used)) int depthwise(const Layer *l) {
  const tflite::RuntimeShape in(4, l->input), filter(4, l->filter), out(4, l->output), bias(1, l->output + 3);
  tflite::DepthwiseParams p = Common<tflite::DepthwiseParams>(l);
  p.depth_multiplier = static_cast<int16_t>(l->multiplier);
  tflite::reference_integer_ops::DepthwiseConvPerChannel(p, l->multipliers, l->shifts, in, l->data, filter, l->weights,
                                                         bias, l->bias, out, l->result);
  return 0;
}

extern "C" __attribute__((used)) int dense(const Layer *l) {
  const tflite::RuntimeShape in(2, l->input + 2), filter(2, l->filter + 2), out(2, l->output + 2), bias(1, l->output + 3);
  tflite::FullyConnectedParams p{};
  p.input_offset = l->input_offset;
  p.output_offset = l->output_offset;
  p.output_multiplier = l->multipliers[0];
  p.output_shift = l->shifts[0];
  p.quantized_activation_min = l->low;
  p.quantized_activation_max = l->high;
  tflite::reference_integer_ops::FullyConnected(p, in, l->data, filter, l->weights, bias, l->bias, out, l->result);
  return 0;
}

extern "C" void abort() {
  for (;;) {
  }
}
