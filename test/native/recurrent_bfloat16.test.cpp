// Recurrences with products of operands rounded to bfloat16, of every engine that this machine has, and with float32
// from three parts: each step against sums in double precision.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "backend/cpu/kernels/bfloat16/entries.h"
#include "backend/cpu/kernels/table.h"
#include "backend/cpu/pool.h"
#include "backend/cpu/processor.h"
#include "check.h"

namespace {

using downhill::Cell;
using downhill::CellSizes;
using downhill::sizes_of;
using downhill::cpu::RecurrentArgs;
using downhill::cpu::RecurrentKernels;
using downhill::cpu::set_threads;

struct Engine {
  const char* name;
  const RecurrentKernels* kernels;
  bool rounds;  // else float32
};

std::vector<Engine> engines() {
  std::vector<Engine> list;
#if defined(DOWNHILL_HAS_AMX)
  using namespace downhill::cpu;
  if (has_avx512_bf16()) list.push_back({"avx512_bf16", &avx512_bf16::bfloat16_recurrent_kernels, true});
  if (may_use_amx()) {
    list.push_back({"amx", &amx::bfloat16_recurrent_kernels, true});
    list.push_back({"amx float32", &amx::recurrent_kernels, false});
  }
#endif
  return list;
}

float rounded(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  bits = (bits + 0x7fffu + (bits >> 16 & 1)) & 0xffff0000u;
  std::memcpy(&value, &bits, 4);
  return value;
}

using Values = std::vector<float>;

Values uniform(std::mt19937& random, int64_t count, float scale) {
  Values values(static_cast<size_t>(count));
  for (float& value : values) value = std::uniform_real_distribution<float>(-scale, scale)(random);
  return values;
}

/// A sequence and its gradient.
struct Problem {
  Cell cell;
  int64_t n, steps, units;
  CellSizes sizes;
  bool masked, initial, full;  // full: with cotangents of all states, not of the hidden one alone
  Values x, kernel, bias, h, c, mask, d, states, gradients;

  Problem(Cell which, int64_t rows, int64_t length, int64_t width, uint32_t seed, bool masks = false)
      : cell(which), n(rows), steps(length), units(width), sizes(sizes_of(which)), masked(masks), initial(true) {
    full = masks;
    std::mt19937 random(seed);
    x = uniform(random, n * steps * sizes.gates * units, 1),
    kernel = uniform(random, units * sizes.gates * units, 0.3f);
    bias = uniform(random, sizes.gates * units, 1), h = uniform(random, n * units, 1),
    c = uniform(random, n * units, 1);
    d = uniform(random, n * steps * d_width() * units, 1);
    for (int64_t i = 0; i < n * steps; ++i) mask.push_back(shows(i / steps, i % steps) ? 1.0f : 0.0f);
  }

  int64_t d_width() const { return full ? sizes.states : 1; }
  /// Rows end at different steps, some have gaps, and 32 that lie together none but the last step.
  bool shows(int64_t row, int64_t t) const {
    if (!masked) return true;
    if (row >= 32 && row < 64) return t + 1 == steps;
    return row % 4 == 0 || (row % 4 == 1 ? t > 0 : row % 4 == 2 ? t + 1 < steps : t != 1);
  }

  void run(const RecurrentKernels& kernels, bool backward) {
    RecurrentArgs args;
    args.cell = cell, args.n = n, args.steps = steps, args.units = units, args.kernel = kernel.data();
    if (initial) args.h = h.data(), args.c = sizes.carried > 1 ? c.data() : nullptr;
    if (masked) args.mask = mask.data();
    Values& to = backward ? gradients : states;
    const int64_t out = backward ? (steps + initial) * sizes.gradients : steps * sizes.states;
    to.assign(static_cast<size_t>(n * out * units), NAN);
    args.to = to.data();
    if (backward)
      args.states = states.data(), args.d = d.data(), args.width = d_width() * units, args.initial = initial;
    else
      args.x = x.data(), args.bias = sizes.bias ? bias.data() : nullptr;
    const size_t bytes = kernels.scratch_bytes(args, backward);
    std::unique_ptr<std::byte[]> block(new std::byte[bytes + 128]);
    args.scratch = block.get() + (64 - reinterpret_cast<uintptr_t>(block.get()) % 64) % 64;
    std::memset(args.scratch, 0xff, bytes);
    (backward ? kernels.backward : kernels.forward)(args);
  }
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// States of a unit from input products x, recurrent products m, and the states before.
void forward_cell(Cell cell, const double* x, const double* m, double h, double c, double* s) {
  if (cell == Cell::simpleRNN) s[0] = std::tanh(x[0] + m[0]);
  if (cell == Cell::lstm) {
    s[2] = sigmoid(x[0] + m[0]), s[3] = sigmoid(x[1] + m[1]), s[4] = std::tanh(x[2] + m[2]);
    s[5] = sigmoid(x[3] + m[3]);
    s[1] = s[3] * c + s[2] * s[4];
    s[0] = s[5] * std::tanh(s[1]);
  }
  if (cell == Cell::gru) {
    s[1] = sigmoid(x[0] + m[0]), s[2] = sigmoid(x[1] + m[1]), s[4] = m[2];
    s[3] = std::tanh(x[2] + s[2] * m[2]);
    s[0] = s[1] * h + (1 - s[1]) * s[3];
  }
}

/// Gradients g of a unit; d_h and d_c become what goes on to the step before, beside the products.
void backward_cell(Cell cell, const double* s, double h, double c, const double* d, double& d_h, double& d_c,
                   double* g) {
  const double dh = d_h + d[0];
  d_h = 0;
  if (cell == Cell::simpleRNN) g[0] = dh * (1 - s[0] * s[0]);
  if (cell == Cell::lstm) {
    const double t = std::tanh(s[1]), dc = d_c + dh * s[5] * (1 - t * t) + d[1];
    g[0] = (dc * s[4] + d[2]) * s[2] * (1 - s[2]), g[1] = (dc * c + d[3]) * s[3] * (1 - s[3]);
    g[2] = (dc * s[2] + d[4]) * (1 - s[4] * s[4]), g[3] = (dh * t + d[5]) * s[5] * (1 - s[5]);
    d_c = dc * s[3];
  }
  if (cell == Cell::gru) {
    g[0] = (dh * (h - s[3]) + d[1]) * s[1] * (1 - s[1]);
    g[3] = (dh * (1 - s[1]) + d[3]) * (1 - s[3] * s[3]);
    g[1] = (g[3] * s[4] + d[2]) * s[2] * (1 - s[2]);
    g[2] = g[3] * s[2] + d[4];
    d_h = dh * s[1];
  }
}

/// Every step of some rows in double, from what the engine itself gave for the step before (backward: for the step
/// after), with products of what it multiplies: errors do not add up over steps, however it rounds.
class Reference {
 public:
  Reference(const Problem& problem, bool rounds) : p_(problem), rounds_(rounds) {
    const int64_t gates = p_.sizes.gates * p_.units;
    kernel_.resize(p_.kernel.size()), columns_.resize(p_.kernel.size());
    for (int64_t i = 0; i < p_.units; ++i)
      for (int64_t g = 0; g < gates; ++g)
        columns_[at(g * p_.units + i)] = kernel_[at(i * gates + g)] = operand(p_.kernel[at(i * gates + g)]);
  }

  /// Largest error of a state, and of a gradient: relative to 1 or, where it is larger, the value.
  double worst_state() const {
    double worst = 0;
    for_rows([&](int64_t r) {
      for (int64_t t = 0; t < p_.steps; ++t) step(r, t, worst);
    });
    return worst;
  }
  double worst_gradient() const {
    double worst = 0;
    for_rows([&](int64_t r) { way_back(r, worst); });
    return worst;
  }

 private:
  using Doubles = std::vector<double>;

  static size_t at(int64_t i) { return static_cast<size_t>(i); }
  double operand(float value) const { return static_cast<double>(rounds_ ? rounded(value) : value); }
  template <typename F>
  void for_rows(F body) const {
    for (int64_t r = 0; r < p_.n; ++r)
      if (r % 5 == 0 || r + 1 == p_.n || r == 33) body(r);
  }
  static void see(float found, double expected, double& worst) {
    const double error = std::fabs(static_cast<double>(found) - expected) / std::fmax(1.0, std::fabs(expected));
    worst = error <= worst ? worst : error;  // NaN, too
  }
  static double sum_of_products(const double* a, const double* b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
  }

  double state(int64_t r, int64_t t, int64_t s, int64_t j) const {
    if (t >= 0) return static_cast<double>(p_.states[at(((r * p_.steps + t) * p_.sizes.states + s) * p_.units + j)]);
    return p_.initial ? static_cast<double>((s == 0 ? p_.h : p_.c)[at(r * p_.units + j)]) : 0;
  }

  void step(int64_t r, int64_t t, double& worst) const {
    const bool shown = p_.shows(r, t);
    Doubles h(at(p_.units));
    for (int64_t j = 0; j < p_.units; ++j) h[at(j)] = operand(static_cast<float>(state(r, t - 1, 0, j)));
    for (int64_t j = 0; j < p_.units; ++j) {
      double m[4] = {}, x[4] = {}, s[6] = {};
      const double before = state(r, t - 1, 0, j), c = p_.sizes.carried > 1 ? state(r, t - 1, 1, j) : 0;
      s[0] = before, s[1] = c;
      for (int64_t g = 0; shown && g < p_.sizes.gates; ++g) {
        m[g] = sum_of_products(h.data(), &columns_[at((g * p_.units + j) * p_.units)], p_.units);
        if (p_.sizes.bias) m[g] += static_cast<double>(p_.bias[at(g * p_.units + j)]);
        x[g] = static_cast<double>(p_.x[at(((r * p_.steps + t) * p_.sizes.gates + g) * p_.units + j)]);
      }
      if (shown) forward_cell(p_.cell, x, m, before, c, s);
      for (int64_t i = 0; i < p_.sizes.states; ++i)
        see(static_cast<float>(state(r, t, i, j)), shown || i < p_.sizes.carried ? s[i] : 0, worst);
    }
  }

  void way_back(int64_t r, double& worst) const {
    const int64_t units = p_.units, gates = p_.sizes.gates * units, width = p_.sizes.gradients * units;
    const float* const found = p_.gradients.data() + r * (p_.steps + p_.initial) * width;
    Doubles d_h(at(units)), d_c(at(units)), after(at(gates));
    for (int64_t t = p_.steps - 1; t >= -1; --t) {
      for (int64_t g = 0; t + 1 < p_.steps && g < gates; ++g) after[at(g)] = operand(found[(t + 1) * width + g]);
      for (int64_t j = 0; j < units; ++j) {
        d_h[at(j)] += sum_of_products(after.data(), &kernel_[at(j * gates)], gates);
        double d[6] = {}, g[4] = {}, s[6] = {};
        if (t < 0) {
          const float* const ends = found + p_.steps * width;
          if (p_.initial) see(ends[j], d_h[at(j)], worst);
          if (p_.initial && p_.sizes.carried > 1) see(ends[units + j], d_c[at(j)], worst);
          continue;
        }
        for (int64_t i = 0; i < p_.d_width(); ++i)
          d[i] = static_cast<double>(p_.d[at(((r * p_.steps + t) * p_.d_width() + i) * units + j)]);
        for (int64_t i = 0; i < p_.sizes.states; ++i) s[i] = state(r, t, i, j);
        const double c = p_.sizes.carried > 1 ? state(r, t - 1, 1, j) : 0;
        if (p_.shows(r, t)) {
          backward_cell(p_.cell, s, state(r, t - 1, 0, j), c, d, d_h[at(j)], d_c[at(j)], g);
        } else {
          d_h[at(j)] += d[0];
          if (p_.sizes.carried > 1) d_c[at(j)] += d[1];
        }
        for (int64_t i = 0; i < p_.sizes.gradients; ++i) see(found[t * width + i * units + j], g[i], worst);
      }
    }
  }

  const Problem& p_;
  const bool rounds_;
  Doubles kernel_, columns_;  // (units, gates · units), and transposed
};

/// Sums of at most 520 float32 products, as large as 1 or a few: some 2⁻²⁴ of each.
constexpr double kStates = 4e-6, kGradients = 8e-6;

void check(const Engine& engine, const Problem& problem, const char* what) {
  const Reference reference(problem, engine.rounds);
  const double states = reference.worst_state(), gradients = reference.worst_gradient();
  CHECK(states < kStates && gradients < kGradients, "%s, %s, %d rows of %d units: states %g, gradients %g", engine.name,
        what, static_cast<int>(problem.n), static_cast<int>(problem.units), states, gradients);
}

// Chunks of 4, 8, 16 and 32 rows; units that fill tiles, and that do not. With AMX, float32 is in three parts from 64
// rows and for 64 to 256 units.
const int64_t kShapes[][2] = {{1, 5}, {17, 33}, {70, 64}, {64, 130}, {260, 20}, {260, 66}};
constexpr Cell kCells[] = {Cell::simpleRNN, Cell::lstm, Cell::gru};

/// All steps, plain and with masks, and the same bits on any number of threads.
void sequences() {
  for (const Engine& engine : engines())
    for (const auto& shape : kShapes)
      for (const Cell cell : kCells)
        for (const bool masked : {false, true}) {
          if (!masked && shape[0] > 100) continue;
          Problem problem(cell, shape[0], 3, shape[1], 7, masked);
          set_threads(1);
          problem.run(*engine.kernels, false), problem.run(*engine.kernels, true);
          check(engine, problem, masked ? "masked" : "plain");
          Problem again(cell, shape[0], 3, shape[1], 7, masked);
          set_threads(3);
          again.run(*engine.kernels, false), again.run(*engine.kernels, true);
          CHECK(again.states == problem.states && again.gradients == problem.gradients, "%s: other bits", engine.name);
        }
}

/// Without initial states the first step multiplies nothing, and nothing goes on to them.
void from_zeros() {
  for (const Engine& engine : engines())
    for (const Cell cell : kCells) {
      Problem problem(cell, 70, 3, 64, 9, true);
      problem.initial = false;
      problem.run(*engine.kernels, false), problem.run(*engine.kernels, true);
      check(engine, problem, "from zeros");
    }
}

#if defined(DOWNHILL_HAS_AMX)
/// One operand that three parts cannot have: the bits of the ordinary kernel.
void falls_back() {
  set_threads(2);
  for (int which = 0; which < 2; ++which) {
    Problem problem(Cell::lstm, 70, 3, 64, 11);
    (which ? problem.kernel[100] : problem.h[70]) = 3e38f;
    Problem plain = problem;
    for (const bool backward : {false, true}) {
      problem.run(downhill::cpu::amx::recurrent_kernels, backward);
      plain.run(downhill::cpu::avx512::recurrent_kernels, backward);
    }
    CHECK(problem.states.size() == plain.states.size() &&
          std::memcmp(problem.states.data(), plain.states.data(), plain.states.size() * 4) == 0);
    if (which == 0) continue;  // the state before is no operand of the gradients' products
    CHECK(std::memcmp(problem.gradients.data(), plain.gradients.data(), plain.gradients.size() * 4) == 0);
  }
}
#endif

}  // namespace

int main() {
  sequences();
  from_zeros();
#if defined(DOWNHILL_HAS_AMX)
  if (downhill::cpu::may_use_amx()) falls_back();
#endif
  return downhill::test::report("recurrent_bfloat16");
}
