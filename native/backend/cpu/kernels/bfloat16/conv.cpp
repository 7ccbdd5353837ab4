// Convolutions of operands rounded to bfloat16, and with AMX those of float32, too: each split into three bfloat16.
#include "backend/cpu/kernels/bfloat16/conv_filter.h"
#include "backend/cpu/kernels/bfloat16/conv_windows.h"
#include "backend/cpu/kernels/bfloat16/entries.h"

namespace downhill::cpu::DH_ISA {
namespace {

/// The share of multiplications that count; the others are with the zeros that fill tiles.
double useful(const ConvShape& s, ConvPass pass) {
  const auto share = [](int64_t n, int64_t whole) {
    return static_cast<double>(n) / static_cast<double>(larger(ceil_div(n, whole), 1) * whole);
  };
  switch (pass) {
    case ConvPass::forward:
      return share(s.n, kTile) * share(s.c, kDepth) * share(s.co, kTile);
    case ConvPass::input_gradient:
      return share(s.n, kTile) * share(s.co, kDepth) * share(s.c, kTile);
    default:
      return share(s.n, kDepth) * share(s.c, kTile) * share(s.co, kTile);
  }
}

#if defined(__AMX_BF16__)
template <int Parts>
constexpr double kLeastUseful = Parts == 1 ? 0.2 : 0.6;
#else
template <int Parts>
constexpr double kLeastUseful = 0.6;
#endif

/// The whole, or each part of an input gradient that has taps.
template <typename Fn>
void for_windows(const ConvShape& s, ConvPass pass, const Fn& fn) {
  if (pass == ConvPass::forward) return fn(forward_of(s));
  for_parts_with_taps(s, fn);
}

/// Where it is faster than the chains of float32.
template <int Parts>
bool pays(const ConvShape& s, ConvPass pass) {
  for (const int64_t size : {s.n, s.c, s.co, s.y.in, s.x.in, s.y.out, s.x.out, s.y.kernel, s.x.kernel})
    if (size == 0) return false;
  if (useful(s, pass) < kLeastUseful<Parts>) return false;
  if (pass == ConvPass::filter_gradient) return FilterCut<Parts>(s).pays(s);
  bool all = true;
  for_windows(s, pass, [&](const Direct& d) { all = all && WindowCut<Parts>(d).pays(d); });
  return all;
}

template <typename Operand>
size_t own_scratch(const ConvShape& s, ConvPass pass) {
  constexpr int kParts = Operand::kParts;
  if (pass == ConvPass::filter_gradient) return FilterCut<kParts>(s).bytes(s);
  size_t most = 0;
  for_windows(s, pass, [&](const Direct& d) {
    const size_t bytes = WindowCut<kParts>(d).bytes(d);
    most = bytes > most ? bytes : most;
  });
  return most;
}

/// What falls back needs memory for both.
template <typename Operand>
size_t scratch_bytes(const ConvShape& s, ConvPass pass) {
  const bool own = pays<Operand::kParts>(s, pass);
  const size_t bytes = own ? own_scratch<Operand>(s, pass) : 0;
  if (own && Operand::kParts == 1) return bytes;
  const size_t plain = avx512::conv_kernels.scratch_bytes(s, pass);
  return bytes > plain ? bytes : plain;
}

template <typename Operand>
bool run_pass(const ConvArgs& args, ConvPass pass) {
  if (pass == ConvPass::filter_gradient) return run_filter<Operand>(args);
  if (pass == ConvPass::forward) return run_windows<Operand>(forward_of(args.shape), args, args.x);
  bool right = true;
  for_parts(args, [&](const Direct& part) { right = right && run_windows<Operand>(part, args, args.d_y); });
  return right;
}

template <typename Operand>
void run(const ConvArgs& args, ConvPass pass) {
  if (!pays<Operand::kParts>(args.shape, pass) || !run_pass<Operand>(args, pass)) avx512::conv_kernels.run(args, pass);
}

}  // namespace

#if defined(__AMX_BF16__)
extern const ConvKernels conv_kernels = {scratch_bytes<Split>, run<Split>};
#endif
extern const ConvKernels bfloat16_conv_kernels = {scratch_bytes<Rounded>, run<Rounded>};

}  // namespace downhill::cpu::DH_ISA
