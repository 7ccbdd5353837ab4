// data/random_fill.h, data/orthogonal.h: every element by its own formula, whatever the size, the chunks, the threads.
#include "data/random_fill.h"

#include <cmath>
#include <vector>

#include "backend/cpu/pool.h"
#include "check.h"
#include "core/philox.h"
#include "data/orthogonal.h"

using namespace downhill;

namespace {

constexpr DrawKey kKey{0x123456789, 7};
constexpr int64_t kSizes[] = {0, 1, 3, 4, 5, 255, 256, 257, 16383, 16384, 16385, 50003};

enum class Kind { uniform, normal, truncated };

float expected(Kind kind, int64_t element) {
  const DH_ISA::Philox4 draws = DH_ISA::philox(kKey.seed, kKey.stream, static_cast<uint64_t>(element / 4));
  const int lane = static_cast<int>(element % 4);
  if (kind == Kind::uniform) return -0.5f + 2.0f * DH_ISA::uniform(draws.v[lane]);
  if (kind == Kind::truncated) return -0.5f + 1.5f * DH_ISA::truncated_normal(draws.v[lane]);
  float pair[2];
  DH_ISA::normal(draws.v[lane / 2 * 2], draws.v[lane / 2 * 2 + 1], pair[0], pair[1]);
  return -0.5f + 1.5f * pair[lane % 2];
}

void elements() {
  for (const int threads : {1, 3}) {
    cpu::set_threads(threads);
    for (const int64_t size : kSizes)
      for (const Kind kind : {Kind::uniform, Kind::normal, Kind::truncated}) {
        std::vector<float> values(static_cast<size_t>(size) + 1, 99.0f);
        if (kind == Kind::uniform) fill_uniform(values.data(), size, -0.5, 1.5, kKey);
        if (kind == Kind::normal) fill_normal(values.data(), size, -0.5, 1.5, kKey);
        if (kind == Kind::truncated) fill_truncated_normal(values.data(), size, -0.5, 1.5, kKey);
        for (int64_t i = 0; i < size; ++i)
          if (values[static_cast<size_t>(i)] != expected(kind, i)) {
            CHECK(false, "kind %d, size %lld, element %lld", static_cast<int>(kind), static_cast<long long>(size),
                  static_cast<long long>(i));
            break;
          }
        CHECK(values.back() == 99.0f, "nothing is written behind the end");
      }
  }
}

void sparse() {
  for (const int64_t inputs : {1, 2, 5, 100})
    for (const int64_t units : {0, 1, 15, 16, 17, 70})
      for (const int64_t connections : {int64_t{0}, int64_t{1}, inputs / 2, inputs}) {
        std::vector<float> values(static_cast<size_t>(inputs * units), 99.0f);
        fill_sparse(values.data(), inputs, units, connections, 1, kKey);
        for (int64_t unit = 0; unit < units; ++unit) {
          int64_t found = 0;
          for (int64_t i = 0; i < inputs; ++i) found += values[static_cast<size_t>(i * units + unit)] != 0;
          CHECK(found == connections, "%lld of %lld inputs: %lld", static_cast<long long>(connections),
                static_cast<long long>(inputs), static_cast<long long>(found));
        }
      }
}

void orthogonal() {
  const int64_t shapes[][2] = {{0, 3}, {3, 0}, {1, 1}, {1, 7}, {7, 1}, {31, 33}, {64, 64}, {100, 41}, {41, 100}};
  for (const auto& [rows, columns] : shapes) {
    std::vector<float> values(static_cast<size_t>(rows * columns));
    fill_orthogonal(values.data(), rows, columns, 2, kKey);
    const bool wide = rows < columns;
    const int64_t vectors = wide ? rows : columns, length = wide ? columns : rows;
    const auto entry = [&](int64_t vector, int64_t i) {
      return static_cast<double>(values[static_cast<size_t>(wide ? vector * columns + i : i * columns + vector)]);
    };
    double worst = 0;
    for (int64_t a = 0; a < vectors; ++a)
      for (int64_t b = 0; b <= a; ++b) {
        double sum = a == b ? -4 : 0;
        for (int64_t i = 0; i < length; ++i) sum += entry(a, i) * entry(b, i);
        worst = std::fmax(worst, std::fabs(sum));
      }
    CHECK(worst < 3e-6, "%lld × %lld: %g", static_cast<long long>(rows), static_cast<long long>(columns), worst);
  }
}

}  // namespace

int main() {
  elements();
  sparse();
  orthogonal();
  return downhill::test::report("random_fill");
}
