// The matrix products of the CUDA backend, run by the emulator, against sums in double precision.
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backend/cuda/host/lower.h"
#include "backend/cuda/host/matmul_choice.h"
#include "backend/cuda/kernels/matmul.cu"
#include "backend/cuda/kernels/matmul_bfloat16.cu"
#include "backend/cuda/kernels/matmul_ffma.cu"
#include "backend/cuda/kernels/matmul_tf32.cu"
#include "backend/cuda/kernels/matmul_tf32x3.cu"
#include "check.h"
#include "graph/graph.h"
#include "ops/unary.h"

using namespace downhill;
using namespace downhill::cuda;

namespace {

constexpr float kCanary = -12345.5f;
constexpr int64_t kGuard = 32;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Exactly so many floats, so that the address sanitizer sees what is read beyond; `offset` floats past a multiple of
/// 16 bytes.
class Floats {
 public:
  explicit Floats(int64_t size, int offset = 0)
      : size_(size), block_(static_cast<float*>(std::aligned_alloc(16, bytes(size, offset))), std::free) {
    data_ = block_.get() + (bytes(size, offset) / 4 - static_cast<size_t>(size));               // ends with the block …
    data_ -= (reinterpret_cast<uintptr_t>(data_) / 4 + 4 - static_cast<unsigned>(offset)) % 4;  // … but for alignment
  }
  float* data() { return data_; }
  const float* data() const { return data_; }
  float& operator[](int64_t i) { return data_[i]; }
  float operator[](int64_t i) const { return data_[i]; }
  int64_t size() const { return size_; }
  void fill(float x) { std::fill(data_, data_ + size_, x); }

 private:
  static size_t bytes(int64_t size, int offset) { return (static_cast<size_t>(size + offset) * 4 + 15 + 16) / 16 * 16; }
  int64_t size_;
  std::unique_ptr<float, void (*)(void*)> block_;
  float* data_;
};

struct Case {
  MatmulKind kind;
  MatmulTile tile;
  int64_t m, n, k;
  bool transpose_a = false, transpose_b = false;
  int splits = 1;
  Op activation = Op::identity;
  bool bias = false;
  int64_t pad_a = 0, pad_b = 0;                  // leading dimension beyond the row
  int offset_a = 0, offset_b = 0, offset_c = 0;  // floats past a multiple of 16 bytes
  std::vector<int64_t> batch = {};
  int broadcast = -1;  // dimension of the batch along which b is the same
  int offset_saved = 0;
  bool column_sums = false;
  int offset_sums = 0;
  bool reads_saved() const { return is_activation_gradient(activation); }
};

const char* name_of(MatmulKind kind) {
  const char* const names[] = {"ffma", "ffma_bfloat16", "tf32", "tf32x3", "bfloat16"};
  return names[static_cast<int>(kind)];
}

std::string text(const Case& c) {
  std::string s = std::string(name_of(c.kind)) + " tile " + std::to_string(static_cast<int>(c.tile)) + " " +
                  std::to_string(c.m) + "x" + std::to_string(c.k) + "x" + std::to_string(c.n) +
                  (c.transpose_a ? " t" : " n") + (c.transpose_b ? "t" : "n") + " splits " + std::to_string(c.splits) +
                  " " + row_of(c.activation).name + (c.bias ? " bias" : "") + " pads " + std::to_string(c.pad_a) + " " +
                  std::to_string(c.pad_b) + " offsets " + std::to_string(c.offset_a) + std::to_string(c.offset_b) +
                  std::to_string(c.offset_c) + (c.column_sums ? " sums" : "") + " batch";
  for (int64_t dim : c.batch) s += " " + std::to_string(dim);
  return s;
}

/// An operand as the kind sees it.
double seen(MatmulKind kind, float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if (kind == MatmulKind::tf32) bits = round_to_tf32(bits);
  if (kind == MatmulKind::bfloat16 || kind == MatmulKind::ffma_bfloat16) bits = round_to_bf16(bits) << 16;
  std::memcpy(&x, &bits, sizeof bits);
  return static_cast<double>(x);
}

struct Problem {
  Case shape;
  int64_t lda, ldb, size_a, size_b, products = 1, products_b = 1;
  Floats a, b, bias, saved, c, sums, partials;
  MatmulArgs args;

  Problem(const Case& s, std::mt19937& random)
      : shape(s),
        lda((s.transpose_a ? s.m : s.k) + s.pad_a),
        ldb((s.transpose_b ? s.k : s.n) + s.pad_b),
        size_a((s.transpose_a ? s.k : s.m) * lda),
        size_b((s.transpose_b ? s.n : s.k) * ldb),
        a(0),
        b(0),
        bias(s.n),
        saved(0),
        c(0),
        sums(0),
        partials(0) {
    for (size_t i = 0; i < s.batch.size(); ++i) {
      products *= s.batch[i];
      if (static_cast<int>(i) != s.broadcast) products_b *= s.batch[i];
    }
    a = operand(products, size_a, lda, lda - s.pad_a, s.offset_a, random);
    b = operand(products_b, size_b, ldb, ldb - s.pad_b, s.offset_b, random);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (int64_t j = 0; j < s.n; ++j) bias[j] = uniform(random);
    if (s.reads_saved()) saved = operand(1, products * s.m * s.n, 1, 1, s.offset_saved, random);
    c = Floats(kGuard + products * s.m * s.n + kGuard, s.offset_c);
    c.fill(kCanary);
    if (s.column_sums) sums = Floats(kGuard + s.n + kGuard, s.offset_sums);
    sums.fill(kCanary);
    partials = Floats(s.splits > 1 ? s.splits * (products * s.m + s.column_sums) * s.n : 0);
    partials.fill(kNan);

    args.a = a.data(), args.b = b.data(), args.c = c.data() + kGuard;
    args.bias = s.bias ? bias.data() : nullptr;
    args.saved = s.reads_saved() ? saved.data() : nullptr;
    args.column_sums = s.column_sums ? sums.data() + kGuard : nullptr;
    args.partials = partials.data();
    args.m = s.m, args.n = s.n, args.k = s.k, args.lda = lda, args.ldb = ldb;
    args.transpose_a = s.transpose_a, args.transpose_b = s.transpose_b;
    args.activation = s.activation;
    args.params[0] = 0.25f;
    args.kind = s.kind, args.tile = s.tile, args.splits = s.splits;
    args.batch_rank = static_cast<int>(s.batch.size());
    int64_t stride_a = size_a, stride_b = size_b;
    for (int i = args.batch_rank; i-- > 0;) {
      const int64_t dim = s.batch[static_cast<size_t>(i)];
      args.batch_dims[i] = dim;
      args.batch_a[i] = stride_a, stride_a *= dim;
      args.batch_b[i] = i == s.broadcast ? 0 : stride_b;
      if (i != s.broadcast) stride_b *= dim;
    }
  }

  static Floats operand(int64_t products, int64_t size, int64_t ld, int64_t columns, int offset, std::mt19937& random) {
    const int64_t pad = ld - columns;
    Floats values(std::max<int64_t>(0, products * size - pad), offset);  // no padding behind the last row
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (int64_t i = 0; i < values.size(); ++i) values[i] = i % ld < columns ? uniform(random) : kNan;
    return values;
  }

  int64_t offset_b(int64_t product) const {
    int64_t offset = 0;
    for (int i = args.batch_rank; i-- > 0; product /= args.batch_dims[i])
      offset += product % args.batch_dims[i] * args.batch_b[i];
    return offset;
  }

  /// The exact result before the activation, and the sum of the sizes of what was added.
  void exact(int64_t product, int64_t i, int64_t j, double& sum, double& size) const {
    const float *from_a = a.data() + product * size_a, *from_b = b.data() + offset_b(product);
    sum = shape.bias ? static_cast<double>(bias[j]) : 0, size = std::fabs(sum);
    for (int64_t p = 0; p < shape.k; ++p) {
      const double x = seen(shape.kind, from_a[shape.transpose_a ? p * lda + i : i * lda + p]) *
                       seen(shape.kind, from_b[shape.transpose_b ? j * ldb + p : p * ldb + j]);
      sum += x, size += std::fabs(x);
    }
  }

  /// Largest error in units of 2^-24 of the sum of sizes, and of the sizes' root mean square over sqrt(k); infinite
  /// when something outside c changed.
  double error() const {
    const int64_t size_c = shape.m * shape.n;
    double worst = 0;
    for (int64_t i = 0; i < kGuard; ++i)
      if (c[i] != kCanary || c[c.size() - 1 - i] != kCanary) return INFINITY;
    for (int64_t product = 0; product < products; ++product)
      for (int64_t i = 0; i < shape.m; ++i)
        for (int64_t j = 0; j < shape.n; ++j) {
          double sum, size;
          exact(product, i, j, sum, size);
          double expected = sum;
          if (shape.activation == Op::relu) expected = std::fmax(0, sum);
          if (shape.activation == Op::leakyRelu) expected = sum > 0 ? sum : 0.25 * sum;
          if (shape.activation == Op::tanh) expected = std::tanh(sum), size += 4;
          const double before =
              shape.reads_saved() ? static_cast<double>(saved[product * size_c + i * shape.n + j]) : 0;
          if (shape.activation == Op::reluGrad) expected = before > 0 ? sum : 0;
          if (shape.activation == Op::leakyReluGrad) expected = before > 0 ? sum : 0.25 * sum;
          if (shape.activation == Op::tanhGrad) expected = (1 - before * before) * sum;
          const double got = static_cast<double>(c[kGuard + product * size_c + i * shape.n + j]);
          if (!std::isfinite(got)) return INFINITY;
          worst = std::fmax(worst, std::fabs(got - expected) / (size * 0x1p-24 + 1e-30));
        }
    return worst;
  }
};

/// The same of b's column sums, whose operands are not rounded.
double error_of_sums(const Problem& problem) {
  const Case& s = problem.shape;
  double worst = 0;
  for (int64_t i = 0; i < kGuard; ++i)
    if (problem.sums[i] != kCanary || problem.sums[problem.sums.size() - 1 - i] != kCanary) return INFINITY;
  for (int64_t j = 0; j < s.n; ++j) {
    double sum = 0, size = 0x1p-60;
    for (int64_t p = 0; p < s.k; ++p) {
      const double x = static_cast<double>(problem.b[p * problem.ldb + j]);
      sum += x, size += std::fabs(x);
    }
    const double error = std::fabs(static_cast<double>(problem.sums[kGuard + j]) - sum) / (size * 0x1p-24);
    worst = error <= worst ? worst : error;  // NaN is the worst
  }
  return worst;
}

/// Errors of a random walk; a product of the split kind may add one unit more.
double limit(const Case& c) { return 4 + 2 * std::sqrt(static_cast<double>(c.k)); }

void check(const Case& c, uint32_t seed) {
  std::mt19937 random(seed);
  Problem problem(c, random);
  launch_matmul(problem.args, nullptr);
  const double error = problem.error();
  CHECK(error <= limit(c), "%s: error %g", text(c).c_str(), error);
  if (!c.column_sums) return;
  const double of_sums = error_of_sums(problem);
  CHECK(of_sums <= limit(c), "%s: error of sums %g", text(c).c_str(), of_sums);
}

constexpr MatmulKind kKinds[] = {MatmulKind::ffma, MatmulKind::ffma_bfloat16, MatmulKind::tf32, MatmulKind::tf32x3,
                                 MatmulKind::bfloat16};
constexpr MatmulTile kTiles[] = {MatmulTile::large, MatmulTile::medium, MatmulTile::small};
constexpr Op kActivations[] = {Op::identity, Op::relu,          Op::leakyRelu, Op::tanh,
                               Op::reluGrad, Op::leakyReluGrad, Op::tanhGrad};

/// Every kernel, aligned and not, at the edges of its tile.
void every_kernel() {
  uint32_t seed = 1;
  for (MatmulKind kind : kKinds)
    for (MatmulTile tile : kTiles)
      for (int transposes = 0; transposes < 4; ++transposes) {
        Case c = {kind, tile, 68, 36, 84, (transposes & 1) != 0, (transposes & 2) != 0};
        c.column_sums = transposes == 1;
        check(c, seed++);
        c.m = 61, c.n = 35, c.k = 37, c.bias = true, c.activation = kActivations[seed % 7];
        check(c, seed++);
        c.m = 1 + seed % 9, c.n = 3, c.k = 150, c.splits = 2 + static_cast<int>(seed % 3), c.offset_c = 1;
        c.offset_sums = static_cast<int>(seed % 4);
        check(c, seed++);
      }
}

/// More than one tile in both directions.
void several_tiles() {
  check({MatmulKind::ffma, MatmulTile::large, 130, 132, 20}, 1);
  check({MatmulKind::tf32x3, MatmulTile::large, 132, 144, 40, true, false}, 2);
  check({MatmulKind::bfloat16, MatmulTile::large, 132, 272, 40, false, true}, 3);
  check({MatmulKind::tf32, MatmulTile::medium, 160, 72, 100, true, true}, 4);
  check({MatmulKind::tf32, MatmulTile::small, 600, 40, 20, false, false}, 5);  // a second group of tiles, not full
  uint32_t seed = 6;
  for (MatmulKind kind : kKinds)
    for (int splits : {1, 3}) {
      Case c = {kind, MatmulTile::large, 140, 260, 50, true, false, splits};
      c.column_sums = true, c.offset_sums = 1;  // no multiple of 16 bytes, while the rest is
      check(c, seed++);
      c.tile = MatmulTile::medium, c.offset_b = 1, c.n = 131;
      check(c, seed++);
    }
}

void random_shapes() {
  std::mt19937 random(7);
  const auto up_to = [&](int64_t most) { return static_cast<int64_t>(random() % static_cast<uint32_t>(most + 1)); };
  for (uint32_t round = 0; round < 150; ++round) {
    Case c = {kKinds[round % 5], kTiles[up_to(2)], up_to(90), up_to(90), up_to(round % 3 == 0 ? 160 : 40)};
    c.transpose_a = up_to(1) != 0, c.transpose_b = up_to(1) != 0;
    if (up_to(2) == 0) c.m = c.m / 4 * 4, c.n = c.n / 4 * 4, c.k = c.k / 4 * 4;
    c.splits = up_to(2) == 0 ? 1 + static_cast<int>(up_to(5)) : 1;
    c.activation = kActivations[up_to(6)];
    c.offset_saved = static_cast<int>(up_to(1) * up_to(3));
    c.bias = up_to(1) != 0;
    c.pad_a = up_to(1) * up_to(8), c.pad_b = up_to(1) * up_to(8);
    c.offset_a = static_cast<int>(up_to(1) * up_to(3)), c.offset_b = static_cast<int>(up_to(1) * up_to(3));
    c.offset_c = static_cast<int>(up_to(1) * up_to(3));
    if (up_to(3) == 0) {
      c.m = up_to(20), c.n = up_to(20), c.k = up_to(20);
      c.pad_a = c.pad_b = 0;
      c.batch = {1 + up_to(2), 1 + up_to(2), up_to(4)};
      c.broadcast = static_cast<int>(up_to(3)) - 1;
    } else if (c.transpose_a && !c.transpose_b) {
      c.column_sums = c.m > 0;
      c.offset_sums = static_cast<int>(up_to(3));
    }
    check(c, round);
  }
}

/// NaN and infinity reach exactly the rows or columns that read them; what lies behind the edges reaches none.
void not_finite() {
  for (MatmulKind kind : kKinds)
    for (float bad : {kNan, std::numeric_limits<float>::infinity()}) {
      std::mt19937 random(3);
      Problem in_a({kind, MatmulTile::medium, 45, 37, 41, false, true, 2}, random);
      Problem in_b({kind, MatmulTile::small, 45, 37, 41, true, false}, random);
      in_a.a[20 * in_a.lda + 40] = bad;
      in_b.b[40 * in_b.ldb + 36] = bad;
      launch_matmul(in_a.args, nullptr);
      launch_matmul(in_b.args, nullptr);
      for (int64_t i = 0; i < 45; ++i)
        for (int64_t j = 0; j < 37; ++j) {
          CHECK(std::isfinite(in_a.c[kGuard + i * 37 + j]) == (i != 20), "%s", name_of(kind));
          CHECK(std::isfinite(in_b.c[kGuard + i * 37 + j]) == (j != 36), "%s", name_of(kind));
        }
    }
}

/// docs/cuda-matmul.md: the split kind is as accurate as float32, also where operands differ much in size.
void accuracy() {
  for (int64_t k : {64, 512}) {
    double worst[2] = {}, square[2] = {};
    for (int which = 0; which < 2; ++which) {
      std::mt19937 random(11);
      Problem problem({which == 0 ? MatmulKind::ffma : MatmulKind::tf32x3, MatmulTile::medium, 32, 32, k}, random);
      std::normal_distribution<float> normal;
      for (int64_t i = 0; i < problem.a.size(); ++i) problem.a[i] = normal(random) * std::exp(2 * normal(random));
      for (int64_t i = 0; i < problem.b.size(); ++i) problem.b[i] = normal(random) * std::exp(2 * normal(random));
      launch_matmul(problem.args, nullptr);
      for (int64_t i = 0; i < 32; ++i)
        for (int64_t j = 0; j < 32; ++j) {
          double sum, size;
          problem.exact(0, i, j, sum, size);
          const double error = std::fabs(static_cast<double>(problem.c[kGuard + i * 32 + j]) - sum) / (size * 0x1p-24);
          worst[which] = std::fmax(worst[which], error);
          square[which] += error * error / 1024;
        }
    }
    std::printf(
        "error at k = %lld in 2^-24 of the sum of sizes, largest (root mean square): ffma %.2f (%.2f), tf32x3 %.2f "
        "(%.2f)\n",
        static_cast<long long>(k), worst[0], std::sqrt(square[0]), worst[1], std::sqrt(square[1]));
    CHECK(worst[1] <= worst[0] && square[1] <= square[0], "k %lld", static_cast<long long>(k));
  }
}

// ---- the host's part ----

/// Every row of the table is reached, no block is left without work, and what is split has scratch.
void choices() {
  Target h100, turing, ada;
  h100.compute_capability = 90, h100.multiprocessors = 132;
  turing.compute_capability = 75, turing.multiprocessors = 40;
  ada.compute_capability = 89, ada.multiprocessors = 128;
  using K = MatmulKind;
  using T = MatmulTile;
  struct {
    int64_t batch, m, n, k;
    Precision precision;
    const Target& target;
    MatmulChoice expected;
  } const rows[] = {
      {1, 4096, 4096, 4096, Precision::float32, h100, {K::tf32x3, T::large, 1}},
      {1, 4096, 4096, 4096, Precision::bfloat16, h100, {K::bfloat16, T::large, 1}},
      {1, 4096, 4096, 4096, Precision::tf32, h100, {K::tf32, T::large, 1}},
      {1, 4096, 4096, 4096, Precision::float32, ada, {K::ffma, T::large, 1}},
      {1, 4096, 4096, 4096, Precision::tf32, turing, {K::ffma, T::large, 1}},
      {1, 512, 512, 512, Precision::bfloat16, turing, {K::ffma_bfloat16, T::medium, 1}},
      {1, 128, 1000, 1000, Precision::float32, h100, {K::tf32x3, T::small, 4}},
      {1, 784, 1000, 128, Precision::float32, h100, {K::tf32x3, T::medium, 1}},
      {1, 128, 10, 1000, Precision::float32, h100, {K::tf32x3, T::small, 15}},
      {1, 1, 1, 1, Precision::float32, h100, {K::tf32x3, T::small, 1}},
      {1, 1, 1, 0, Precision::float32, h100, {K::tf32x3, T::small, 1}},
      {1, 32, 32, 1000000, Precision::float32, h100, {K::tf32x3, T::small, 16}},
      {64, 128, 128, 64, Precision::tf32, h100, {K::tf32, T::medium, 1}},
      {4096, 8, 8, 8, Precision::tf32, h100, {K::tf32, T::small, 1}},
  };
  for (const auto& row : rows) {
    const MatmulChoice got = choose_matmul(row.batch, row.m, row.n, row.k, row.precision, row.target);
    CHECK(got.kind == row.expected.kind && got.tile == row.expected.tile && got.splits == row.expected.splits,
          "%lld x %lldx%lldx%lld: %s tile %d splits %d", static_cast<long long>(row.batch),
          static_cast<long long>(row.m), static_cast<long long>(row.k), static_cast<long long>(row.n),
          name_of(got.kind), static_cast<int>(got.tile), got.splits);
  }
  for (int64_t m = 1; m < 100000; m = m * 3 + 1)
    for (int64_t n = 1; n < 100000; n = n * 3 + 1)
      for (int64_t k = 0; k < 100000; k = k * 3 + 1)
        for (const Target* target : {&h100, &turing, &ada}) {
          const MatmulChoice got = choose_matmul(1, m, n, k, Precision::float32, *target);
          CHECK(got.splits >= 1 && (got.splits == 1 || k / got.splits >= 32), "%d splits of %lld", got.splits,
                static_cast<long long>(k));
        }
}

/// Kernels' tiles are what the table takes them for.
template <class Tile>
bool has_size(MatmulKind kind, MatmulTile tile) {
  const TileSize size = tile_size(kind, tile);
  return size.rows == Tile::kRows && size.columns == Tile::kColumns;
}
void tile_sizes() {
  CHECK(has_size<FfmaLarge>(MatmulKind::ffma, MatmulTile::large));
  CHECK(has_size<FfmaMedium>(MatmulKind::ffma, MatmulTile::medium));
  CHECK(has_size<FfmaSmall>(MatmulKind::ffma, MatmulTile::small));
  CHECK(has_size<FfmaMedium>(MatmulKind::ffma_bfloat16, MatmulTile::medium));
  for (MatmulKind kind : {MatmulKind::tf32, MatmulKind::tf32x3, MatmulKind::bfloat16}) {
    CHECK(has_size<MmaMedium>(kind, MatmulTile::medium));
    CHECK(has_size<MmaSmall>(kind, MatmulTile::small));
  }
  CHECK(has_size<MmaLarge>(MatmulKind::tf32, MatmulTile::large));
  CHECK(has_size<MmaLargeSplit>(MatmulKind::tf32x3, MatmulTile::large));
  CHECK(has_size<MmaLargeWide>(MatmulKind::bfloat16, MatmulTile::large));
}

struct Lowered {
  Shape a, b, bias;
  bool transpose_a = false, transpose_b = false, has_bias = false;
  Op activation = Op::identity;
  bool column_sums = false;
};

/// A plan's step → command → kernel, against the definition.
void lowering(const Lowered& l, int multiprocessors, int& splits) {
  Graph graph;
  const NodeId ia = graph.input(l.a, DType::float32), ib = graph.input(l.b, DType::float32);
  Attrs attrs;
  attrs.set("transposeA", l.transpose_a).set("transposeB", l.transpose_b);
  NodeId y = graph.add(Op::matmul, {ia, ib}, attrs);
  const NodeId ic = graph.input(l.bias, DType::float32);
  if (l.has_bias) y = graph.add(Op::add, {y, ic});
  const bool gradient = is_activation_gradient(l.activation);
  const NodeId saved = graph.input(graph[y].shape, DType::float32);
  if (gradient)
    y = graph.add(l.activation, {saved, y});
  else if (l.activation != Op::identity)
    y = graph.add(l.activation, {y});
  PlanOptions options;
  options.outputs = {y};
  if (l.column_sums) options.outputs.push_back(graph.add(Op::sum, {ib}, Attrs().set("axes", std::vector<int64_t>{0})));
  const Plan plan = make_plan(graph, options);
  CHECK(plan.steps.size() == 1, "%s", describe(plan).c_str());

  std::mt19937 random(9);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<std::vector<float>> memory(plan.values.size());
  std::vector<void*> at(plan.values.size());
  for (size_t i = 0; i < plan.values.size(); ++i) {
    memory[i].resize(static_cast<size_t>(plan.values[i].shape.size()));
    for (float& x : memory[i]) x = uniform(random);
    at[i] = memory[i].data();
  }
  Target target;
  target.multiprocessors = multiprocessors;
  std::vector<DhCommand> asked, commands;
  const std::vector<void*> none(plan.values.size());
  const Step& step = plan.steps[0];
  Lowering sizes{plan, step, 0, none.data(), nullptr, nullptr, target, Precision::float32, asked};
  lower_matmul(sizes);
  std::vector<std::byte> scratch(sizes.scratch_bytes);
  Lowering real{plan, step, 0, at.data(), scratch.data(), nullptr, target, Precision::float32, commands};
  lower_matmul(real);
  CHECK(asked.size() == commands.size() && real.scratch_bytes == sizes.scratch_bytes);
  for (const DhCommand& command : commands) {
    CHECK(command.kind == static_cast<uint32_t>(CommandKind::matmul));
    MatmulArgs args;
    std::memcpy(&args, command.args, sizeof args);
    splits = args.splits;
    launch_matmul(args, nullptr);
  }

  const float *a = memory[static_cast<size_t>(step.inputs[0])].data(),
              *b = memory[static_cast<size_t>(step.inputs[1])].data();
  const std::vector<float>& c = memory[static_cast<size_t>(step.output)];
  const Shape& shape = plan.values[static_cast<size_t>(step.output)].shape;
  const int rank = shape.rank();
  const int64_t k = l.a[l.a.rank() - (l.transpose_a ? 2 : 1)];
  const auto place = [&](const Shape& operand, bool transpose, const std::vector<int64_t>& index, int64_t row,
                         int64_t column) {
    int64_t position = 0;
    for (int axis = 0; axis < operand.rank() - 2; ++axis)
      position = position * operand[axis] +
                 (operand[axis] == 1 ? 0 : index[static_cast<size_t>(axis + rank - operand.rank())]);
    if (transpose) std::swap(row, column);
    return (position * operand[operand.rank() - 2] + row) * operand[operand.rank() - 1] + column;
  };
  CHECK((step.column_sums >= 0) == l.column_sums);
  for (int64_t j = 0; l.column_sums && j < l.b[1]; ++j) {
    double sum = 0;
    for (int64_t p = 0; p < k; ++p) sum += static_cast<double>(b[p * l.b[1] + j]);
    const double got = static_cast<double>(memory[static_cast<size_t>(step.column_sums)][static_cast<size_t>(j)]);
    CHECK(std::fabs(got - sum) <= 1e-7 * (1 + static_cast<double>(k)), "column %lld: %g, expected %g",
          static_cast<long long>(j), got, sum);
  }
  std::vector<int64_t> index(static_cast<size_t>(rank));
  for (int64_t position = 0; position < shape.size(); ++position) {
    int64_t rest = position;
    for (int axis = rank; axis-- > 0; rest /= shape[axis]) index[static_cast<size_t>(axis)] = rest % shape[axis];
    const int64_t i = index[static_cast<size_t>(rank - 2)], j = index[static_cast<size_t>(rank - 1)];
    double sum =
        l.has_bias ? static_cast<double>(memory[static_cast<size_t>(step.inputs[2])][static_cast<size_t>(j)]) : 0;
    for (int64_t p = 0; p < k; ++p)
      sum += static_cast<double>(a[place(l.a, l.transpose_a, index, i, p)]) *
             static_cast<double>(b[place(l.b, l.transpose_b, index, p, j)]);
    if (l.activation == Op::relu) sum = std::fmax(0, sum);
    if (l.activation == Op::leakyRelu) sum = sum > 0 ? sum : 0;  // alpha is 0 when it is not given
    if (gradient) {
      const double before =
          static_cast<double>(memory[static_cast<size_t>(step.inputs.back())][static_cast<size_t>(position)]);
      sum = l.activation == Op::sigmoidGrad ? sum * before * (1 - before) : before > 0 ? sum : 0;
    }
    const double got = static_cast<double>(c[static_cast<size_t>(position)]);
    CHECK(std::fabs(got - sum) <= 1e-6 * (1 + static_cast<double>(k)), "%s x %s at %lld: %g, expected %g",
          l.a.to_string().c_str(), l.b.to_string().c_str(), static_cast<long long>(position), got, sum);
  }
}

void lowerings() {
  int splits = 1;
  lowering({{5, 7}, {7, 9}, {9}, false, false, true, Op::relu}, 132, splits);
  lowering({{70, 5}, {9, 70}, {9}, true, true, true, Op::leakyRelu}, 132, splits);
  lowering({{20, 260}, {260, 10}, {1, 10}, false, false, true}, 132, splits);
  CHECK(splits == 4, "splits %d", splits);
  lowering({{3, 4, 5}, {1, 5, 6}, {6}, false, false, true}, 132, splits);            // one tall product
  lowering({{3, 5, 4}, {1, 5, 6}, {6}, true, false, false, Op::relu}, 132, splits);  // not so: a transposed
  lowering({{2, 1, 3, 4}, {3, 4, 5}, {5}, false, false, true}, 132, splits);
  lowering({{3, 4, 8}, {2, 1, 5, 8}, {5}, false, true}, 1, splits);
  lowering({{1, 2, 4, 130}, {1, 2, 130, 4}, {4}}, 132, splits);
  CHECK(splits == 2, "splits %d", splits);
  lowering({{7, 5}, {9, 5}, {9}, false, true, false, Op::reluGrad}, 132, splits);  // a layer's d_x
  lowering({{20, 260}, {12, 260}, {12}, false, true, true, Op::sigmoidGrad}, 132, splits);
  CHECK(splits == 4, "splits %d", splits);
  lowering({{2, 1, 3, 4}, {3, 4, 5}, {5}, false, false, false, Op::sigmoidGrad}, 132, splits);
  lowering({{12, 40}, {12, 9}, {9}, true, false, false, Op::identity, true}, 132, splits);  // of weights and bias
  CHECK(splits == 1, "splits %d", splits);
  lowering({{270, 40}, {270, 9}, {9}, true, false, false, Op::identity, true}, 132, splits);
  CHECK(splits == 4, "splits %d", splits);
  lowering({{0, 40}, {0, 9}, {9}, true, false, false, Op::identity, true}, 132, splits);
  lowering({{0, 4}, {4, 5}, {5}}, 132, splits);
  lowering({{3, 0}, {0, 5}, {5}, false, false, true}, 132, splits);
  lowering({{0, 3, 4}, {1, 4, 5}, {5}}, 132, splits);
}

}  // namespace

int main() {
  every_kernel();
  several_tiles();
  random_shapes();
  not_finite();
  accuracy();
  tile_sizes();
  choices();
  lowerings();
  return downhill::test::report("cuda_matmul");
}
