// The emulator's rules: every mistake that it knows is an error that says where, and the next launch works.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "backend/cuda/device/copy_async.cuh"
#include "backend/cuda/simt/memory.h"
#include "simt_fixture.h"

using namespace downhill::cuda;
using namespace downhill::test;

namespace {

// -- kernels without mistakes --------------------------------------------------------------------------------------

__global__ void number_threads(int* out) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned at = block * blockDim.x * blockDim.y * blockDim.z + thread;
  out[at] += static_cast<int>(at) + 1;
}

/// out = in, reversed twice within each block: through static and through dynamic shared memory.
template <class T>
__global__ void reverse_blocks(const T* in, T* out) {
  __shared__ T tile[256];
  DH_DYNAMIC_SHARED(T, other);
  const int i = static_cast<int>(threadIdx.x), size = static_cast<int>(blockDim.x);
  const int at = static_cast<int>(blockIdx.x) * size;
  tile[i] = in[at + i];
  __syncthreads();
  other[i] = tile[size - 1 - i];
  __syncthreads();
  out[at + i] = other[size - 1 - i];
}

__global__ void count_steps(int* out, int steps) {
  __shared__ int sum;
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  for (int i = 0; i < steps; ++i) {
    if (static_cast<int>(threadIdx.x) == i) sum += i;
    __syncthreads();
  }
  if (threadIdx.x == 0) *out = sum;
}

__global__ void early_exit(int* out) {
  if (threadIdx.x >= 40) return;
  __shared__ int values[64];
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncthreads();
  out[threadIdx.x] = values[39 - threadIdx.x];
}

__global__ void exit_while_others_wait(int* out) {
  if (threadIdx.x < 63) {
    __syncthreads();
    out[threadIdx.x] = 1;
  }
}

__global__ void vote_at_barriers(int* out) {
  const int i = static_cast<int>(threadIdx.x);
  const int count = __syncthreads_count(i % 3 == 0);
  const int any = __syncthreads_or(i == 70), none = __syncthreads_or(0);
  const int all = __syncthreads_and(1), most = __syncthreads_and(i != 5);
  out[i] = count * 10000 + any * 1000 + none * 100 + all * 10 + most;
}

void test_positions() {
  std::vector<int> out(3 * 2 * 4 * 5 * 3 * 2, 0);
  launch(number_threads, dim3(3, 2, 4), dim3(5, 3, 2), 0, nullptr, out.data());
  for (size_t i = 0; i < out.size(); ++i) CHECK(out[i] == static_cast<int>(i) + 1, "at %zu: %d", i, out[i]);
}

void test_barriers() {
  std::vector<float> in(4 * 256), out(in.size());
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i);
  for (const char* order : {"forward", "reverse", "shuffle"}) {
    setenv("DOWNHILL_SIMT_ORDER", order, 1);
    out.assign(out.size(), 0);
    launch(reverse_blocks<float>, 4, 256, 256 * sizeof(float), nullptr, in.data(), out.data());
    bool right = true;
    for (int i = 0; i < 1024; ++i) right = right && out[i] == in[i];
    CHECK(right, "%s", order);
    int sum = 0;
    launch(count_steps, 1, 100, 0, nullptr, &sum, 100);
    CHECK(sum == 4950, "%s: %d", order, sum);
  }
  setenv("DOWNHILL_SIMT_ORDER", "sideways", 1);
  CHECK_ERROR(launch(count_steps, 1, 1, 0, nullptr, nullptr, 0), "must be forward, reverse or shuffle");
  unsetenv("DOWNHILL_SIMT_ORDER");

  std::vector<int> some(64, -1);
  launch(early_exit, 1, 64, 0, nullptr, some.data());
  for (int i = 0; i < 64; ++i) CHECK(some[i] == (i < 40 ? 39 - i : -1), "at %d: %d", i, some[i]);
  launch(exit_while_others_wait, 1, 64, 0, nullptr, some.data());
  CHECK(some[0] == 1 && some[62] == 1 && some[63] == -1);

  std::vector<int> votes(96);
  launch(vote_at_barriers, 1, 96, 0, nullptr, votes.data());
  for (int i = 0; i < 96; ++i) CHECK(votes[i] == 321010, "at %d: %d", i, votes[i]);
}

// -- mistakes ------------------------------------------------------------------------------------------------------

__global__ void two_barriers(int which) {
  if (static_cast<int>(threadIdx.x) < which) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

__global__ void barrier_and_collective(int* out) {
  if (threadIdx.x < 40) {
    __syncthreads();
  } else {
    out[threadIdx.x] = __shfl_sync(kFullMask, 1, 0);
  }
}

__global__ void wait_for_oneself(int* out) {
  if (threadIdx.x % 2) out[threadIdx.x] = __shfl_sync(kFullMask, 1, 1);
  __syncthreads();
}

__global__ void not_in_mask(int* out) { out[threadIdx.x] = __shfl_sync(0x0000ffffu, 1, 0); }
__global__ void from_outside_the_mask(int* out) {
  if (threadIdx.x < 16) out[threadIdx.x] = __shfl_sync(0x0000ffffu, 1, 20);
}
__global__ void from_an_ended_lane(int* out) {
  if (threadIdx.x == 3) return;
  out[threadIdx.x] = __shfl_xor_sync(kFullMask, 1, 1);
}
__global__ void different_masks(int* out) {
  if (threadIdx.x < 8) {
    out[threadIdx.x] = __any_sync(0x0000ffffu, 1);
  } else if (threadIdx.x < 16) {
    out[threadIdx.x] = __any_sync(0x0000ff00u, 1);
  }
  __syncthreads();
}
__global__ void different_collectives(int* out) {
  if (threadIdx.x < 16) {
    out[threadIdx.x] = __any_sync(kFullMask, 1);
  } else {
    out[threadIdx.x] = __shfl_sync(kFullMask, 1, 0);
  }
}
__global__ void odd_width(int* out) { out[threadIdx.x] = __shfl_sync(kFullMask, 1, 0, 12); }

template <class T>
__global__ void past_dynamic_shared(int at) {
  DH_DYNAMIC_SHARED(T, values);
  values[at] = 1;
}
__global__ void past_allocation(float* values, int at) { values[at] = 1; }
__global__ void throws() { throw LaunchError("from within"); }
__global__ void nothing() {}
__global__ void launches() { launch(nothing, 1, 1, 0, nullptr); }

__global__ void without_barrier(const int* in, int* out) {
  __shared__ int tile[64];
  tile[threadIdx.x] = in[threadIdx.x];
  out[threadIdx.x] = tile[63 - threadIdx.x];
}
__global__ void without_warp_barrier(const int* in, int* out) {
  __shared__ int tile[32];
  tile[threadIdx.x] = in[threadIdx.x];
  out[threadIdx.x] = tile[31 - threadIdx.x];
}
__global__ void without_second_barrier(const int* in, int* out) {
  __shared__ int tile[64];
  for (int round = 0; round < 2; ++round) {
    tile[threadIdx.x] = in[threadIdx.x] + round;
    __syncthreads();
    out[round * 64 + threadIdx.x] = tile[63 - threadIdx.x];
  }
}
__global__ void uninitialised(unsigned* out) {
  __shared__ unsigned value[4];
  DH_DYNAMIC_SHARED(unsigned, other);
  out[blockIdx.x * 2] = value[3];
  out[blockIdx.x * 2 + 1] = other[3];
  value[3] = other[3] = 7;
}

void test_divergence() {
  std::vector<int> out(64);
  CHECK_ERROR(launch(two_barriers, 1, 64, 0, nullptr, 33), "threads of a block are at different barriers");
  const std::string text = error_of([] { launch(two_barriers, dim3(1, 2), 64, 0, nullptr, 33); });
  for (const char* part :
       {"two_barriers", "block (0, 0, 0)", "thread (33, 0, 0)", "at simt.test.cpp:", "launched by "}) {
    CHECK(has(text, part), "%s in: %s", part, text.c_str());
  }
  CHECK_ERROR(launch(barrier_and_collective, 1, 64, 0, nullptr, out.data()), "40 in __syncthreads at simt.test.cpp");
  CHECK_ERROR(launch(barrier_and_collective, 1, 64, 0, nullptr, out.data()),
              "24 in __shfl_sync with mask 0xffffffff at simt.test.cpp");
  CHECK_ERROR(launch(wait_for_oneself, 1, 32, 0, nullptr, out.data()), "threads wait for others that never come");
}

void test_collectives() {
  std::vector<int> out(64);
  CHECK_ERROR(launch(not_in_mask, 1, 32, 0, nullptr, out.data()), "lane 16 is not in its own mask 0x0000ffff");
  CHECK_ERROR(launch(from_outside_the_mask, 1, 32, 0, nullptr, out.data()), "lane 0 reads from lane 20");
  CHECK_ERROR(launch(from_an_ended_lane, 1, 32, 0, nullptr, out.data()), "lane 2 reads from lane 3");
  CHECK_ERROR(launch(different_masks, 1, 32, 0, nullptr, out.data()), "8 in __any_sync with mask 0x0000ffff");
  CHECK_ERROR(launch(different_collectives, 1, 32, 0, nullptr, out.data()),
              "lanes of a warp are in different collectives: lane 16 in __shfl_sync, others in __any_sync");
  CHECK_ERROR(launch(odd_width, 1, 32, 0, nullptr, out.data()), "power of two up to 32, received 12");
}

void test_memory() {
  if (!kAsan) {  // it has its own way to tell
    CHECK_ERROR(launch(past_dynamic_shared<float>, 1, 1, 40, nullptr, 10), "behind its 40 bytes of dynamic shared");
    CHECK_ERROR(launch(past_dynamic_shared<char>, 1, 1, 41, nullptr, -1), "past_dynamic_shared<char>");
    CHECK_ERROR(launch(past_dynamic_shared<float>, 1, 1, 0, nullptr, 0), "behind its 0 bytes");
  }
  CHECK(error_of([] { launch(past_dynamic_shared<char>, 1, 1, 41, nullptr, 40); }).empty());

  auto* values = static_cast<float*>(simt::allocate(100));
  auto* other = static_cast<float*>(simt::allocate(0));
  CHECK(reinterpret_cast<uintptr_t>(values) % 256 == 0 && values != other);
  CHECK(error_of([&] { launch(past_allocation, 1, 1, 0, nullptr, values, 24); }).empty());
  if (!kAsan) {
    CHECK_ERROR(launch(past_allocation, 1, 1, 0, nullptr, values, 25),
                "past_allocation: bytes behind an allocation of 100 bytes were written; launched by ");
    CHECK_ERROR(launch(past_allocation, 1, 1, 0, nullptr, values, -1), "bytes before an allocation");
    CHECK_ERROR(launch(past_allocation, 1, 1, 0, nullptr, other, 0), "bytes behind an allocation of 0 bytes");
  }
  CHECK(error_of([&] { launch(past_allocation, 1, 1, 0, nullptr, values, 0); }).empty(), "told once");
  simt::release(values);
  simt::release(other);
  simt::release(nullptr);

  std::vector<unsigned> out(6);
  launch(uninitialised, 3, 1, 16, nullptr, out.data());
  for (unsigned value : out) CHECK(value == 0xffffffffu, "%08x", value);
}

void test_limits() {
  CHECK_ERROR(launch(nothing, 0, 32, 0, nullptr), "a grid must have");
  CHECK_ERROR(launch(nothing, dim3(1, 65536), 32, 0, nullptr), "received (1, 65536, 1)");
  CHECK_ERROR(launch(nothing, 0x80000000u, 32, 0, nullptr), "a grid must have");
  CHECK_ERROR(launch(nothing, 1, 0, 0, nullptr), "a block must have");
  CHECK_ERROR(launch(nothing, 1, 1025, 0, nullptr), "received (1025, 1, 1)");
  CHECK_ERROR(launch(nothing, 1, dim3(32, 33), 0, nullptr), "1 to 1024 threads");
  CHECK_ERROR(launch(nothing, 1, dim3(1, 1, 65), 0, nullptr), "1 to 1024 threads");
  CHECK_ERROR(launch(nothing, 1, 1, 227 * 1024 + 1, nullptr), "232448 bytes of shared memory, received 232449");
  CHECK(error_of([] { launch(nothing, 2, dim3(16, 16, 4), 227 * 1024, nullptr); }).empty());
  CHECK_ERROR(launch(throws, 1, 2, 0, nullptr), "the kernel threw: from within");
  CHECK_ERROR(launch(launches, 1, 1, 0, nullptr), "a kernel cannot launch kernels");
}

/// A barrier left out gives wrong results instead of passing by luck; ThreadSanitizer ends the program, which
/// scripts/simt-race.mjs asks for to see that it does.
void test_races() {
  if (kTsan && !std::getenv("DOWNHILL_TEST_RACE")) return;
  std::vector<int> in(64), out(128);
  for (int i = 0; i < 64; ++i) in[i] = i;
  launch(without_barrier, 1, 64, 0, nullptr, in.data(), out.data());
  CHECK(out[0] != 63);
  launch(without_warp_barrier, 1, 32, 0, nullptr, in.data(), out.data());
  CHECK(out[0] != 31);
  launch(without_second_barrier, 1, 64, 0, nullptr, in.data(), out.data());
  CHECK(out[0] != 63);
}

// -- many launches -------------------------------------------------------------------------------------------------

size_t resident_bytes() {
  long pages = 0, resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  const int read = file ? std::fscanf(file, "%ld %ld", &pages, &resident) : 0;
  if (file) std::fclose(file);
  return read == 2 ? static_cast<size_t>(resident) * static_cast<size_t>(sysconf(_SC_PAGESIZE)) : 0;
}

void test_growth() {
  std::vector<float> in(256, 1), out(256);
  std::vector<int> words(64);
  const int launches = kTsan ? 200 : 10000, failures = kTsan ? 5 : 1000;
  size_t before = 0;
  for (int i = 0; i < launches; ++i) {
    if (i == launches / 2) before = resident_bytes();
    launch(reverse_blocks<float>, 1, kTsan ? 256 : 64, 256 * sizeof(float), nullptr, in.data(), out.data());
  }
  for (int i = 0; i < failures; ++i) {
    CHECK_ERROR(launch(barrier_and_collective, 1, 64, 0, nullptr, words.data()), "never come");
    CHECK_ERROR(launch(from_an_ended_lane, 1, 32, 0, nullptr, words.data()), "reads from lane 3");
  }
  const size_t after = resident_bytes();
  // Sanitizers keep freed memory back.
  if (!kAsan && !kTsan) CHECK(after < before + (1u << 20), "%zu -> %zu", before, after);
}

void test_host_threads() {
  std::vector<std::thread> hosts;
  std::vector<int> wrong(3, 0);
  for (int h = 0; h < 3; ++h) {
    hosts.emplace_back([h, &wrong] {
      std::vector<float> in(512), out(512);
      for (int round = 0; round < (kTsan ? 5 : 50); ++round) {
        for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i + 1000 * static_cast<size_t>(h + round));
        launch(reverse_blocks<float>, 2, 256, 256 * sizeof(float), nullptr, in.data(), out.data());
        wrong[static_cast<size_t>(h)] += in != out;
        wrong[static_cast<size_t>(h)] += error_of([] { launch(two_barriers, 1, 64, 0, nullptr, 33); }).empty();
      }
    });
  }
  for (auto& host : hosts) host.join();
  CHECK(wrong == std::vector<int>(3, 0));
}

}  // namespace

int main() {
  if (kTsan) test_races();
  test_positions();
  test_barriers();
  test_divergence();
  test_collectives();
  test_memory();
  test_limits();
  test_races();
  test_growth();
  test_host_threads();
  return report("simt");
}
