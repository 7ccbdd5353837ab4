// core/math.h against the C library in double: error in ulp over the floats, and the special values.
#include "core/math.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "check.h"

namespace m = downhill::DH_ISA::math;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
const float kNan = std::numeric_limits<float>::quiet_NaN();

/// Distance of y from the exact value in units of the spacing of floats there.
double ulp(float y, double exact) {
  const float nearest = static_cast<float>(exact);
  if (std::isnan(exact)) return std::isnan(y) ? 0 : 1e9;
  if (std::isinf(nearest) || std::isinf(y))
    return nearest == y || std::fabs(exact) > 3.4028234e38 ? (std::isinf(y) ? 0 : 1) : 1e9;
  int exponent;
  std::frexp(exact, &exponent);
  return std::fabs(y - exact) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

/// Every 97th float of both signs inside [low, high].
template <typename F, typename G>
void sweep(const char* name, float low, float high, double limit, F f, G reference) {
  double worst = 0;
  float where = 0;
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 977) {
    const float x = m::float_of(static_cast<uint32_t>(bits));
    if (!(x >= low && x <= high)) continue;
    const double error = ulp(f(x), reference(static_cast<double>(x)));
    if (error > worst) worst = error, where = x;
  }
  std::printf("%-10s worst %.3f ulp at %.9g\n", name, worst, where);
  CHECK(worst <= limit, "%s: %.3f ulp at %.9g: %.9g, expected %.9g", name, worst, where, f(where),
        reference(static_cast<double>(where)));
}

bool same(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

void special_values() {
#define SAME(f, x, y) CHECK(same(m::f(x), y), "%s(%g) = %g", #f, static_cast<double>(x), static_cast<double>(m::f(x)))
  SAME(exp, -kInf, 0.0f);
  SAME(exp, kInf, kInf);
  SAME(exp, kNan, kNan);
  SAME(exp, -0.0f, 1.0f);
  SAME(exp, 89.0f, kInf);
  SAME(exp, -104.0f, 0.0f);
  SAME(expm1, -kInf, -1.0f);
  SAME(expm1, kInf, kInf);
  SAME(expm1, kNan, kNan);
  SAME(expm1, -0.0f, -0.0f);
  SAME(expm1, 1e-40f, 1e-40f);
  SAME(log, 0.0f, -kInf);
  SAME(log, -0.0f, -kInf);
  SAME(log, kInf, kInf);
  SAME(log, -1.0f, kNan);
  SAME(log, -kInf, kNan);
  SAME(log, kNan, kNan);
  SAME(log, 1.0f, 0.0f);
  SAME(log1p, -1.0f, -kInf);
  SAME(log1p, kInf, kInf);
  SAME(log1p, -2.0f, kNan);
  SAME(log1p, kNan, kNan);
  SAME(log1p, -0.0f, -0.0f);
  SAME(tanh, kInf, 1.0f);
  SAME(tanh, -kInf, -1.0f);
  SAME(tanh, kNan, kNan);
  SAME(tanh, -0.0f, -0.0f);
  SAME(tanh, 1e-42f, 1e-42f);
  SAME(sigmoid, kInf, 1.0f);
  SAME(sigmoid, -kInf, 0.0f);
  SAME(sigmoid, kNan, kNan);
  SAME(sigmoid, -0.0f, 0.5f);
  SAME(softplus, kInf, kInf);
  SAME(softplus, -kInf, 0.0f);
  SAME(softplus, kNan, kNan);
  SAME(erf, kInf, 1.0f);
  SAME(erf, -kInf, -1.0f);
  SAME(erf, kNan, kNan);
  SAME(erf, -0.0f, -0.0f);
  SAME(rsqrt, 0.0f, kInf);
  SAME(rsqrt, kInf, 0.0f);
  SAME(sqrt, -1.0f, kNan);
#undef SAME
  const float values[] = {0.0f,        -0.0f,       0.5f,        -0.5f, 1.0f,   -1.0f, 2.0f,   -2.0f,
                          3.0f,        -3.0f,       1.5f,        -1.5f, 1e-40f, 1e38f, -1e38f, 8388609.0f,
                          -8388609.0f, 16777216.0f, 16777215.0f, kInf,  -kInf,  kNan};
  for (float x : values)
    for (float y : values) {
      const float expected = static_cast<float>(std::pow(static_cast<double>(x), static_cast<double>(y)));
      const float actual = m::pow(x, y);
      CHECK(same(actual, expected) || ulp(actual, expected) <= 1, "pow(%g, %g) = %g, expected %g", x, y, actual,
            expected);
    }
}

void powers() {
  std::mt19937 random(7);
  double worst = 0;
  for (int i = 0; i < 2000000; ++i) {
    const float x = m::float_of(random() & 0x7fffffffu);
    if (!(x < kInf)) continue;
    const double limit = 130 / std::max(1e-3, std::fabs(std::log2(static_cast<double>(x))));
    const float y = static_cast<float>((random() / 4294967296.0 * 2 - 1) * limit);
    const double error = ulp(m::pow(x, y), std::pow(static_cast<double>(x), static_cast<double>(y)));
    if (error > worst) worst = error;
  }
  std::printf("%-10s worst %.3f ulp\n", "pow", worst);
  CHECK(worst <= 1, "pow: %.3f ulp", worst);
}

void powers_of_positive() {
  std::mt19937 random(8);
  double worst[2] = {};  // y up to 1, and up to 16
  for (int i = 0; i < 4000000; ++i) {
    const float x = m::float_of(random() & 0x7fffffffu);
    if (!(x < kInf)) continue;
    const bool large = i % 2 == 1;
    const float y = static_cast<float>(random() / 4294967296.0 * (large ? 16 : 1));
    const double exact = std::pow(static_cast<double>(x), static_cast<double>(y));
    if (exact < 0x1p-124) continue;
    worst[large] =
        std::max(worst[large], ulp(m::pow_of_positive(x, y), exact) / (large ? 1 + static_cast<double>(y) : 1));
  }
  std::printf("%-10s worst %.3f ulp for y <= 1, %.3f ulp times (1 + y) for y <= 16\n", "pow > 0", worst[0], worst[1]);
  CHECK(worst[0] <= 2, "pow_of_positive: %.3f ulp", worst[0]);
  CHECK(worst[1] <= 2, "pow_of_positive: %.3f ulp times (1 + y)", worst[1]);
  const float values[] = {0.0f, 1e-45f, 1e-40f, 0.5f, 1.0f, 3.0f, 16.0f, 1e38f, kInf, kNan},
              exponents[] = {0.0f, 0.25f, 0.5f, 1.0f, 2.0f, 16.0f};
  for (float x : values)
    for (float y : exponents) {
      const double exact = std::pow(static_cast<double>(x), static_cast<double>(y));
      const float expected = !(x < kInf) ? kNan : exact < 0x1p-125 ? 0.0f : static_cast<float>(exact);
      const float actual = m::pow_of_positive(x, y);
      CHECK(same(actual, expected) || ulp(actual, expected) <= 2 * (1 + y), "pow_of_positive(%g, %g) = %g, expected %g",
            x, y, actual, expected);
    }
}

void circle() {
  double worst = 0;
  for (int i = 0; i <= 1 << 20; ++i) {
    const float t = static_cast<float>(i) / (1 << 20);
    float s, c;
    m::sin_cos_turns(t, s, c);
    const double angle = 2 * M_PI * static_cast<double>(t);
    worst = std::max({worst, std::fabs(s - std::sin(angle)), std::fabs(c - std::cos(angle))});
  }
  CHECK(worst < 1.5e-7, "sin_cos_turns: %g", worst);
}

}  // namespace

int main() {
  const float all = std::numeric_limits<float>::max();
  const auto d = [](double (*f)(double)) { return f; };
  sweep("exp", -110, 95, 2, [](float x) { return m::exp(x); }, d(std::exp));
  sweep("expm1", -110, 95, 3, [](float x) { return m::expm1(x); }, d(std::expm1));
  sweep("log", 0, all, 2, [](float x) { return m::log(x); }, d(std::log));
  sweep("log1p", -1, all, 3, [](float x) { return m::log1p(x); }, d(std::log1p));
  sweep("tanh", -all, all, 2, [](float x) { return m::tanh(x); }, d(std::tanh));
  sweep(
      "sigmoid", -all, all, 4, [](float x) { return m::sigmoid(x); }, [](double x) { return 1 / (1 + std::exp(-x)); });
  sweep(
      "softplus", -all, all, 4, [](float x) { return m::softplus(x); },
      [](double x) { return std::log1p(std::exp(-std::fabs(x))) + (x > 0 ? x : 0); });
  sweep("erf", -all, all, 2, [](float x) { return m::erf(x); }, d(std::erf));
  sweep("sqrt", 0, all, 0.5, [](float x) { return m::sqrt(x); }, d(std::sqrt));
  sweep("rsqrt", 0, all, 2, [](float x) { return m::rsqrt(x); }, [](double x) { return 1 / std::sqrt(x); });
  special_values();
  powers();
  powers_of_positive();
  circle();
  return downhill::test::report("math");
}
