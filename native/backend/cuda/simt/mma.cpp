#include "backend/cuda/simt/mma.h"

#include <cstring>

namespace downhill::cuda::simt {

namespace {

constexpr int kRows = 16, kColumns = 8;

struct MmaLane {
  float (&d)[4];
  const uint32_t (&a)[4];
  const uint32_t (&b)[2];
};

void check_all(void* const (&lanes)[32], const char* name, Site site) {
  for (int lane = 0; lane < 32; ++lane) {
    if (!lanes[lane]) fail(site, "%s needs all 32 lanes of a warp; lane %d has ended", name, lane);
  }
}

/// D += A·B for the fragments of a warp: A (16, K) and B (K, 8) hold what unpack found in the lanes.
template <int K>
void multiply(void* const (&lanes)[32], const float (&a)[kRows][K], const float (&b)[K][kColumns]) {
  float d[kRows][kColumns];
  for (int lane = 0; lane < 32; ++lane) {
    const auto& fragment = static_cast<MmaLane*>(lanes[lane])->d;
    for (int i = 0; i < 4; ++i) d[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2] = fragment[i];
  }
  for (int row = 0; row < kRows; ++row) {
    for (int k = 0; k < K; ++k) {
      for (int column = 0; column < kColumns; ++column) d[row][column] += a[row][k] * b[k][column];
    }
  }
  for (int lane = 0; lane < 32; ++lane) {
    auto& fragment = static_cast<MmaLane*>(lanes[lane])->d;
    for (int i = 0; i < 4; ++i) fragment[i] = d[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
  }
}

float tf32(uint32_t bits) { return bits_as<float>(bits & 0xffffe000u); }  // the low 13 bits are not looked at
float low_bf16(uint32_t pair) { return bits_as<float>(pair << 16); }
float high_bf16(uint32_t pair) { return bits_as<float>(pair & 0xffff0000u); }

void finish_tf32(void* const (&lanes)[32], Site site) {
  check_all(lanes, "mma_m16n8k8_tf32", site);
  float a[kRows][8], b[8][kColumns];
  for (int lane = 0; lane < 32; ++lane) {
    const auto& mine = *static_cast<MmaLane*>(lanes[lane]);
    const int group = lane / 4, member = lane % 4;
    for (int i = 0; i < 4; ++i) a[group + i % 2 * 8][member + i / 2 * 4] = tf32(mine.a[i]);
    for (int i = 0; i < 2; ++i) b[member + i * 4][group] = tf32(mine.b[i]);
  }
  multiply<8>(lanes, a, b);
}

void finish_bf16(void* const (&lanes)[32], Site site) {
  check_all(lanes, "mma_m16n8k16_bf16", site);
  float a[kRows][16], b[16][kColumns];
  for (int lane = 0; lane < 32; ++lane) {
    const auto& mine = *static_cast<MmaLane*>(lanes[lane]);
    const int group = lane / 4, member = lane % 4;
    for (int i = 0; i < 4; ++i) {
      float* pair = &a[group + i % 2 * 8][member * 2 + i / 2 * 8];
      pair[0] = low_bf16(mine.a[i]);
      pair[1] = high_bf16(mine.a[i]);
    }
    for (int i = 0; i < 2; ++i) {
      const int k = member * 2 + i * 8;
      b[k][group] = low_bf16(mine.b[i]);
      b[k + 1][group] = high_bf16(mine.b[i]);
    }
  }
  multiply<16>(lanes, a, b);
}

struct MatrixLane {
  uint32_t* registers;
  const unsigned char* row;
  int count;
  bool transposed;
};

void finish_ldmatrix(void* const (&lanes)[32], Site site) {
  check_all(lanes, "ldmatrix", site);
  const auto& any = *static_cast<MatrixLane*>(lanes[0]);
  uint16_t element[8][8];
  for (int matrix = 0; matrix < any.count; ++matrix) {
    for (int row = 0; row < 8; ++row) {
      std::memcpy(element[row], static_cast<MatrixLane*>(lanes[matrix * 8 + row])->row, 16);
    }
    for (int lane = 0; lane < 32; ++lane) {
      const int group = lane / 4, member = lane % 4 * 2;
      const uint32_t low = any.transposed ? element[member][group] : element[group][member];
      const uint32_t high = any.transposed ? element[member + 1][group] : element[group][member + 1];
      static_cast<MatrixLane*>(lanes[lane])->registers[matrix] = low | high << 16;
    }
  }
}

}  // namespace

void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site) {
  MmaLane mine{d, a, b};
  warp_collective("mma_m16n8k8_tf32", 0xffffffffu, &mine, finish_tf32, site);
}

void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site) {
  MmaLane mine{d, a, b};
  warp_collective("mma_m16n8k16_bf16", 0xffffffffu, &mine, finish_bf16, site);
}

void ldmatrix(uint32_t* registers, int count, bool transposed, const void* row, Site site) {
  const int lane = position.linear % 32;
  if (lane < count * 8) {  // the hardware looks at no others
    if (reinterpret_cast<uintptr_t>(row) % 16) fail(site, "ldmatrix: the row at %p is not aligned to 16 bytes", row);
    if (!is_shared(row, 16)) fail(site, "ldmatrix: the row at %p is not in shared memory", row);
  }
  MatrixLane mine{registers, static_cast<const unsigned char*>(row), count, transposed};
  warp_collective(transposed ? "ldmatrix_trans" : "ldmatrix", 0xffffffffu, &mine, finish_ldmatrix, site);
}

}  // namespace downhill::cuda::simt
