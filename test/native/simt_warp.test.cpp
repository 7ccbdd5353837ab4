// Shuffles, votes, atomics, and the reductions and scans of device/warp.cuh and block.cuh.
#include <algorithm>
#include <vector>

#include "backend/cuda/device/block.cuh"
#include "simt_fixture.h"

using namespace downhill::cuda;
using namespace downhill::test;

namespace {

constexpr int kKinds = 8;

/// out[kind][lane], for in[lane] = 100 + lane.
__global__ void shuffle_all_ways(int width, int amount, double* out) {
  const int lane = lane_id();
  const double value = 100.0 + lane;
  const auto small = static_cast<float>(value);
  out[0 * 32 + lane] = __shfl_sync(kFullMask, value, amount, width);
  out[1 * 32 + lane] = __shfl_up_sync(kFullMask, value, static_cast<unsigned>(amount), width);
  out[2 * 32 + lane] = __shfl_down_sync(kFullMask, value, static_cast<unsigned>(amount), width);
  out[3 * 32 + lane] = __shfl_xor_sync(kFullMask, value, amount, width);
  out[4 * 32 + lane] = __shfl_sync(kFullMask, small, lane + amount, width);
  out[5 * 32 + lane] = __shfl_sync(kFullMask, static_cast<int64_t>(value), amount, width) == 100 + amount % width;
  out[6 * 32 + lane] = __ballot_sync(kFullMask, lane % 3 == amount % 3);
  out[7 * 32 + lane] = __any_sync(kFullMask, lane == amount) * 2 + __all_sync(kFullMask, lane < amount);
}

void test_shuffles() {
  for (const int width : {2, 8, 32}) {
    for (const int amount : {0, 1, 3, 7, 20, 31}) {
      std::vector<double> out(kKinds * 32);
      launch(shuffle_all_ways, 1, 32, 0, nullptr, width, amount, out.data());
      unsigned ballot = 0;
      for (int lane = 0; lane < 32; ++lane) ballot |= (lane % 3 == amount % 3 ? 1u : 0u) << lane;
      for (int lane = 0; lane < 32; ++lane) {
        const int first = lane / width * width, last = first + width - 1;
        const int up = lane - amount < first ? lane : lane - amount, down = lane + amount > last ? lane : lane + amount;
        const int across = (lane ^ amount) > last ? lane : lane ^ amount;
        const int expected[kKinds] = {
            100 + first + amount % width,          100 + up,   100 + down, 100 + across,
            100 + first + (lane + amount) % width, first == 0, 0,          2 + (amount == 32)};
        for (int kind = 0; kind < kKinds; ++kind) {
          const double wanted = kind == 6 ? ballot : expected[kind];
          CHECK(out[kind * 32 + lane] == wanted, "kind %d width %d amount %d lane %d: %g, not %g", kind, width, amount,
                lane, out[kind * 32 + lane], wanted);
        }
      }
    }
  }
}

/// Halves of a warp go different ways, with masks of their own.
__global__ void halves(int* out) {
  const int lane = lane_id();
  if (lane < 16) {
    int sum = lane;
    for (int distance = 8; distance > 0; distance /= 2) sum += __shfl_xor_sync(0x0000ffffu, sum, distance);
    out[lane] = sum;
  } else {
    out[lane] = __shfl_sync(0xffff0000u, lane, 17);
    __syncwarp(0xffff0000u);
  }
}

void test_halves() {
  std::vector<int> out(32);
  launch(halves, 1, 32, 0, nullptr, out.data());
  for (int lane = 0; lane < 32; ++lane) CHECK(out[lane] == (lane < 16 ? 120 : 17), "lane %d: %d", lane, out[lane]);
}

// -- atomics -------------------------------------------------------------------------------------------------------

struct Counters {
  int sum, least, most, exchanged, bits;
  unsigned wrapped;
  unsigned long long wide;
  uint64_t wide64;
  float number;
  double precise;
};

__global__ void count(Counters* to, int* order) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  order[atomicAdd(&to->sum, 1)] = i;
  atomicMin(&to->least, -i);
  atomicMax(&to->most, i);
  atomicOr(&to->bits, 1 << i % 16);
  atomicSub(&to->wrapped, 1u);
  atomicAdd(&to->wide, 1ull << 32);
  atomicMax(&to->wide64, static_cast<uint64_t>(i) << 40);
  atomicAdd(&to->number, 0.5f);
  atomicAdd(&to->precise, 0.25);
  __threadfence();
  if (i == 5) {
    if (atomicCAS(&to->exchanged, 1, 2) == 1) atomicExch(&to->exchanged, atomicCAS(&to->exchanged, 7, 9) + 40);
  }
}

void test_atomics() {
  Counters to{};
  to.exchanged = 1;
  std::vector<int> order(256);
  launch(count, 4, 64, 0, nullptr, &to, order.data());
  CHECK(to.sum == 256 && to.least == -255 && to.most == 255 && to.bits == 0xffff && to.wrapped == -256u);
  CHECK(to.wide == 256ull << 32 && to.wide64 == uint64_t{255} << 40 && to.number == 128 && to.precise == 64);
  CHECK(to.exchanged == 42, "%d", to.exchanged);
  std::sort(order.begin(), order.end());
  for (int i = 0; i < 256; ++i) CHECK(order[i] == i);
}

// -- reductions and scans ------------------------------------------------------------------------------------------

struct Sum {
  template <class T>
  DH_HOST_DEVICE T operator()(T a, T b) const {
    return a + b;
  }
};
struct Best {
  float value = -1;
  int at = -1;
  int64_t wide = 0;
};
struct Better {
  DH_HOST_DEVICE Best operator()(const Best& a, const Best& b) const {
    return a.value > b.value || (a.value == b.value && a.at < b.at) ? a : b;
  }
};

struct Results {
  float sum, warp_sum, quad_sum, inclusive, exclusive, total, block_exclusive;
  Best best;
};

__global__ void reduce_all_ways(const float* in, Results* out) {
  const int i = static_cast<int>(threadIdx.x + blockDim.x * threadIdx.y);
  Results mine;
  mine.sum = block_reduce(in[i], Sum{}, 0.0f);
  mine.warp_sum = warp_reduce(in[i], Sum{});
  mine.quad_sum = warp_reduce<4>(in[i], Sum{});
  mine.inclusive = warp_inclusive_scan(in[i], Sum{});
  mine.exclusive = warp_exclusive_scan(in[i], Sum{}, 0.0f);
  mine.block_exclusive = block_exclusive_scan(in[i], Sum{}, 0.0f, mine.total);
  mine.best = block_reduce(Best{in[i], i, int64_t{i} << 33}, Better{}, Best{});
  out[i] = mine;
}

void test_reductions() {
  for (const dim3 threads : {dim3(32), dim3(96), dim3(1024), dim3(16, 8)}) {
    const int n = static_cast<int>(threads.x * threads.y);
    std::vector<float> in(n);
    for (int i = 0; i < n; ++i) in[i] = static_cast<float>((i * 37 + 11) % 101);  // sums are exact
    std::vector<Results> out(n);
    launch(reduce_all_ways, 1, threads, 0, nullptr, in.data(), out.data());
    float total = 0;
    Best best;
    for (int i = 0; i < n; ++i) {
      best = Better{}(best, Best{in[i], i, int64_t{i} << 33});
      total += in[i];
    }
    float before = 0, in_warp = 0;
    for (int i = 0; i < n; ++i) {
      if (i % 32 == 0) in_warp = 0;
      float warp = 0, quad = 0;
      for (int j = 0; j < 32; ++j) warp += in[i / 32 * 32 + j];
      for (int j = 0; j < 4; ++j) quad += in[i / 4 * 4 + j];
      const Results& r = out[i];
      CHECK(r.sum == total && r.total == total && r.warp_sum == warp && r.quad_sum == quad, "at %d of %d", i, n);
      CHECK(r.exclusive == in_warp && r.inclusive == in_warp + in[i], "at %d of %d", i, n);
      CHECK(r.block_exclusive == before, "at %d of %d: %g, not %g", i, n, r.block_exclusive, before);
      CHECK(r.best.at == best.at && r.best.value == best.value && r.best.wide == best.wide, "at %d of %d", i, n);
      before += in[i];
      in_warp += in[i];
    }
  }
}

}  // namespace

int main() {
  test_shuffles();
  test_halves();
  test_atomics();
  test_reductions();
  return report("simt_warp");
}
