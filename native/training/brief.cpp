#include "training/brief.h"

#include <algorithm>
#include <string>

#include "backend/backend.h"
#include "backend/cpu/pool.h"

namespace downhill {

namespace {

constexpr double kFlops = 2e6, kBytes = 2e6;  // of 100 µs, where nothing better is known

/// Of one thread's kernels in 100 µs.
double flops_of_thread() {
  const std::string isa = cpu::isa();
  return isa == "baseline" || isa == "neon" ? kFlops : isa == "avx2" ? 1e7 : 2e7;
}

}  // namespace

bool is_brief(const Work& work, Device& device, bool training) {
  double flops = kFlops;
  if (!device.memory()) flops = flops_of_thread() * (training ? 1 : std::min(cpu::threads(), 4));
  const double more = training ? 4 : 1;
  return work.flops <= more * flops && work.bytes <= more * kBytes;
}

}  // namespace downhill
