// Convolutions on the float32 units of this instruction set.
#include "backend/cpu/kernels/conv_depthwise.h"
#include "backend/cpu/kernels/conv_direct.h"
#include "backend/cpu/kernels/conv_entry.h"
#include "backend/cpu/kernels/conv_filter.h"

namespace downhill::cpu::DH_ISA {
namespace {

bool is_depthwise(const ConvShape& s) { return s.c == 1 && s.groups > 1; }

int64_t result_size(const ConvShape& s, ConvPass pass) {
  switch (pass) {
    case ConvPass::forward:
      return s.n * s.y.out * s.x.out * s.groups * s.co;
    case ConvPass::input_gradient:
      return s.n * s.y.in * s.x.in * s.groups * s.c;
    default:
      return s.y.kernel * s.x.kernel * s.c * s.groups * s.co;
  }
}

/// Whether every sum is one of no terms.
bool is_empty_sum(const ConvShape& s, ConvPass pass) {
  switch (pass) {
    case ConvPass::forward:
      return s.c == 0 || s.y.in * s.x.in == 0;
    case ConvPass::input_gradient:
      return s.co == 0 || s.y.out * s.x.out == 0;
    default:
      return s.n == 0 || s.y.out * s.x.out == 0;
  }
}

size_t scratch_bytes(const ConvShape& s, ConvPass pass) {
  if (result_size(s, pass) == 0 || is_empty_sum(s, pass)) return 0;
  if (is_depthwise(s)) return pass == ConvPass::filter_gradient ? depthwise_filter_scratch(s) : 0;
  if (pass == ConvPass::filter_gradient) return filter_scratch(s);
  if (pass == ConvPass::forward) return direct_scratch(forward_of(s));
  size_t most = 0;
  for (int64_t i = 0; i < parts_of_gradient(s); ++i) {
    const Direct part = part_of_gradient(s, i);
    if (part.empty()) continue;
    const size_t bytes = direct_scratch(part);
    most = bytes > most ? bytes : most;
  }
  return most;
}

void fill_empty(const ConvArgs& args, int64_t size) {
  const ConvShape& s = args.shape;
  const int64_t channels = s.groups * s.co;
  if (args.bias)
    for (int64_t i = 0; i < size; i += channels) copy_floats(args.bias, args.to + i, channels);
  else
    zero_floats(args.to, size);
  const MatmulArgs epilogue = epilogue_of(args);
  if (epilogue.activate || epilogue.gradient) finish_line(epilogue, 0, size);
}

void run_input(const ConvArgs& args) {
  for_parts(args, [&](const Direct& part) { run_direct(part, args, args.d_y); });
}

void run(const ConvArgs& args, ConvPass pass) {
  const ConvShape& s = args.shape;
  const int64_t size = result_size(s, pass);
  if (size == 0) return;
  if (is_empty_sum(s, pass)) return fill_empty(args, size);
  switch (pass) {
    case ConvPass::forward:
      return is_depthwise(s) ? run_depthwise(args) : run_direct(forward_of(s), args, args.x);
    case ConvPass::input_gradient:
      return is_depthwise(s) ? run_depthwise_input(args) : run_input(args);
    default:
      return is_depthwise(s) ? run_depthwise_filter(args) : run_filter(args);
  }
}

}  // namespace

extern const ConvKernels conv_kernels = {scratch_bytes, run};

}  // namespace downhill::cpu::DH_ISA
