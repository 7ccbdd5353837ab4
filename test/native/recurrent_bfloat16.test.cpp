// Recurrences with products of operands rounded to bfloat16, of every engine that this machine has, and with float32
// from three parts: products against sums in double precision, whole sequences beside the float32 kernels.
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

/// A sequence and its gradient, from given initial states.
struct Problem {
  Cell cell;
  int64_t n, steps, units;
  CellSizes sizes;
  Values x, kernel, bias, h, c, d, states, gradients;

  Problem(Cell which, int64_t rows, int64_t length, int64_t width, uint32_t seed, float scale = 0.3f)
      : cell(which), n(rows), steps(length), units(width), sizes(sizes_of(which)) {
    std::mt19937 random(seed);
    x = uniform(random, n * steps * sizes.gates * units, 1),
    kernel = uniform(random, units * sizes.gates * units, scale);
    bias = uniform(random, sizes.gates * units, 1), h = uniform(random, n * units, 1),
    c = uniform(random, n * units, 1);
    d = uniform(random, n * steps * units, 1);
  }

  void run(const RecurrentKernels& kernels, bool backward) {
    RecurrentArgs args;
    args.cell = cell, args.n = n, args.steps = steps, args.units = units, args.kernel = kernel.data();
    args.h = h.data(), args.c = sizes.carried > 1 ? c.data() : nullptr;
    Values& to = backward ? gradients : states;
    const int64_t out = backward ? (steps + 1) * sizes.gradients : steps * sizes.states;
    to.assign(static_cast<size_t>(n * out * units), NAN);
    args.to = to.data();
    if (backward)
      args.states = states.data(), args.d = d.data(), args.width = units, args.initial = true;
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

/// Hidden states after one step, in double, from products of what the engine multiplies.
double worst_state(const Problem& p, bool rounds) {
  double worst = 0;
  const auto operand = [&](float value) { return static_cast<double>(rounds ? rounded(value) : value); };
  for (int64_t r = 0; r < p.n; ++r)
    for (int64_t j = 0; j < p.units; ++j) {
      double m[4] = {}, x[4] = {};
      for (int64_t g = 0; g < p.sizes.gates; ++g) {
        for (int64_t i = 0; i < p.units; ++i)
          m[g] += operand(p.h[r * p.units + i]) * operand(p.kernel[(i * p.sizes.gates + g) * p.units + j]);
        if (p.sizes.bias) m[g] += static_cast<double>(p.bias[g * p.units + j]);
        x[g] = static_cast<double>(p.x[(r * p.sizes.gates + g) * p.units + j]);
      }
      const double before = static_cast<double>(p.h[r * p.units + j]), c = static_cast<double>(p.c[r * p.units + j]);
      double expected = std::tanh(x[0] + m[0]);
      if (p.cell == Cell::lstm)
        expected =
            sigmoid(x[3] + m[3]) * std::tanh(sigmoid(x[1] + m[1]) * c + sigmoid(x[0] + m[0]) * std::tanh(x[2] + m[2]));
      if (p.cell == Cell::gru) {
        const double z = sigmoid(x[0] + m[0]);
        expected = z * before + (1 - z) * std::tanh(x[2] + sigmoid(x[1] + m[1]) * m[2]);
      }
      const double error = std::fabs(static_cast<double>(p.states[r * p.sizes.states * p.units + j]) - expected);
      worst = error <= worst ? worst : error;  // NaN, too
    }
  return worst;
}

/// The gradient of the initial state: of the gates, as the kernel gives them, times the kernel. simpleRNN and lstm.
double worst_gradient(const Problem& p, bool rounds) {
  double worst = 0;
  const int64_t gates = p.sizes.gates * p.units, row = 2 * p.sizes.gradients * p.units;
  const auto operand = [&](float value) { return static_cast<double>(rounds ? rounded(value) : value); };
  for (int64_t r = 0; r < p.n; ++r)
    for (int64_t i = 0; i < p.units; ++i) {
      double sum = 0;
      for (int64_t g = 0; g < gates; ++g) sum += operand(p.gradients[r * row + g]) * operand(p.kernel[i * gates + g]);
      const double error = std::fabs(static_cast<double>(p.gradients[r * row + row / 2 + i]) - sum);
      worst = error <= worst ? worst : error;
    }
  return worst;
}

const int64_t kShapes[][2] = {{1, 5}, {17, 33}, {70, 64}, {64, 130}, {260, 20}};

void products() {
  for (const Engine& engine : engines())
    for (const auto& shape : kShapes)
      for (const Cell cell : {Cell::simpleRNN, Cell::lstm, Cell::gru}) {
        Problem problem(cell, shape[0], 1, shape[1], 5);
        problem.run(*engine.kernels, false);
        CHECK(worst_state(problem, engine.rounds) < 4e-6, "%s, %d rows: states", engine.name,
              static_cast<int>(shape[0]));
        problem.run(*engine.kernels, true);
        if (cell == Cell::gru) continue;
        CHECK(worst_gradient(problem, engine.rounds) < 4e-6, "%s, %d rows: gradient", engine.name,
              static_cast<int>(shape[0]));
      }
}

double distance(const Values& x, const Values& y) {
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double error = std::fabs(static_cast<double>(x[i]) - static_cast<double>(y[i]));
    worst = error <= worst ? worst : error;
  }
  return worst;
}

/// Several steps: beside float32, and with the same bits on any number of threads.
void sequences() {
  for (const Engine& engine : engines())
    for (const auto& shape : kShapes)
      for (const Cell cell : {Cell::simpleRNN, Cell::lstm, Cell::gru}) {
        Problem problem(cell, shape[0], 4, shape[1], 7, 0.1f), plain = problem;
        set_threads(1);
        problem.run(*engine.kernels, false), problem.run(*engine.kernels, true);
        const auto& baseline = downhill::cpu::table_of_baseline().recurrent;
        plain.run(baseline, false), plain.run(baseline, true);
        const double limit = engine.rounds ? 0.03 : 1e-5;
        CHECK(distance(problem.states, plain.states) < limit, "%s: states", engine.name);
        CHECK(distance(problem.gradients, plain.gradients) < 3 * limit, "%s: gradients", engine.name);
        for (int threads : {2, 3}) {
          Problem again(cell, shape[0], 4, shape[1], 7, 0.1f);
          set_threads(threads);
          again.run(*engine.kernels, false), again.run(*engine.kernels, true);
          CHECK(again.states == problem.states && again.gradients == problem.gradients, "%s: other bits", engine.name);
        }
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
  products();
  sequences();
#if defined(DOWNHILL_HAS_AMX)
  if (downhill::cpu::may_use_amx()) falls_back();
#endif
  return downhill::test::report("recurrent_bfloat16");
}
