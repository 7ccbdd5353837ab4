// Tensor cores, ldmatrix and asynchronous copies of the emulator, against plain loops and the PTX ISA's tables.
#include <chrono>
#include <cmath>
#include <random>
#include <vector>

#include "backend/cuda/device/mma.cuh"
#include "simt_fixture.h"

using namespace downhill::cuda;
using namespace downhill::test;

namespace {

// -- fragments: which element of the matrices lies in which register of which lane ----------------------------------

struct Fragments {
  uint32_t a[32][4], b[32][2];
  float d[32][4];
};

enum class Kind { tf32, bf16 };

__global__ void multiply(Kind kind, Fragments* fragments) {
  const int lane = lane_id();
  uint32_t (&a)[4] = fragments->a[lane];
  uint32_t (&b)[2] = fragments->b[lane];
  float (&d)[4] = fragments->d[lane];
  if (kind == Kind::tf32) {
    mma_m16n8k8_tf32(d, a, b);
  } else {
    mma_m16n8k16_bf16(d, a, b);
  }
}

/// The product of two matrices with a single 1 each: what register of D it lands in tells the layouts of A and B.
/// Returns lane * 4 + register, -1 when D is all zeros.
int lands_in(Kind kind, int a_lane, int a_register, int a_half, int b_lane, int b_register, int b_half) {
  Fragments f{};
  const uint32_t one = 0x3f800000u;  // its upper half is bfloat16's 1
  f.a[a_lane][a_register] = kind == Kind::tf32 || a_half ? one : one >> 16;
  f.b[b_lane][b_register] = kind == Kind::tf32 || b_half ? one : one >> 16;
  launch(multiply, 1, 32, 0, nullptr, kind, &f);
  int found = -1;
  for (int i = 0; i < 128; ++i) {
    const float value = f.d[i / 4][i % 4];
    CHECK(value == 0 || (value == 1 && found < 0), "%g", value);
    if (value == 1) found = i;
  }
  return found;
}

struct Element {
  int row, column;
};
// PTX ISA, "Matrix Fragments for mma.m16n8k8" (.tf32) and "… mma.m16n8k16 with floating point type": their formulas,
// one by one. i counts elements: two per register for .bf16.
Element tf32_a(int lane, int i) {
  return {i == 0 || i == 2 ? lane >> 2 : (lane >> 2) + 8, i < 2 ? lane % 4 : lane % 4 + 4};
}
Element tf32_b(int lane, int i) { return {i == 0 ? lane % 4 : lane % 4 + 4, lane >> 2}; }
Element bf16_a(int lane, int i) {
  return {(i >= 0 && i < 2) || (i >= 4 && i < 6) ? lane >> 2 : (lane >> 2) + 8,
          i < 4 ? lane % 4 * 2 + (i & 1) : lane % 4 * 2 + (i & 1) + 8};
}
Element bf16_b(int lane, int i) { return {i < 2 ? lane % 4 * 2 + (i & 1) : lane % 4 * 2 + (i & 1) + 8, lane >> 2}; }
Element accumulator(int lane, int i) { return {i < 2 ? lane >> 2 : (lane >> 2) + 8, lane % 4 * 2 + (i & 1)}; }

void test_layouts() {
  for (const Kind kind : {Kind::tf32, Kind::bf16}) {
    const int per_register = kind == Kind::tf32 ? 1 : 2;
    for (int a = 0; a < 32 * 4 * per_register; a += kTsan ? 17 : 3) {
      for (int b = 0; b < 32 * 2 * per_register; b += kTsan ? 19 : 5) {
        const int a_lane = a / (4 * per_register), ai = a % (4 * per_register);
        const int b_lane = b / (2 * per_register), bi = b % (2 * per_register);
        const Element from_a = kind == Kind::tf32 ? tf32_a(a_lane, ai) : bf16_a(a_lane, ai);
        const Element from_b = kind == Kind::tf32 ? tf32_b(b_lane, bi) : bf16_b(b_lane, bi);
        const int at =
            lands_in(kind, a_lane, ai / per_register, ai % per_register, b_lane, bi / per_register, bi % per_register);
        const Element d = at < 0 ? Element{-1, -1} : accumulator(at / 4, at % 4);
        const Element wanted = from_a.column == from_b.row ? Element{from_a.row, from_b.column} : Element{-1, -1};
        CHECK(d.row == wanted.row && d.column == wanted.column, "a %d.%d, b %d.%d: (%d, %d), not (%d, %d)", a_lane, ai,
              b_lane, bi, d.row, d.column, wanted.row, wanted.column);
      }
    }
  }
}

void test_values() {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(-2, 2);
  for (const Kind kind : {Kind::tf32, Kind::bf16}) {
    const int k_size = kind == Kind::tf32 ? 8 : 16;
    float a[16][16], b[16][8], d[16][8];
    Fragments f{};
    for (auto& row : a) {
      for (float& x : row) x = uniform(random);
    }
    for (auto& row : b) {
      for (float& x : row) x = uniform(random);
    }
    for (auto& row : d) {
      for (float& x : row) x = uniform(random);
    }
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < 4; ++i) {
        f.d[lane][i] = d[accumulator(lane, i).row][accumulator(lane, i).column];
        const auto at = [&](int j) { return a[bf16_a(lane, j).row][bf16_a(lane, j).column]; };
        // Bits that the hardware does not look at are set.
        f.a[lane][i] = kind == Kind::tf32 ? (to_tf32(a[tf32_a(lane, i).row][tf32_a(lane, i).column]) | 0x1fffu)
                                          : pack_bf16(at(2 * i), at(2 * i + 1));
      }
      for (int i = 0; i < 2; ++i) {
        const auto at = [&](int j) { return b[bf16_b(lane, j).row][bf16_b(lane, j).column]; };
        f.b[lane][i] = kind == Kind::tf32 ? (to_tf32(b[tf32_b(lane, i).row][tf32_b(lane, i).column]) | 0x1fffu)
                                          : pack_bf16(at(2 * i), at(2 * i + 1));
      }
    }
    launch(multiply, 1, 32, 0, nullptr, kind, &f);
    const auto rounded = [&](float x) {
      return kind == Kind::tf32 ? __uint_as_float(to_tf32(x)) : bf16_low(pack_bf16(x, 0));
    };
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < 4; ++i) {
        const auto [row, column] = accumulator(lane, i);
        double expected = d[row][column];
        for (int k = 0; k < k_size; ++k) expected += double{rounded(a[row][k])} * rounded(b[k][column]);
        CHECK(std::abs(f.d[lane][i] - expected) < 1e-5, "(%d, %d): %g, not %g", row, column, f.d[lane][i], expected);
      }
    }
  }
}

void test_rounding() {
  const auto tf32 = [](uint32_t bits) { return to_tf32(__uint_as_float(bits)); };
  CHECK(tf32(0x3f800fffu) == 0x3f800000u && tf32(0x3f801000u) == 0x3f802000u);  // the tie goes away from zero
  CHECK(tf32(0xbf803000u) == 0xbf804000u && tf32(0xbf802fffu) == 0xbf802000u);
  CHECK(tf32(0x7f800000u) == 0x7f800000u && tf32(0xff800000u) == 0xff800000u && tf32(0x7f800001u) == 0x7fffffffu);
  CHECK(tf32(0x7f7fffffu) == 0x7f800000u && tf32(0x80000000u) == 0x80000000u && tf32(0x00001000u) == 0x00002000u);
  const auto bf16 = [](uint32_t low, uint32_t high) { return pack_bf16(__uint_as_float(low), __uint_as_float(high)); };
  CHECK(bf16(0x3f808000u, 0x3f818000u) == 0x3f823f80u);  // ties to even
  CHECK(bf16(0x3f808001u, 0xbf817fffu) == 0xbf813f81u);
  CHECK(bf16(0x7f800000u, 0xff800001u) == 0x7fff7f80u && bf16(0x7f7fffffu, 0x80000000u) == 0x80007f80u);
  CHECK(bf16_low(0x3f82c000u) == -2.0f && bf16_high(0xc0003f80u) == -2.0f);
}

// -- ldmatrix ------------------------------------------------------------------------------------------------------

/// Four 8x8 matrices of 16-bit elements with rows of `stride` elements: element (m, r, c) is m * 64 + r * 8 + c.
__global__ void load_matrices(int count, bool transposed, int stride, int offset, uint32_t* out) {
  DH_DYNAMIC_SHARED(uint16_t, tile);
  const int lane = lane_id();
  for (int c = 0; c < 8; ++c) tile[lane * stride + c] = static_cast<uint16_t>(lane * 8 + c);
  __syncwarp();
  uint32_t four[4] = {}, two[2] = {};
  const uint16_t* row = tile + lane * stride + offset;
  if (count == 4 && !transposed) ldmatrix_x4(four, row);
  if (count == 4 && transposed) ldmatrix_x4_trans(four, row);
  if (count == 2 && !transposed) ldmatrix_x2(two, row);
  if (count == 2 && transposed) ldmatrix_x2_trans(two, row);
  for (int i = 0; i < count; ++i) out[lane * 4 + i] = count == 4 ? four[i] : two[i];
}
__global__ void load_from(const void* row) {
  uint32_t registers[4];
  ldmatrix_x4(registers, row);
}
__global__ void load_from_static(uint32_t* out) {
  alignas(16) __shared__ uint32_t tile[32][4];
  const int lane = lane_id();
  for (int i = 0; i < 4; ++i) tile[lane][i] = static_cast<uint32_t>(lane * 4 + i);
  __syncwarp();
  uint32_t registers[4];
  ldmatrix_x4(registers, tile[lane]);
  for (int i = 0; i < 4; ++i) out[lane * 4 + i] = registers[i];
}

void test_ldmatrix() {
  for (const int count : {2, 4}) {
    for (const bool transposed : {false, true}) {
      std::vector<uint32_t> out(128);
      launch(load_matrices, 1, 32, 32 * 24 * 2, nullptr, count, transposed, 24, 0, out.data());
      for (int lane = 0; lane < 32; ++lane) {
        for (int m = 0; m < count; ++m) {
          // PTX ISA: lane 0 gets the first two elements of row 0, lane 1 the next two, lane 4 the first two of row 1.
          const int row = lane / 4, column = lane % 4 * 2;
          const uint32_t low = transposed ? column * 8 + row : row * 8 + column;
          const uint32_t high = transposed ? (column + 1) * 8 + row : row * 8 + column + 1;
          const uint32_t expected = (m * 64 + low) | (m * 64 + high) << 16;
          CHECK(out[lane * 4 + m] == expected, "x%d lane %d: %08x, not %08x", count, lane, out[lane * 4 + m], expected);
        }
      }
    }
  }
  std::vector<uint32_t> out(128);
  launch(load_from_static, 1, 32, 0, nullptr, out.data());
  for (uint32_t i = 0; i < 128; ++i) CHECK(out[i] == i % 4 * 32 + i / 4, "at %u: %u", i, out[i]);

  CHECK_ERROR(launch(load_matrices, 1, 32, 32 * 24 * 2, nullptr, 4, false, 20, 0, out.data()), "not aligned to 16");
  CHECK_ERROR(launch(load_matrices, 1, 32, 32 * 24 * 2, nullptr, 4, false, 24, 24, out.data()), "not in shared memory");
  std::vector<float> global(64);
  CHECK_ERROR(
      launch(load_from, 1, 32, 64, nullptr, global.data() + (-reinterpret_cast<uintptr_t>(global.data()) / 4 & 3)),
      "not in shared memory");
  CHECK_ERROR(launch(load_from, 1, 32, 64, nullptr, nullptr), "not in shared memory");
  Fragments fragments{};
  CHECK_ERROR(launch(multiply, 1, 16, 0, nullptr, Kind::tf32, &fragments), "needs all 32 lanes of a warp; lane 16");
}

// -- asynchronous copies -------------------------------------------------------------------------------------------

enum class Mistake { none, no_wait, wait_too_few, no_barrier, no_commit };

/// out = in, through two stages of shared memory, each thread copying for its neighbour in the next warp.
__global__ void copy_through(Mistake mistake, const float* in, float* out) {
  DH_DYNAMIC_SHARED(float, tile);
  const int i = static_cast<int>(threadIdx.x), n = static_cast<int>(blockDim.x);
  const int other = (i + 32) % n;
  for (int stage = 0; stage < 2; ++stage) {
    copy_async_16(tile + (stage * n + i) * 4, in + (stage * n + i) * 4);
    if (mistake != Mistake::no_commit) copy_async_commit();
  }
  for (int stage = 0; stage < 2; ++stage) {
    if (mistake == Mistake::wait_too_few || (stage == 0 && mistake != Mistake::no_wait)) copy_async_wait<1>();
    if (mistake != Mistake::wait_too_few && stage == 1) copy_async_wait<0>();
    if (mistake != Mistake::no_barrier) __syncthreads();
    for (int j = 0; j < 4; ++j) out[(stage * n + other) * 4 + j] = tile[(stage * n + other) * 4 + j];
  }
  copy_async_wait<0>();
}

__global__ void copy_sizes(const float* in, float* out) {
  DH_DYNAMIC_SHARED(float, tile);
  copy_async_16(tile, in, 16);
  copy_async_16(tile + 4, in, 12);
  copy_async_16(tile + 8, nullptr, 0);
  copy_async_8(tile + 12, in + 2);
  copy_async_8(tile + 14, in + 2, 4);
  copy_async_4(tile + 16, in + 1);
  copy_async_4(tile + 17, in + 1, 0);
  copy_async_commit();
  copy_async_wait<0>();
  for (int i = 0; i < 18; ++i) out[i] = tile[i];
}
__global__ void bad_copy(int which, const float* in, float* global) {
  DH_DYNAMIC_SHARED(float, tile);
  if (which == 0) copy_async_16(tile + 1, in);
  if (which == 1) copy_async_16(tile, in + 1);
  if (which == 2) copy_async_16(tile, in, 17);
  if (which == 3) copy_async_16(global, in);
  if (which == 4) copy_async_16(tile + 28, in);
  if (which == 5) copy_async_4(tile, in);
}

void test_copies() {
  alignas(16) float in[64 * 8], out[64 * 8];
  for (int i = 0; i < 64 * 8; ++i) in[i] = static_cast<float>(i);
  const auto right = [&](Mistake mistake) {
    for (float& x : out) x = -1;
    launch(copy_through, 1, 64, sizeof in, nullptr, mistake, in, out);
    for (int i = 0; i < 64 * 8; ++i) {
      if (out[i] != in[i]) return false;
    }
    return true;
  };
  CHECK(right(Mistake::none));
  if (!kTsan) {
    CHECK(!right(Mistake::no_wait));
    CHECK(!right(Mistake::wait_too_few));
    CHECK(!right(Mistake::no_barrier));
    CHECK_ERROR(right(Mistake::no_commit), "ends while 2 of its asynchronous copies are on their way");
  }

  launch(copy_sizes, 1, 1, 18 * sizeof(float), nullptr, in, out);
  const float expected[18] = {0, 1, 2, 3, 0, 1, 2, 0, 0, 0, 0, 0, 2, 3, 2, 0, 1, 0};
  for (int i = 0; i < 18; ++i) CHECK(out[i] == expected[i], "at %d: %g, not %g", i, out[i], expected[i]);

  const char* messages[] = {"must be aligned to its 16 bytes",
                            "must be aligned to its 16 bytes",
                            "cannot take 17",
                            "is not shared memory",
                            "is not shared memory",
                            "ends while 1 of its"};
  for (int which = 0; which < 6; ++which) {
    CHECK_ERROR(launch(bad_copy, 1, 1, 30 * sizeof(float), nullptr, which, in, out), messages[which]);
  }
  CHECK(right(Mistake::none));
}

// -- a whole tile --------------------------------------------------------------------------------------------------

/// C (64, 64) = A (64, 64) · B (64, 64)ᵀ in TF32, by four warps.
__global__ void multiply_tile(const float* a, const float* b, float* c) {
  constexpr int kSize = 64, kStride = kSize + 4;
  DH_DYNAMIC_SHARED(float, tile);
  float* tile_b = tile + kSize * kStride;
  for (int i = static_cast<int>(threadIdx.x); i < kSize * kSize / 4; i += static_cast<int>(blockDim.x)) {
    const int row = i / (kSize / 4), column = i % (kSize / 4) * 4;
    copy_async_16(tile + row * kStride + column, a + row * kSize + column);
    copy_async_16(tile_b + row * kStride + column, b + row * kSize + column);
  }
  copy_async_commit();
  copy_async_wait<0>();
  __syncthreads();
  const int row = warp_id() * 16, lane = lane_id();
  float d[8][4] = {};
  for (int k = 0; k < kSize; k += 8) {
    uint32_t fragment_a[4];
    ldmatrix_x4(fragment_a, tile + (row + lane % 16) * kStride + k + lane / 16 * 4);  // pairs of 16 bits are floats
    for (int n = 0; n < 8; ++n) {
      uint32_t fragment_b[2];
      ldmatrix_x2(fragment_b, tile_b + (n * 8 + lane % 8) * kStride + k + lane / 8 % 2 * 4);
      mma_m16n8k8_tf32(d[n], fragment_a, fragment_b);
    }
  }
  for (int n = 0; n < 8; ++n) {
    for (int i = 0; i < 4; ++i) c[(row + lane / 4 + i / 2 * 8) * kSize + n * 8 + lane % 4 * 2 + i % 2] = d[n][i];
  }
}

void test_tile() {
  struct alignas(16) Matrix {
    float at[64][64];
  };
  std::vector<Matrix> m(3);
  for (int i = 0; i < 64; ++i) {
    for (int j = 0; j < 64; ++j) {
      m[0].at[i][j] = static_cast<float>((i * 5 + j * 3) % 17 - 8);
      m[1].at[i][j] = static_cast<float>((i * 7 + j) % 13 - 6);
    }
  }
  const auto run = [&] {
    launch(multiply_tile, 1, 128, 2 * 64 * 68 * sizeof(float), nullptr, &m[0].at[0][0], &m[1].at[0][0], &m[2].at[0][0]);
  };
  run();
  for (int i = 0; i < 64; ++i) {
    for (int j = 0; j < 64; ++j) {
      float expected = 0;
      for (int k = 0; k < 64; ++k) expected += m[0].at[i][k] * m[1].at[j][k];
      CHECK(m[2].at[i][j] == expected, "(%d, %d): %g, not %g", i, j, m[2].at[i][j], expected);
    }
  }
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const auto start = std::chrono::steady_clock::now();
    run();
    best = std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::printf("64x64x64 by tensor cores: %.2f ms\n", best);
}

}  // namespace

int main() {
  test_layouts();
  test_values();
  test_rounding();
  test_ldmatrix();
  test_copies();
  test_tile();
  return report("simt_mma");
}
