#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "core/math.h"

namespace downhill {

/// A kind: its name, how many numbers and children it has, and its formula.
struct Schedule::Row {
  const char* name;
  int numbers;  // -1: any
  int children;
  double (*rate)(const Schedule& schedule, double k);
};

namespace {

constexpr double kPi = 3.14159265358979323846;

/// From a (x = 0) to b (x = 1), exact at both ends.
double mix(double a, double b, double x) { return (1 - x) * a + x * b; }
/// From a to b along half a cosine.
double cosine_mix(double a, double b, double x) { return b + (a - b) / 2 * (1 + std::cos(kPi * x)); }

/// (value)
double constant(const Schedule& s, double) { return s.numbers()[0]; }

/// (initial, final, τ): (1 - k/τ)·initial + k/τ·final, final after τ. Goodfellow et al. 2016, equation 8.14.
double linear(const Schedule& s, double k) {
  const auto& n = s.numbers();
  return mix(n[0], n[1], std::min(k / n[2], 1.0));
}

/// (initial, decay, steps, staircase): initial / (1 + decay·k/steps). Keras `InverseTimeDecay`.
double inverse_time(const Schedule& s, double k) {
  const auto& n = s.numbers();
  const double x = k / n[2];
  return n[0] / (1 + n[1] * (n[3] != 0 ? std::floor(x) : x));
}

/// (initial, rate, steps, staircase): initial·rate^(k/steps). Keras `ExponentialDecay`.
double exponential(const Schedule& s, double k) {
  const auto& n = s.numbers();
  const double x = k / n[2];
  return n[0] * std::pow(n[1], n[3] != 0 ? std::floor(x) : x);
}

/// (initial, steps, alpha, warm-up steps, target): a line from initial to target, then a cosine from target to
/// alpha·target. Keras `CosineDecay`; Loshchilov and Hutter 2017 (arXiv:1608.03983), equation 5.
double cosine(const Schedule& s, double k) {
  const auto& n = s.numbers();
  if (k < n[3]) return mix(n[0], n[4], k / n[3]);
  return cosine_mix(n[4], n[2] * n[4], std::min((k - n[3]) / n[1], 1.0));
}

/// (initial, steps, tMul, mMul, alpha): periods of lengths steps·tMulⁱ, each from x = 0 to 1:
/// initial·((1 - alpha)·mMulⁱ·(1 + cos πx)/2 + alpha). Keras `CosineDecayRestarts`; the same paper.
double cosine_restarts(const Schedule& s, double k) {
  const auto& n = s.numbers();
  const double growth = n[2];
  double x = k / n[1];  // in units of the first length
  double restarts = std::floor(x), begin = restarts, length = 1;
  if (growth != 1) {
    const auto begin_of = [&](double i) { return (std::pow(growth, i) - 1) / (growth - 1); };
    restarts = std::floor(std::log1p(x * (growth - 1)) / std::log(growth));
    if (begin_of(restarts + 1) <= x) restarts += 1;  // the logarithm was rounded
    if (begin_of(restarts) > x) restarts -= 1;
    begin = begin_of(restarts);
    length = std::pow(growth, restarts);
  }
  const double part = (x - begin) / length, height = std::pow(n[3], restarts);
  return n[0] * mix(height * (1 + std::cos(kPi * part)) / 2, 1, n[4]);
}

/// (initial, final, steps, power, cycle): (initial - final)·(1 - k/steps)^power + final; with cycle, steps doubles,
/// triples, … when it is reached. Keras `PolynomialDecay`.
double polynomial(const Schedule& s, double k) {
  const auto& n = s.numbers();
  const double length = n[4] != 0 && k > 0 ? n[2] * std::ceil(k / n[2]) : n[2];
  return (n[0] - n[1]) * std::pow(1 - std::min(k / length, 1.0), n[3]) + n[1];
}

/// (boundary …, value …): the value of the first boundary that k does not exceed, or the last value.
double piecewise(const Schedule& s, double k) {
  const auto& n = s.numbers();
  const auto values = static_cast<std::ptrdiff_t>(n.size() / 2);  // boundaries: one less than values
  const auto place = std::lower_bound(n.begin(), n.begin() + values, k) - n.begin();
  return n[std::min(static_cast<size_t>(values + place), n.size() - 1)];
}

/// (initial, steps), (then): a line from initial to then(0), then then(k - steps).
double warmup(const Schedule& s, double k) {
  const auto& n = s.numbers();
  return k < n[1] ? mix(n[0], s.child(0).at(0), k / n[1]) : s.child(0).at(k - n[1]);
}

/// (initial, w): initial·min(k/w, √(w/k)); Vaswani et al. 2017 (arXiv:1706.03762), section 5.3. Without warm-up
/// initial/√k from k = 1 on.
double inverse_sqrt(const Schedule& s, double k) {
  const auto& n = s.numbers();
  return k < n[1] ? n[0] * (k / n[1]) : n[0] * std::sqrt(std::max(n[1], 1.0) / std::max(k, 1.0));
}

/// (max, steps, pctStart, divFactor, finalDivFactor, linear, threePhase): up from max/divFactor to max, and down to
/// max/divFactor/finalDivFactor, in three phases by way of where it began. PyTorch `OneCycleLR`; Smith and Topin 2018
/// (arXiv:1708.07120).
double one_cycle(const Schedule& s, double k) {
  const auto& n = s.numbers();
  const double top = n[0], begin = top / n[3], end = begin / n[4], last = n[1] - 1, up = n[2] * n[1] - 1;
  const auto blend = n[5] != 0 ? mix : cosine_mix;
  const auto phase = [&](double from, double to, double a, double b) {
    return blend(a, b, to > from ? std::min((k - from) / (to - from), 1.0) : 1.0);
  };
  if (k <= up) return phase(0, up, begin, top);
  if (n[6] == 0) return phase(up, last, top, end);
  return k <= 2 * up ? phase(up, 2 * up, top, begin) : phase(2 * up, last, begin, end);
}

/// (first, rate …): of updates first, first + 1, …
double table(const Schedule& s, double k) {
  const auto& n = s.numbers();
  const double i = k - n[0];
  if (!(i >= 0) || i >= static_cast<double>(n.size() - 1))
    throw Error(code::kInternal,
                "The table of rates does not hold that of step " + std::to_string(static_cast<int64_t>(k)) + ".");
  return n[1 + static_cast<size_t>(i)];
}

constexpr Schedule::Row kRows[] = {
    {"constant", 1, 0, constant},        {"linear", 3, 0, linear},        {"inverseTime", 4, 0, inverse_time},
    {"exponential", 4, 0, exponential},  {"cosine", 5, 0, cosine},        {"cosineRestarts", 5, 0, cosine_restarts},
    {"polynomial", 5, 0, polynomial},    {"piecewise", -1, 0, piecewise}, {"warmup", 2, 1, warmup},
    {"inverseSqrt", 2, 0, inverse_sqrt}, {"oneCycle", 7, 0, one_cycle},   {"table", -1, 0, table},
};

}  // namespace

Schedule::Schedule(const Row& row, std::vector<double> numbers, std::vector<Child> children)
    : row_(row), numbers_(std::move(numbers)), children_(std::move(children)) {}

std::shared_ptr<Schedule> Schedule::make(std::string_view kind, std::vector<double> numbers,
                                         std::vector<Child> children) {
  for (const Row& row : kRows) {
    if (kind != row.name) continue;
    const bool fits = row.numbers < 0 ? !numbers.empty() : numbers.size() == static_cast<size_t>(row.numbers);
    if (fits && children.size() == static_cast<size_t>(row.children))
      return std::shared_ptr<Schedule>(new Schedule(row, std::move(numbers), std::move(children)));
    throw Error(code::kInvalidArgument, "A schedule of kind " + std::string(kind) + " has not " +
                                            std::to_string(numbers.size()) + " numbers and " +
                                            std::to_string(children.size()) + " children.");
  }
  throw Error(code::kUnknownName, "Unknown kind of schedule \"" + std::string(kind) + "\".");
}

double Schedule::at(double step) const { return row_.rate(*this, step); }

}  // namespace downhill
